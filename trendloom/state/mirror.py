"""A worker's copy of the items' state as arrays over item numbers: what scoring reads, thousands of times a second.

The store stays the truth. A worker adds its own batches to the copy after they were written and scored, and reads
again, between batches, whatever other workers have changed. Read next: :mod:`trendloom.refresh`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts
from trendloom.state.rules import StateRules
from trendloom.state.store import ItemChange, ItemRows, Population, Store

__all__ = ["Mirror"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Mirror:
    """Items by number: plain purchases, initial popularity, slow and fast log scores, co-purchase counts.

    So that whatever is derived from the copy can follow: ``on_pairs`` is called with (rows, columns, weights) of every
    pair that is added, ``on_items`` with the numbers of items that were read again, ``on_reload`` when all were.
    """

    def __init__(self, rules: StateRules, *, capacity: int = 1024) -> None:
        self._rules = rules
        self.ids: list[str] = []
        self.number_of: dict[str, int] = {}
        self.purchases: Ints = np.zeros(capacity, np.int64)
        self.initial: Floats = np.zeros(capacity)
        self.slow: Floats = np.full(capacity, -np.inf)
        self.fast: Floats = np.full(capacity, -np.inf)
        self.co = BoundedCounts(keep=rules.co_purchase_keep, limit=rules.co_purchase_limit)
        self.population = Population(0, 0.0)
        #: Purchases added or read again since the copy was made: whoever caches something compares this.
        self.version = 0
        self.on_pairs: Callable[[Ints, Ints, Ints], None] | None = None
        self.on_items: Callable[[Ints], None] | None = None
        self.on_reload: Callable[[], None] | None = None
        self._position: str | None = None

    @property
    def capacity(self) -> int:
        """How many numbers the arrays have room for."""
        return int(self.purchases.size)

    async def load(self, store: Store) -> None:
        """Read everything anew."""
        self._position = (await store.touched(None, "")).position
        self._learn_ids(await store.item_ids())
        rows = await store.items()
        self.purchases[:] = 0
        self.initial[:] = 0.0
        self.slow[:] = -np.inf
        self.fast[:] = -np.inf
        self.co = BoundedCounts(keep=self._rules.co_purchase_keep, limit=self._rules.co_purchase_limit)
        self._take(rows)
        self.population = await store.population()
        if self.on_reload is not None:
            self.on_reload()

    async def number(self, store: Store, item_ids: list[str]) -> Ints:
        """Return the numbers of item ids (I,), asking the store for those that are new; -1 where it has no room."""
        new = [item_id for item_id in dict.fromkeys(item_ids) if item_id not in self.number_of]
        if new:
            numbers = await store.number_items(new)
            top = int(numbers.max())
            if top >= len(self.ids):
                known = len(self.ids)
                fresh = dict(zip(numbers.tolist(), new, strict=True))
                if all(number in fresh for number in range(known, top + 1)):
                    self._learn_ids(self.ids + [fresh[number] for number in range(known, top + 1)])
                else:  # another worker has numbered items, too
                    self._learn_ids(await store.item_ids())
        return np.array([self.number_of.get(item_id, -1) for item_id in item_ids], np.int64)

    def advance(self, change: ItemChange) -> None:
        """Add a batch of this worker, which the store has applied."""
        numbers = change.numbers
        if numbers.size:
            self._reserve(int(numbers.max()) + 1)
            self.purchases[numbers] += change.purchases
            self.slow[numbers] = np.logaddexp(self.slow[numbers], change.slow)
            self.fast[numbers] = np.logaddexp(self.fast[numbers], change.fast)
            bought = int(change.purchases.sum())
            self.version += bought
            self.population = Population(
                self.population.purchases + bought, self.population.percentile_sum + change.percentile_sum
            )
        if change.rows.size:
            pairs = change.both_ways()
            self.co.add(*pairs)
            if self.on_pairs is not None:
                self.on_pairs(*pairs)

    async def follow(self, store: Store, worker: str) -> bool:
        """Read again what other workers have changed; return whether there was anything."""
        touched = await store.touched(self._position, worker)
        self._position = touched.position
        if not touched.complete:
            await self.load(store)
            self.version += 1
            return True
        if touched.numbers.size == 0:
            return False
        if int(touched.numbers.max()) >= len(self.ids):
            self._learn_ids(await store.item_ids())
        rows = await store.items(touched.numbers)
        grown = self._grown(rows)
        self._take(rows)
        self.population = await store.population()
        if self.on_pairs is not None and grown[0].size:
            self.on_pairs(*grown)
        if self.on_items is not None:
            self.on_items(touched.numbers)
        self.version += int(touched.numbers.size)
        return True

    def _take(self, rows: ItemRows) -> None:
        numbers = rows.numbers
        if numbers.size:
            self._reserve(int(numbers.max()) + 1)
        self.purchases[numbers] = rows.purchases
        self.initial[numbers] = rows.initial
        self.slow[numbers] = rows.slow
        self.fast[numbers] = rows.fast
        for number, row in zip(numbers.tolist(), rows.co_purchases, strict=True):
            if row:
                columns = np.fromiter(row.keys(), np.int64, len(row))
                self.co.set_row(number, columns, np.fromiter(row.values(), np.int64, len(row)))

    def _grown(self, rows: ItemRows) -> tuple[Ints, Ints, Ints]:
        """Return the pairs of which these rows count more than the copy does, and how many half-units more."""
        more = [
            (number, column, units - known.get(column, 0))
            for number, row in zip(rows.numbers.tolist(), rows.co_purchases, strict=True)
            for known in (self.co.row(number),)
            for column, units in row.items()
            if units > known.get(column, 0)
        ]
        table = np.array(more, np.int64).reshape(-1, 3)
        return table[:, 0], table[:, 1], table[:, 2]

    def _learn_ids(self, ids: list[str]) -> None:
        for number in range(len(self.ids), len(ids)):
            self.number_of[ids[number]] = number
        self.ids = ids
        self._reserve(len(ids))

    def _reserve(self, size: int) -> None:
        if size <= self.capacity:
            return
        more = max(size, 2 * self.capacity) - self.capacity
        self.purchases = np.concatenate([self.purchases, np.zeros(more, np.int64)])
        self.initial = np.concatenate([self.initial, np.zeros(more)])
        self.slow = np.concatenate([self.slow, np.full(more, -np.inf)])
        self.fast = np.concatenate([self.fast, np.full(more, -np.inf)])
