"""Bounded counts compiled: pairs added one by one to dense rows, some tens of nanoseconds each; needs numba (``fast``).

The kernels know arrays only and allot slots, but never make the arrays larger: whoever owns them does. The rule is that
of :mod:`trendloom.bounded_counts`, which is the reference and to be read next.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["count_pairs"]

#: Compiled once and kept on disk; other threads may run meanwhile. Rows are addressed by ``np.uintp``, as an index that
#: may be negative costs a test, and all sums are int32: so sixteen columns are looked at by one instruction.
jit = numba.njit(cache=True, nogil=True, error_model="numpy")
#: For what is called once for each pair: handing arrays on would cost as much as the work.
inlined = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)

#: A row is searched in whole steps of this many columns, as far as it is that wide: the rest would go one by one.
_STEP = 64


@inlined
def _place(columns, slot, length, column):
    """Return where a row of ``length`` columns holds a column, -1 if it does not; beyond ``length`` lie only -1."""
    at, sought, found = np.uintp(slot), np.int32(column), np.int32(0)
    steps = (np.uintp(length) + np.uintp(_STEP - 1)) & ~np.uintp(_STEP - 1)
    for place in range(min(steps, np.uintp(columns.shape[1]))):
        found = np.int32(found | (np.int32(place + np.uintp(1)) if columns[at, place] == sought else np.int32(0)))
    return np.int64(found) - 1


@jit
def _least_kept(counts, slot, length, keep):
    """Return the ``keep``-th greatest count of a row, and how many columns of that very count are kept."""
    at, low, high, above = np.uintp(slot), np.int32(0), np.int32(0), np.int32(0)
    for place in range(np.uintp(length)):
        high = max(high, counts[at, place])
    while low < high:  # between them lies the count; `above` are greater than `high`
        middle = np.int32(low + (high - low) // 2)
        greater = np.int32(0)
        for place in range(np.uintp(length)):
            greater = np.int32(greater + np.int32(counts[at, place] > middle))
        if greater >= keep:
            low = np.int32(middle + 1)
        else:
            high, above = middle, greater
    return low, np.int32(keep - above)


@jit
def _last_kept(columns, counts, slot, length, least, ties):
    """Return a column up to which there are ``ties`` columns whose count is ``least``."""
    at, low, high = np.uintp(slot), np.int32(0), np.int32(0)
    for place in range(np.uintp(length)):
        high = max(high, columns[at, place])
    while low < high:
        middle = np.int32(low + (high - low) // 2)
        smaller = np.int32(0)
        for place in range(np.uintp(length)):
            smaller = np.int32(smaller + np.int32((counts[at, place] == least) & (columns[at, place] <= middle)))
        if smaller == ties:
            return middle
        if smaller > ties:
            high = middle
        else:
            low = np.int32(middle + 1)
    return low


@jit
def _cut(columns, counts, slot, length, keep):
    """Leave a row its ``keep`` greatest counts, of equal counts the smaller columns, in the order in which they lie."""
    at = np.uintp(slot)
    least, ties = _least_kept(counts, slot, length, keep)
    last = _last_kept(columns, counts, slot, length, least, ties)
    kept = np.uintp(0)
    for place in range(np.uintp(length)):  # written whether kept or not: a branch that nobody can foretell costs more
        column, count = columns[at, place], counts[at, place]
        columns[at, kept] = column
        counts[at, kept] = count
        kept += np.uintp((count > least) | ((count == least) & (column <= last)))
    for place in range(kept, np.uintp(length)):
        columns[at, place] = -1
        counts[at, place] = 0


@inlined
def _count(columns, counts, lengths, slot, column, weight, keep):
    """Add a weight to one column of a row, and cut the row if there is now one column too many."""
    at = np.uintp(slot)
    length = np.int64(lengths[at])
    place = _place(columns, slot, length, column)
    if place >= 0:
        counts[at, np.uintp(place)] += np.int32(weight)
        return
    columns[at, np.uintp(length)] = column
    counts[at, np.uintp(length)] = weight
    length += 1
    if length == columns.shape[1]:
        _cut(columns, counts, slot, length, keep)
        length = keep
    lengths[at] = length


@jit
def count_pairs(
    slots,
    columns,
    counts,
    lengths,
    used,
    keep,
    one,
    other,
    weights,
    start,
    directions,
):
    """Add weights (P,) > 0 to pairs (one (P,) >= 0, other (P,) >= 0) from ``start`` on, one after the other.

    ``slots`` holds each row's slot, -1 if it has none yet; ``columns`` and ``counts`` (S, limit + 1) and ``lengths``
    (S,) are the rows by slot, int32, ``used`` of them allotted. With 2 ``directions`` each pair is added as (one,
    other), then as (other, one). Returns where it stopped, P or the first pair that needs a row number or a slot which
    the arrays have no room for, and how many slots are allotted now.
    """
    for pair in range(start, one.size):
        row, column = one[np.uintp(pair)], other[np.uintp(pair)]
        if row >= slots.size or (directions == 2 and column >= slots.size) or used + 2 > lengths.size:
            return pair, used
        if slots[np.uintp(row)] < 0:
            slots[np.uintp(row)] = used
            used += 1
        weight = weights[np.uintp(pair)]
        _count(columns, counts, lengths, np.int64(slots[np.uintp(row)]), column, weight, keep)
        if directions == 2:
            if slots[np.uintp(column)] < 0:
                slots[np.uintp(column)] = used
                used += 1
            _count(columns, counts, lengths, np.int64(slots[np.uintp(column)]), row, weight, keep)
    return one.size, used
