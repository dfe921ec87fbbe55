"""Popularity: the items that sold most, each sale halved every so often, the same list for everybody.

The simplest contestant and the pattern for others. Read next: :mod:`evaluation.contestants.registry`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluation.contestant import Ground, Purchases
from evaluation.contestants.choosing import best_of_ranking

__all__ = ["Popularity"]

Ints = npt.NDArray[np.int64]


class Popularity:
    """Items by the sum of 2^(-age / half-life) over their sales; None: sales never age. Ties are broken at random.

    >>> from evaluation.ground import bare_ground
    >>> shop = Popularity("popularity", bare_ground(4))
    >>> shop.learn(Purchases.of([1, 2, 2], [3, 3, 0], [0, 0, 0]))
    >>> shop.before(np.array([5]), np.array([1000]), k=3).tolist()
    [[3, 0, -1]]
    """

    def __init__(self, name: str, ground: Ground, *, half_life_s: float | None = None) -> None:
        self.name = name
        self._customers = ground.customers
        self._rate_per_ms = 0.0 if half_life_s is None else float(np.log(2.0)) / (half_life_s * 1000.0)
        self._scores = np.full(ground.n_items, -np.inf)
        self._landmark_ms: int | None = None
        self._ranking: Ints | None = None

    def after(self, batch: Purchases, k: int) -> Ints:
        """Return the most popular items, without what the customer has bought that day."""
        return best_of_ranking(self.ranking(), self._customers.after(batch).bought_on(batch.at_ms), k)

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        """Return the most popular items."""
        return best_of_ranking(self.ranking(), self._customers.before(customer).bought_on(at_ms), k)

    def learn(self, batch: Purchases) -> None:
        """Count the purchases, by their own times: log sum exp, so that nothing overflows."""
        if not len(batch):
            return
        if self._landmark_ms is None:
            self._landmark_ms = int(batch.at_ms[0])
        aged = self._rate_per_ms * (batch.at_ms - self._landmark_ms).astype(np.float64)
        np.logaddexp.at(self._scores, batch.item, aged)
        self._ranking = None

    def ranking(self) -> Ints:
        """Return the sold items, the most popular first."""
        if self._ranking is None:
            ranking = np.argsort(-self._scores, kind="stable")
            self._ranking = ranking[: int((self._scores > -np.inf).sum())]
        return self._ranking
