"""A log goes by and leaves examples behind: what trees are grown from, by command or in an evaluation.

Every purchase is described from what was known before its batch, then learnt. Read next:
:mod:`evaluation.ranking.examples`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evaluation.contestant import Customers, Ground, Purchases
from evaluation.ranking.examples import Examples
from evaluation.ranking.growing import Grown, Growth, grow
from evaluation.ranking.loop import RankingLoop
from evaluation.recorded import batches
from trendloom.errors import InputError
from trendloom.refresh.attributes import attributes_by_number

__all__ = ["Rehearsal", "train"]

#: A forest is grown from at most so many of the latest examples.
MOST_EXAMPLES = 60_000


class Rehearsal:
    """The state of a log on the way, and the examples so far. Raises InputError on a ground without a catalogue."""

    def __init__(self, ground: Ground, rng: np.random.Generator) -> None:
        if ground.catalogue is None:
            raise InputError("Trees need to know the items. Action: name a catalogue with --catalogue.")
        number = {item_id: place for place, item_id in enumerate(ground.item_ids)}
        of_row = np.array([number[item_id] for item_id in ground.catalogue.item_ids], np.int64)
        self.loop = RankingLoop(ground.features, attributes_by_number(ground.catalogue, of_row, ground.n_items))
        self.examples = Examples(rng)
        self._customers = Customers(self.loop.rules.history_length + 1)

    def take(self, batch: Purchases, *, keep: bool = True) -> None:
        """Describe the purchases of a batch, unless they are not to be kept, then learn them."""
        query = self.loop.question(batch.customer, batch.item, batch.at_ms, self._customers.after(batch))
        if keep:
            self.examples.ask(batch.customer, batch.item, batch.at_ms, self.loop.described(query))
        self.loop.learn(batch.customer, query)
        self._customers.learn(batch)

    def grow(self, growth: Growth | None = None, *, without: tuple[str, ...] = ()) -> Grown:
        """Grow a forest from the latest examples."""
        self.examples.settle()
        return grow(self.examples.tables(most=MOST_EXAMPLES), growth, without=without)


def train(
    purchases: Purchases,
    ground: Ground,
    growth: Growth | None = None,
    *,
    seed: int = 1,
    batch: int = 500,
    progress: Callable[[int], None] = lambda done: None,
) -> Grown:
    """Return a forest grown from all purchases; ``progress`` is told how many have gone by."""
    rehearsal = Rehearsal(ground, np.random.default_rng(seed))
    for part in batches(purchases.at_ms, batch):
        rehearsal.take(purchases.part(part))
        progress(part.stop)
    return rehearsal.grow(growth)
