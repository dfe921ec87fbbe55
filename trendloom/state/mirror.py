"""A worker's copy of the items' state as arrays over item numbers: what scoring reads, thousands of times a second.

The store stays the truth. A worker adds its own batches to the copy after they were written and scored, and, between
batches, those of other workers. Read next: :mod:`trendloom.refresh`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts
from trendloom.state.rules import StateRules
from trendloom.state.store import ItemChange, Population, Store

__all__ = ["Mirror"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Mirror:
    """Items by number: purchases, where, for how much; initial popularity, slow and fast log scores, co-purchases.

    Until a co-purchase row has been cut it is exact; after that, batches of several workers, which every one of them
    adds in another order, may leave other ones of its rarest columns than the store has.

    So that whatever is derived from the copy can follow: ``on_pairs`` is called with (rows, columns, weights) of every
    batch's pairs, one direction, in order; ``on_items`` with the numbers of items that others have changed;
    ``on_reload`` when all were read anew. With ``compiled`` numba counts pairs (the extra ``fast``).
    """

    def __init__(self, rules: StateRules, *, capacity: int = 1024, compiled: bool = False) -> None:
        self._rules = rules
        self._compiled = compiled
        self.ids: list[str] = []
        self.number_of: dict[str, int] = {}
        self.purchases: Ints = np.zeros(capacity, np.int64)
        self.in_store: Ints = np.zeros(capacity, np.int64)
        self.priced: Ints = np.zeros(capacity, np.int64)
        self.spent: Floats = np.zeros(capacity)
        self.initial: Floats = np.zeros(capacity)
        self.slow: Floats = np.full(capacity, -np.inf)
        self.fast: Floats = np.full(capacity, -np.inf)
        self.co = self._no_counts()
        self.population = Population(0, 0.0)
        #: Purchases added, and one for each time that everything was read: whoever caches something compares this.
        self.version = 0
        self.on_pairs: Callable[[Ints, Ints, Ints], None] | None = None
        self.on_items: Callable[[Ints], None] | None = None
        self.on_reload: Callable[[], None] | None = None
        self._position = ""

    @property
    def capacity(self) -> int:
        """How many numbers the arrays have room for."""
        return int(self.purchases.size)

    async def load(self, store: Store) -> None:
        """Read everything anew; good only while no batch of this worker is under way, written but not yet added."""
        snapshot = await store.snapshot()
        ids = await store.item_ids()  # after the items: no item is without its id
        self._learn_ids(ids)
        self.purchases[:] = 0
        self.in_store[:] = 0
        self.priced[:] = 0
        self.spent[:] = 0.0
        self.initial[:] = 0.0
        self.slow[:] = -np.inf
        self.fast[:] = -np.inf
        self.co = self._no_counts()
        rows = snapshot.rows
        numbers = rows.numbers
        if numbers.size:
            self._reserve(int(numbers.max()) + 1)
        self.purchases[numbers] = rows.purchases
        self.in_store[numbers] = rows.in_store
        self.priced[numbers] = rows.priced
        self.spent[numbers] = rows.spent
        self.initial[numbers] = rows.initial
        self.slow[numbers] = rows.slow
        self.fast[numbers] = rows.fast
        paired = rows.lengths > 0
        self.co.set_rows(numbers[paired], rows.lengths[paired], rows.columns, rows.units)
        self.population = snapshot.population
        self._position = snapshot.position
        self.version += 1
        if self.on_reload is not None:
            self.on_reload()

    async def number(self, store: Store, item_ids: list[str]) -> Ints:
        """Return the numbers of item ids (I,), asking the store for those that are new; -1 where it has no room."""
        number_of = self.number_of
        found = np.array([number_of.get(item_id, -1) for item_id in item_ids], np.int64)
        if (found >= 0).all():
            return found
        new = [item_id for item_id in dict.fromkeys(item_ids) if item_id not in number_of]
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
        """Add a batch that the store has applied: one of this worker, once it is scored, or one of another."""
        numbers = change.numbers
        if numbers.size:
            self._reserve(int(numbers.max()) + 1)
            self.purchases[numbers] += change.purchases
            self.in_store[numbers] += change.in_store
            self.priced[numbers] += change.priced
            self.spent[numbers] += change.spent
            self.slow[numbers] = np.logaddexp(self.slow[numbers], change.slow)
            self.fast[numbers] = np.logaddexp(self.fast[numbers], change.fast)
            bought = int(change.purchases.sum())
            self.version += bought
            self.population = Population(
                self.population.purchases + bought, self.population.percentile_sum + change.percentile_sum
            )
        if change.rows.size:
            self.co.count_pairs(change.rows, change.columns, change.weights)
            if self.on_pairs is not None:
                self.on_pairs(change.rows, change.columns, change.weights)

    async def follow(self, store: Store, worker: str) -> bool:
        """Add what other workers have added since; return whether that was all: if not, ``load`` is needed.

        ``worker`` is the name under which this worker writes.
        """
        found = await store.changes(self._position, worker)
        if not found.complete:
            return False
        numbers = np.unique(np.concatenate([np.empty(0, np.int64), *(change.numbers for change in found.changes)]))
        if numbers.size and int(numbers.max()) >= len(self.ids):
            self._learn_ids(await store.item_ids())
        self._position = found.position  # from here on nothing waits: position and copy stay together
        for change in found.changes:
            self.advance(change)
        if numbers.size and self.on_items is not None:
            self.on_items(numbers)
        return True

    def _no_counts(self) -> BoundedCounts:
        rules = self._rules
        return BoundedCounts(keep=rules.co_purchase_keep, limit=rules.co_purchase_limit, compiled=self._compiled)

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
        self.in_store = np.concatenate([self.in_store, np.zeros(more, np.int64)])
        self.priced = np.concatenate([self.priced, np.zeros(more, np.int64)])
        self.spent = np.concatenate([self.spent, np.zeros(more)])
        self.initial = np.concatenate([self.initial, np.zeros(more)])
        self.slow = np.concatenate([self.slow, np.full(more, -np.inf)])
        self.fast = np.concatenate([self.fast, np.full(more, -np.inf)])
