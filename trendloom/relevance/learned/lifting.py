"""What a history says of the values of attributes, and the sources that follow from it, compiled.

Chances and lifts of department, type, colour, section and pattern; all that was sold, weighed by them (``lifted``,
``section``). Read next: :mod:`trendloom.relevance.learned.gathering`, the other sources.
"""

from __future__ import annotations

import math

import numpy as np

from trendloom.relevance.compiled.steps import BUCKETS, DROPPED_BITS, jit, kth_greatest
from trendloom.relevance.learned.gathering import noted
from trendloom.relevance.learned.signals import DENSE, LIFT_POWERS

__all__ = ["add_by_section", "add_lifted", "forget_attributes", "read_attributes"]

GROUP, TYPE, COLOUR, SECTION = (DENSE.index(name) for name in ("group", "type", "colour", "section"))
_GROUP_POWER, _TYPE_POWER, _COLOUR_POWER = (LIFT_POWERS[place] for place in (GROUP, TYPE, COLOUR))
#: Lifts are not followed further down than this.
_LEAST_LIFT = 1e-3
#: Of items that are worth the same, so many times as many as were asked for are noted.
_MOST_TIES = 4


@jit
def read_attributes(
    item, weight, days, h, last, dense, sizes, of_pairs, everybody,
    chance, lift, log_lift, chance_last, share, today,
):  # fmt: skip
    """Write what h items bought say of each attribute's values: (A, G) chances, lifts, shares and counts of today."""
    total = 0.0
    for j in range(h):
        total += weight[j]
    for a in range(dense.shape[1]):
        n = sizes[a]
        for other in range(n):
            chance[a, other] = 0.0
        told = False
        for j in range(h):
            value = dense[item[j], a]
            if value >= 0:
                told = True
                part = weight[j] / total
                share[a, value] += part
                today[a, value] += 1.0 if days[j] == 0 else 0.0
                for other in range(n):
                    chance[a, other] += part * of_pairs[a, value, other]
        for other in range(n):
            lift[a, other] = chance[a, other] / (everybody[a, other] + 1e-4)
            log_lift[a, other] = math.log(max(lift[a, other], _LEAST_LIFT)) if told else 0.0
        value = dense[last, a] if last >= 0 else -1
        for other in range(n):
            chance_last[a, other] = of_pairs[a, value, other] if value >= 0 else 0.0


@jit
def forget_attributes(item, h, dense, share, today):
    """Take shares and counts of today back to 0."""
    for a in range(dense.shape[1]):
        for j in range(h):
            value = dense[item[j], a]
            if value >= 0:
                share[a, value] = 0.0
                today[a, value] = 0.0


@jit
def add_lifted(
    n, sold, codes, fresh_power, log_lift, sizes, limit, bit,
    worth, value, spare, stamp, slot, items, evidence, source, counts,
):  # fmt: skip
    """Note the ``limit`` best of the items sold (M,) by popularity^.7 times the powers of their attributes' lifts.

    ``codes`` (M, 4) are those of group, type, colour and section, the last place of ``worth`` (3, G + 1) for none.
    """
    if limit <= 0:
        return n
    none = worth.shape[1] - 1
    for v in range(sizes[GROUP]):
        worth[0, v] = math.exp(_GROUP_POWER * log_lift[GROUP, v])
    for v in range(sizes[TYPE]):
        worth[1, v] = math.exp(_TYPE_POWER * log_lift[TYPE, v])
    for v in range(sizes[COLOUR]):
        worth[2, v] = math.exp(_COLOUR_POWER * log_lift[COLOUR, v])
    for a in range(3):
        worth[a, none] = 1.0
    greatest = 0.0
    for s in range(sold.shape[0]):
        worths = fresh_power[s] * worth[0, codes[s, 0]] * worth[1, codes[s, 1]] * worth[2, codes[s, 2]]
        value[s] = worths
        greatest = max(greatest, worths)
    return _mark_sold(n, sold, limit, bit, value, greatest, spare, stamp, slot, items, evidence, source, counts)


@jit
def add_by_section(
    n, sold, codes, fresh, chance, section_total, sizes, limit, bit,
    worth, value, spare, stamp, slot, items, evidence, source, counts,
):  # fmt: skip
    """Note the ``limit`` best of the items sold (M,) by the chance of their section and their share of it."""
    if limit <= 0 or sizes[SECTION] == 0:
        return n
    none = worth.shape[1] - 1
    for v in range(sizes[SECTION]):
        worth[0, v] = chance[SECTION, v] / section_total[v] if section_total[v] > 0.0 else 0.0
    worth[0, none] = 0.0
    greatest = 0.0
    for s in range(sold.shape[0]):
        worths = fresh[s] * worth[0, codes[s, 3]]
        value[s] = worths
        greatest = max(greatest, worths)
    return _mark_sold(n, sold, limit, bit, value, greatest, spare, stamp, slot, items, evidence, source, counts)


@jit
def _mark_sold(n, sold, limit, bit, value, greatest, spare, stamp, slot, items, evidence, source, counts):
    """Note and mark the ``limit`` best of all items sold (M,) by their values, none negative, ``greatest`` at most.

    They are counted by exponent and first digits, as in :func:`~trendloom.relevance.compiled.steps.kth_greatest`; only
    the few above the digits that hold the last of the best are compared.
    """
    if greatest <= 0.0:
        return n
    bits = value.view(np.int64)
    room = np.empty(1)
    room[0] = greatest
    top = room.view(np.int64)[0] >> DROPPED_BITS
    counts[:] = 0
    for s in range(sold.shape[0]):
        counts[min(top - (bits[s] >> DROPPED_BITS), BUCKETS - 1)] += 1
    before = last = 0
    while last < BUCKETS - 2 and before + counts[last] < limit:
        before += counts[last]
        last += 1
    floor = (top - last) << DROPPED_BITS
    m = 0
    for s in range(sold.shape[0]):
        if bits[s] >= floor:
            spare[m] = value[s]
            m += 1
    least = kth_greatest(spare, m, limit, counts)
    marked = 0
    for s in range(sold.shape[0]):
        if bits[s] >= floor and value[s] >= least and marked < _MOST_TIES * limit:
            marked += 1
            place, n = noted(sold[s], n, stamp, slot, items, evidence, source)
            source[place] |= bit
    return n
