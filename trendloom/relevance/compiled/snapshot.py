"""What a snapshot of all items' standing costs most, compiled: one pass over the items that were ever sold.

The numbers are those of :class:`trendloom.relevance.standing.Standing`; nothing here looks at an item that never sold,
so a catalogue of a million of which little sells costs little. Read next: :mod:`trendloom.relevance.compiled.ranker`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from trendloom.relevance.compiled.steps import jit

__all__ = ["best_of_groups", "write_standing"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: So that nothing is divided by 0; weights far below a recent item's are still shared out.
TINY = float(np.finfo(np.float64).tiny)


@jit
def write_standing(
    cards: npt.NDArray[np.void],
    sold: Ints,
    slow: Floats,
    percentile: Floats,
    purchases: Ints,
    group: npt.NDArray[np.int16],
    product: npt.NDArray[np.int32],
    n_groups: int,
    n_products: int,
) -> Floats:
    """Write percentile and shares onto the cards of the sold items; return the purchases (products,) of each product.

    ``sold`` (S,) are numbers, ascending; ``slow``, ``percentile``, ``purchases``, ``group`` and ``product`` are (N,).
    """
    group_total, product_total = np.zeros(n_groups), np.zeros(n_products)
    product_purchases = np.zeros(n_products)
    weight = np.empty(sold.size)
    top = -np.inf
    for place in range(sold.size):
        top = max(top, slow[sold[place]])
    for place in range(sold.size):
        item = sold[place]
        weight[place] = math.exp(slow[item] - top)
        if group[item] >= 0:
            group_total[group[item]] += weight[place]
        if product[item] >= 0:
            product_total[product[item]] += weight[place]
            product_purchases[product[item]] += purchases[item]
    for place in range(sold.size):
        item = sold[place]
        cards[item].percentile = percentile[item]
        if group[item] >= 0:
            cards[item].group_share = weight[place] / max(group_total[group[item]], TINY)
        if product[item] >= 0:
            cards[item].product_share = weight[place] / max(product_total[product[item]], TINY)
    return product_purchases


@jit
def best_of_groups(order: Ints, group: npt.NDArray[np.int16], n_groups: int, limit: int) -> tuple[Ints, Ints]:
    """Return starts (G + 1,) and items: the first ``limit`` of each group in the order given (S,), end to end."""
    counts = np.zeros(n_groups, np.int64)
    for place in range(order.size):
        code = group[order[place]]
        if code >= 0 and counts[code] < limit:
            counts[code] += 1
    starts = np.zeros(n_groups + 1, np.int64)
    for code in range(n_groups):
        starts[code + 1] = starts[code] + counts[code]
    items = np.empty(starts[n_groups], np.int64)
    filled = starts[:n_groups].copy()
    missing = items.size
    for place in range(order.size):
        if missing == 0:
            break
        code = group[order[place]]
        if code >= 0 and filled[code] < starts[code + 1]:
            items[filled[code]] = order[place]
            filled[code] += 1
            missing -= 1
    return starts, items
