"""Repurchase: what the customer bought on earlier days, the latest first; alone, or filled up with what is popular.

Read next: :mod:`evaluation.contestants.popularity`, which fills the lists up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS, Ground, Histories, Purchases
from evaluation.contestants.choosing import best_of_pairs, filled
from evaluation.contestants.popularity import Popularity

__all__ = ["Repurchase", "distinct_weights"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def distinct_weights(histories: Histories, at_ms: Ints, *, position_decay: float, day_decay: float) -> Floats:
    """Return w (B, H) = position_decay^place * day_decay^days over each history's distinct items, 0 elsewhere.

    Days are those of the calendar (UTC) up to ``at_ms`` (B,), the place counts distinct items from the newest on.

    >>> kept = Histories(np.array([[5, 7, 5]]), np.array([[DAY_MS, 9, 8]]))
    >>> distinct_weights(kept, np.array([DAY_MS]), position_decay=0.5, day_decay=0.1).tolist()
    [[1.0, 0.05, 0.0]]
    """
    fresh = histories.distinct
    position = np.cumsum(fresh, axis=1) - 1
    days = np.maximum(at_ms[:, None] // DAY_MS - histories.at_ms // DAY_MS, 0)
    place_of = np.maximum(position, 0).astype(np.float64)
    weight = position_decay**place_of * day_decay ** np.minimum(days, 10_000).astype(np.float64)
    return np.where(fresh, weight, 0.0)


class Repurchase:
    """The customer's items of earlier days, the latest first; with a half-life, filled up with what sold most.

    >>> from evaluation.ground import bare_ground
    >>> ground = bare_ground(9)
    >>> shop = Repurchase("repurchase", ground)
    >>> ground.customers.learn(Purchases.of([1, 1], [3, 4], [5, 6]))
    >>> shop.before(np.array([1]), np.array([DAY_MS]), k=3).tolist()
    [[4, 3, -1]]
    """

    def __init__(self, name: str, ground: Ground, *, filler: Popularity | None = None) -> None:
        self.name = name
        self._ground = ground
        self._filler = filler

    def after(self, batch: Purchases, k: int) -> Ints:
        """Return what was bought on earlier days."""
        return self._list(self._ground.customers.after(batch), batch.at_ms, k)

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        """Return what was bought on earlier days."""
        return self._list(self._ground.customers.before(customer), at_ms, k)

    def learn(self, batch: Purchases) -> None:
        """Let the filler learn; the customers' histories are the ground's."""
        if self._filler is not None:
            self._filler.learn(batch)

    def _list(self, histories: Histories, at_ms: Ints, k: int) -> Ints:
        barred = histories.bought_on(at_ms)
        weight = distinct_weights(histories, at_ms, position_decay=0.999, day_decay=0.95)
        row, place = np.nonzero((weight > 0) & (barred < 0))
        item = histories.item[row, place]
        free = ~(item[:, None] == barred[row]).any(axis=1)
        row, place, item = row[free], place[free], item[free]
        lists = best_of_pairs(row, item, weight[row, place], at_ms.size, k)
        return lists if self._filler is None else filled(lists, self._filler.ranking(), barred)
