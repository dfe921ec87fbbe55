"""Another order of a day: what was bought stays, when and by whom as well; only who bought what first is drawn anew.

A log that names days and no times says nothing of the order within a basket, so every order is as good an example as
the one that its times were drawn in. Read next: :mod:`evaluation.ranking.rehearsal`.
"""

from __future__ import annotations

import numpy as np

from evaluation.contestant import DAY_MS, Purchases

__all__ = ["reordered"]


def reordered(purchases: Purchases, rng: np.random.Generator) -> Purchases:
    """Return purchases (B,) in which the items of each customer's day (UTC) have changed places at random.

    Row by row the customers and times are those of before; an item takes its price and store with it.

    >>> day = Purchases.of([4, 5, 4, 4], [1, 2, 3, 4], [0, 1, 2, DAY_MS])
    >>> again = reordered(day, np.random.default_rng(2))
    >>> again.customer.tolist(), again.at_ms.tolist() == day.at_ms.tolist()
    ([4, 5, 4, 4], True)
    >>> sorted(again.item[[0, 2]].tolist()), again.item[[1, 3]].tolist()
    ([1, 3], [2, 4])
    """
    day = purchases.at_ms // DAY_MS
    places = np.lexsort((np.arange(len(purchases)), day, purchases.customer))
    drawn = np.lexsort((rng.random(len(purchases)), day, purchases.customer))
    taken = np.empty(len(purchases), np.int64)
    taken[places] = drawn
    return Purchases(
        purchases.customer,
        purchases.item[taken],
        purchases.at_ms,
        purchases.price[taken],
        purchases.store[taken],
    )
