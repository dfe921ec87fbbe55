"""Small compiled steps: trees walked for many rows, a path put down to its signals, transitions counted.

The arrays are described where they belong: :mod:`trendloom.relevance.learned.forest` and
:mod:`trendloom.relevance.learned.attributes`.
"""

from __future__ import annotations

import numpy as np

from trendloom.relevance.compiled.steps import jit

__all__ = ["count_values", "write_parts", "write_sums"]


@jit
def write_sums(rows, n, signal, threshold, left, right, value, root, out):
    """Write the sum of all trees for the first n rows (E, F) into out (E,): tree by tree, so that a tree stays near."""
    for row in range(n):
        out[row] = 0.0
    for tree in range(root.shape[0]):
        start = root[tree]
        for row in range(n):
            node = start
            asks = signal[np.uintp(node)]
            while asks >= 0:
                if rows[np.uintp(row), np.uintp(asks)] <= threshold[np.uintp(node)]:
                    node = left[np.uintp(node)]
                else:
                    node = right[np.uintp(node)]
                asks = signal[np.uintp(node)]
            out[np.uintp(row)] += value[np.uintp(node)]


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
