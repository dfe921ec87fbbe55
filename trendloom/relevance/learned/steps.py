"""Small compiled steps: trees walked for many rows, a path put down to its signals, transitions counted.

The arrays are described where they belong: :mod:`trendloom.relevance.learned.forest` and
:mod:`trendloom.relevance.learned.attributes`.
"""

from __future__ import annotations

import math

import numpy as np

from trendloom.relevance.compiled.steps import jit, kth_greatest

__all__ = ["add_sums", "count_values", "sum_best", "write_parts"]


@jit
def add_sums(rows, order, n, asks, limit, first, worth, start, steps, begin, end, out, walk):
    """Add the trees begin .. end - 1 for n rows of (E, F), named by order (E,), to out (E,), without a branch.

    All rows take a step down a tree together, so that the processor need not wait for one to begin the next.
    """
    for tree in range(begin, end):
        for i in range(n):
            walk[i] = start[tree]
        for _ in range(steps[tree]):
            for i in range(n):
                node = np.uintp(walk[np.uintp(i)])
                signal = rows[np.uintp(order[np.uintp(i)]), np.uintp(asks[node])]
                walk[np.uintp(i)] = first[node] + (1 if signal > limit[node] else 0)
        for i in range(n):
            out[np.uintp(order[i])] += worth[np.uintp(walk[i])]


@jit
def sum_best(rows, n, asks, limit, first, worth, start, steps, first_trees, kept, out, walk, order, spare, counts):
    """Write the sums of all trees for the rows (E, F) that are the ``kept`` best after the first trees into out (E,).

    The others get -inf: what many trees find far from the best, the rest of them will not lift among the best.
    """
    trees = start.shape[0]
    early = min(first_trees, trees) if n > kept else trees
    for row in range(n):
        out[row] = 0.0
        order[row] = row
    add_sums(rows, order, n, asks, limit, first, worth, start, steps, 0, early, out, walk)
    if early == trees:
        return
    for row in range(n):
        spare[row] = math.exp(out[row])
    least = kth_greatest(spare, n, kept, counts)
    m = 0
    for row in range(n):
        if math.exp(out[row]) >= least:
            order[m] = row
            m += 1
        else:
            out[row] = -np.inf
    add_sums(rows, order, m, asks, limit, first, worth, start, steps, early, trees, out, walk)


@jit
def write_parts(row, signal, threshold, left, right, value, root, out):
    """Write what each signal of a row (F,) adds to its sum into out (F,), by the path through every tree."""
    out[:] = 0.0
    for tree in range(root.shape[0]):
        node = root[tree]
        while signal[node] >= 0:
            child = left[node] if row[signal[node]] <= threshold[node] else right[node]
            out[signal[node]] += value[child] - value[node]
            node = child


@jit
def count_values(dense, counts, one, other, weights, both):
    """Add weights (P,) of the pairs (one (P,), other (P,)) to the counts (A, G, G) of their values (N, A)."""
    for pair in range(one.size):
        first, second = one[pair], other[pair]
        if first >= dense.shape[0] or second >= dense.shape[0]:
            continue
        for a in range(dense.shape[1]):
            g, h = dense[first, a], dense[second, a]
            if g >= 0 and h >= 0:
                counts[a, g, h] += weights[pair]
                if both:
                    counts[a, h, g] += weights[pair]
