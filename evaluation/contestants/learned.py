"""Trees as a contestant: lists of the preset ``learned``, from trees that are grown anew before each day.

Test, then learn: every purchase becomes an example once its basket is over, and each midnight a forest is grown from
the examples of the days before. Until there is one, lists come from the linear form. Read next:
:mod:`evaluation.ranking.growing`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS, Contestant, Customers, Ground, Purchases
from evaluation.contestants.choosing import best_of_pairs
from evaluation.ranking.examples import Examples
from evaluation.ranking.growing import LEAST_EXAMPLES, Grown, Growth, grow
from evaluation.ranking.loop import RankingLoop
from trendloom.errors import InputError
from trendloom.refresh.attributes import attributes_by_number
from trendloom.relevance.learned.forest import Forest
from trendloom.relevance.learned.signals import STARTS
from trendloom.relevance.query import Query

__all__ = ["Learned"]

Ints = npt.NDArray[np.int64]
#: A forest is grown from at most so many of the latest examples.
_MOST_EXAMPLES = 40_000


class Learned:
    """Lists by trees; ``baskets`` answers before a day begins. With a ``forest`` that one is used, and none is grown."""

    def __init__(
        self,
        name: str,
        ground: Ground,
        *,
        baskets: Contestant,
        forest: Forest | None = None,
        growth: Growth | None = None,
        without: tuple[str, ...] = (),
    ) -> None:
        if ground.catalogue is None:
            raise InputError(f"Model {name!r} needs to know the items. Action: name a catalogue, or leave it out.")
        self.name = name
        self._customers = ground.customers
        self._learnt = Customers(ground.customers.length)  # learning may come late, and then with the past it had
        self._baskets = baskets
        self._forest = forest
        self._given = forest is not None
        self._growth = growth
        self._without = without
        number = {item_id: place for place, item_id in enumerate(ground.item_ids)}
        of_row = np.array([number[item_id] for item_id in ground.catalogue.item_ids], np.int64)
        attributes = attributes_by_number(ground.catalogue, of_row, ground.n_items)
        self.loop = RankingLoop(ground.features, attributes)
        self.examples = Examples(ground.generator(name))
        self._day: int | None = None
        #: what was grown, the latest last
        self.grown: list[Grown] = []

    def after(self, batch: Purchases, k: int) -> Ints:
        """Return the lists of the trees, from the items as they were learnt."""
        self._turn(batch)
        query = self._question(batch, self._customers)
        if self._forest is not None:
            return self.loop.rank(query, self._forest).items[:, :k].astype(np.int64)
        described = self.loop.described(query)
        row = np.repeat(np.arange(query.size), np.diff(described.starts))
        fusion = described.signals[:, STARTS["fusion"]].astype(np.float64)
        return best_of_pairs(row, described.item, fusion, query.size, k)

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        """Return what the rule for next baskets says."""
        return self._baskets.before(customer, at_ms, k)

    def learn(self, batch: Purchases) -> None:
        """Make examples of the purchases, then learn them."""
        self._turn(batch)
        query = self._question(batch, self._learnt)
        if not self._given:
            self.examples.ask(batch.customer, batch.item, batch.at_ms, self.loop.described(query))
        self.loop.learn(batch.customer, query)
        self._learnt.learn(batch)
        self._baskets.learn(batch)

    def grow(self, *, before_day: int | None = None) -> Grown:
        """Grow a forest from the finished examples and use it from now on."""
        grown = grow(
            self.examples.table(most=_MOST_EXAMPLES, before_day=before_day), self._growth, without=self._without
        )
        self.grown.append(grown)
        self._forest = grown.forest
        return grown

    def _question(self, batch: Purchases, customers: Customers) -> Query:
        return self.loop.question(batch.customer, batch.item, batch.at_ms, customers.after(batch))

    def _turn(self, batch: Purchases) -> None:
        """Grow a forest when a day begins; a batch lies within one day."""
        today = int(batch.at_ms[0]) // DAY_MS
        if self._day is not None and today > self._day and not self._given:
            self.examples.settle()
            if self.examples.table().sizes.size >= LEAST_EXAMPLES:
                self.grow()
        self._day = today
