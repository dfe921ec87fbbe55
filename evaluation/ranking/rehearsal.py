"""A log goes by and leaves examples behind: what trees are grown from, by command or in an evaluation.

Every purchase is described from what was known before its batch, then learnt. A day that is over may go by again in
other orders, each with a state of its own. Read next: :mod:`evaluation.ranking.examples`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np

from evaluation.contestant import DAY_MS, Customers, Ground, Purchases
from evaluation.ranking.examples import Examples
from evaluation.ranking.growing import Grown, Growth, grow
from evaluation.ranking.loop import RankingLoop
from evaluation.ranking.reordering import reordered
from evaluation.recorded import batches
from trendloom.errors import InputError
from trendloom.refresh.attributes import attributes_by_number

__all__ = ["ORDERS_OF_DAYS", "Rehearsal", "orders_of", "train"]

#: A forest is grown from at most so many of the latest examples of each order.
MOST_EXAMPLES = 60_000
#: In so many orders a log goes by that names days only: chosen on 2020-09-17 of the H&M log (docs/signals.md).
ORDERS_OF_DAYS = 4
#: The share of the candidates that were not bought which stays in an example, half of it with several orders.
KEPT = 0.2


def orders_of(ground: Ground) -> int:
    """Return in how many orders a day goes by unless somebody says otherwise: one if the log knows the order."""
    return ORDERS_OF_DAYS if ground.days_only else 1


class _Walk:
    """One order in which a log goes by: the state on the way, and the examples so far."""

    def __init__(self, ground: Ground, rng: np.random.Generator, *, kept: float) -> None:
        if ground.catalogue is None:
            raise InputError("Trees need to know the items. Action: name a catalogue with --catalogue.")
        number = {item_id: place for place, item_id in enumerate(ground.item_ids)}
        of_row = np.array([number[item_id] for item_id in ground.catalogue.item_ids], np.int64)
        self.loop = RankingLoop(ground.features, attributes_by_number(ground.catalogue, of_row, ground.n_items))
        self.examples = Examples(rng, kept=kept)
        self._customers = Customers(self.loop.rules.history_length + 1)

    def take(self, batch: Purchases, *, keep: bool) -> None:
        histories = self._customers.after(batch)
        query = self.loop.question(batch, histories)
        if keep:
            self.examples.ask(batch.customer, batch.item, batch.at_ms, self.loop.described(query))
        self.loop.learn(batch, query, histories)
        self._customers.learn(batch)


class Rehearsal:
    """The state of a log on the way, and the examples so far. Raises InputError on a ground without a catalogue.

    With several ``orders`` each day goes by again, once it is over, with its baskets bought in another order: so the
    purchases of a day that has begun are in no example but those of their own order. ``loop`` and ``examples`` are
    those of the order in which the log really came.
    """

    def __init__(self, ground: Ground, rng: np.random.Generator, *, orders: int = 1) -> None:
        kept = KEPT if orders == 1 else KEPT / 2
        self._first = _Walk(ground, rng, kept=kept)
        self._draws = rng.spawn(2 * (orders - 1))
        self._others = [_Walk(ground, draw, kept=kept) for draw in self._draws[: orders - 1]]
        self._today: list[tuple[Purchases, bool]] = []
        self.loop = self._first.loop
        self.examples = self._first.examples

    def take(self, batch: Purchases, *, keep: bool = True) -> None:
        """Describe the purchases of a batch, all of one day, unless they are not to be kept, then learn them."""
        self._first.take(batch, keep=keep)
        if self._others:
            if self._today and self._today[-1][0].at_ms[-1] // DAY_MS != batch.at_ms[0] // DAY_MS:
                self._again()
            self._today.append((batch, keep))

    def grow(self, growth: Growth | None = None, *, without: tuple[str, ...] = ()) -> Grown:
        """Grow a forest from the latest examples of all orders; a day that has begun is taken to be over."""
        self._again()
        tables = []
        for walk in (self._first, *self._others):
            walk.examples.settle()
            tables += walk.examples.tables(most=MOST_EXAMPLES)
        return grow(tables, growth, without=without)

    def _again(self) -> None:
        """Let the day go by in the other orders."""
        if not self._today:
            return
        names = [field.name for field in fields(Purchases)]
        parts = [batch for batch, _ in self._today]
        day = Purchases(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
        ends = np.cumsum([len(part) for part in parts]).tolist()
        for walk, rng in zip(self._others, self._draws[len(self._others) :], strict=True):
            other = reordered(day, rng)
            for (part, keep), end in zip(self._today, ends, strict=True):
                walk.take(other.part(slice(end - len(part), end)), keep=keep)
        self._today = []


def train(
    purchases: Purchases,
    ground: Ground,
    growth: Growth | None = None,
    *,
    seed: int = 1,
    batch: int = 500,
    orders: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Grown:
    """Return a forest grown from all purchases; ``progress`` is told how many have gone by.

    Days go by in so many ``orders``; None: in one, or in :data:`ORDERS_OF_DAYS` if the log knows no times of day.
    """
    rng = np.random.default_rng(seed)
    rehearsal = Rehearsal(ground, rng, orders=orders_of(ground) if orders is None else orders)
    for part in batches(purchases.at_ms, batch):
        rehearsal.take(purchases.part(part))
        progress(part.stop)
    return rehearsal.grow(growth)
