"""Pairs of items, lifted to pairs of their products and groups by a compiled kernel: what transitions are counted from.

It adds to the counts between groups itself; the pairs of products it hands back, for
:mod:`trendloom.bounded_counts` to count. The reference is :mod:`trendloom.relevance.transitions`, to be read next.
"""

from __future__ import annotations

import numpy as np

from trendloom.relevance.compiled.steps import jit

__all__ = ["lift_pairs"]


@jit
def lift_pairs(product, group, groups, one, other, weights, directions, product_one, product_other, product_weights):
    """Add weights (P,) of the pairs (one (P,) >= 0, other (P,) >= 0) to ``groups`` (G, G); return the product pairs.

    ``product`` and ``group`` (N,) are codes, -1 for none; items from N on have neither. With 2 ``directions`` each
    pair counts as (other, one), too. The pairs of two different products are written, once each and in order, to
    ``product_one``, ``product_other`` and ``product_weights`` (P,); how many there are is returned.
    """
    found = 0
    for pair in range(one.size):
        first, second = one[np.uintp(pair)], other[np.uintp(pair)]
        if first >= product.size or second >= product.size:
            continue
        weight = weights[np.uintp(pair)]
        g, h = group[np.uintp(first)], group[np.uintp(second)]
        if g >= 0 and h >= 0:
            groups[np.uintp(g), np.uintp(h)] += weight
            if directions == 2:
                groups[np.uintp(h), np.uintp(g)] += weight
        p, q = product[np.uintp(first)], product[np.uintp(second)]
        if p >= 0 and q >= 0 and p != q:
            product_one[np.uintp(found)] = p
            product_other[np.uintp(found)] = q
            product_weights[np.uintp(found)] = weight
            found += 1
    return found
