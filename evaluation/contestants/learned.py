"""Trees as a contestant: lists of the preset ``learned``, from trees that are grown anew before each day.

Test, then learn: every purchase becomes an example once its basket is over, and each midnight a forest is grown from
the examples of the days before. Until there is one, lists come from the linear form. Read next:
:mod:`evaluation.ranking.rehearsal`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS, Ground, Purchases
from evaluation.contestants.choosing import best_of_pairs
from evaluation.ranking.growing import LEAST_EXAMPLES, Grown, Growth
from evaluation.ranking.rehearsal import Rehearsal, orders_of
from trendloom.relevance.learned.forest import Forest
from trendloom.relevance.learned.signals import STARTS

__all__ = ["Learned"]

Ints = npt.NDArray[np.int64]


class Learned:
    """Lists by trees; with a ``forest`` that one is used, and none is grown.

    ``without`` names signals that no tree may ask; days go by in so many ``orders`` (None: see
    :func:`~evaluation.ranking.rehearsal.orders_of`). Raises InputError on a ground without a catalogue.
    """

    def __init__(
        self,
        name: str,
        ground: Ground,
        *,
        forest: Forest | None = None,
        growth: Growth | None = None,
        without: tuple[str, ...] = (),
        orders: int | None = None,
    ) -> None:
        self.name = name
        self._customers = ground.customers
        self._forest = forest
        self._given = forest is not None
        self._growth = growth
        self._without = without
        wanted = orders_of(ground) if orders is None else orders
        self.rehearsal = Rehearsal(ground, ground.generator(name), orders=1 if self._given else wanted)
        self._day: int | None = None
        self._learnt_day: int | None = None
        #: what was grown, the latest last
        self.grown: list[Grown] = []

    def after(self, batch: Purchases, k: int) -> Ints:
        """Return the lists of the trees, from the items as they were learnt."""
        self._grow_daily(batch)
        loop = self.rehearsal.loop
        query = loop.question(batch, self._customers.after(batch))
        if self._forest is not None:
            return loop.rank(query, self._forest).items[:, :k].astype(np.int64)
        described = loop.described(query)
        row = np.repeat(np.arange(query.size), np.diff(described.starts))
        fusion = described.signals[:, STARTS["fusion"]].astype(np.float64)
        return best_of_pairs(row, described.item, fusion, query.size, k)

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        """Return the lists of the live path for customers who have bought nothing yet that day; no tree is asked."""
        return self.rehearsal.loop.next_baskets(self._customers.before(customer), at_ms, k)

    def learn(self, batch: Purchases) -> None:
        """Make examples of the purchases, then learn them."""
        self.rehearsal.take(batch, keep=not self._given)
        self._learnt_day = int(batch.at_ms[-1]) // DAY_MS

    def _grow_daily(self, batch: Purchases) -> None:
        """Grow a forest when the first lists of a day are asked for; a batch lies within one day."""
        today = int(batch.at_ms[0]) // DAY_MS
        if self._given or (self._day is not None and today <= self._day):
            return
        self._day = today
        if self._learnt_day is not None and self._learnt_day < today:
            self.rehearsal.examples.settle()
            if self.rehearsal.examples.count >= LEAST_EXAMPLES:
                self.grown.append(self.rehearsal.grow(self._growth, without=self._without))
                self._forest = self.grown[-1].forest
