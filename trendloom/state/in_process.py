"""The state in a dictionary of this process: for evaluation, tests and a first reading of what a store does.

It keeps the same rules as the store in Redis, evictions included, and forgets everything with the process.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Sequence

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts
from trendloom.errors import StateLost
from trendloom.state.rules import StateRules
from trendloom.state.store import (
    STATE_LOST,
    Before,
    Change,
    Changes,
    ItemChange,
    ItemRows,
    JournalEntry,
    Outcome,
    Part,
    Partition,
    Population,
    Seen,
    Snapshot,
    journal_entries,
)

__all__ = ["InProcessStore"]

Ints = npt.NDArray[np.int64]
Journal = npt.NDArray[np.void]

#: How many batches a worker may lag behind others, who share this store, before it has to read all items again.
_KEPT_CHANGES = 256
#: Purchases, those in a store, priced ones, spent, slow and fast score of an item that nobody has bought.
_NEVER_BOUGHT = (0, 0, 0, 0.0, -math.inf, -math.inf)


class InProcessStore:
    """A :class:`~trendloom.state.store.Store` in memory; nothing is evicted by age and nothing survives the process.

    With ``compiled`` numba counts co-purchases (the extra ``fast``), to the same result.
    """

    def __init__(self, *, compiled: bool = False) -> None:
        self._compiled = compiled
        self._ended = 0
        self._begin()

    def _begin(self) -> None:
        self._epoch = -1
        self._stored_rules: str | None = None
        self._rules = StateRules()
        self._numbers: dict[str, int] = {}
        self._customers: dict[str, bytes] = {}
        self._fences: dict[Partition, int] = {}
        self._journals: dict[Partition, dict[int, Journal]] = {}
        self._items: dict[int, tuple[int, int, int, float, float, float]] = {}
        self._initial: dict[int, float] = {}
        self._co = BoundedCounts()
        self._population = Population(0, 0.0)
        self._topic_ids: dict[str, str] = {}
        self._changes: deque[tuple[str, ItemChange]] = deque(maxlen=_KEPT_CHANGES)
        self._batches = 0

    async def open(self, rules: StateRules, now_ms: int) -> int:
        """Begin the state, or check its rules; return its epoch."""
        if self._stored_rules is None:
            self._stored_rules = rules.to_json()
            self._rules = rules
            self._epoch = max(now_ms, self._ended + 1)
            self._co = BoundedCounts(
                keep=rules.co_purchase_keep, limit=rules.co_purchase_limit, compiled=self._compiled
            )
        rules.check_stored(self._stored_rules)
        return self._epoch

    async def number_items(self, item_ids: Sequence[str]) -> Ints:
        """Return each id's number, giving new ones the next free numbers."""
        if self._stored_rules is None:
            raise StateLost(STATE_LOST)
        numbers = np.full(len(item_ids), -1, np.int64)
        for place, item_id in enumerate(item_ids):
            number = self._numbers.get(item_id)
            if number is None and len(self._numbers) < self._rules.max_items:
                number = self._numbers[item_id] = len(self._numbers)
            if number is not None:
                numbers[place] = number
        return numbers

    async def item_ids(self) -> list[str]:
        """Return every id; its place is its number."""
        return list(self._numbers)

    async def read(self, partition: Partition, customer_ids: Sequence[str], *, journal: bool) -> Before:
        """Return the fence, the customers' records and, if asked for, the journal."""
        entries: dict[int, JournalEntry] = {}
        if journal:
            for kept in self._journals.get(partition, {}).values():
                entries.update(journal_entries(kept))
        records = [self._customers.get(name) for name in customer_ids]
        return Before(self._epoch, self._fences.get(partition, -1), records, entries)

    async def write(self, partition: Partition, change: Change, *, worker: str, forget: Sequence[int]) -> Outcome:
        """Apply the whole change or nothing."""
        part = Part(partition, change.expected_fence, change.fence, change.journal, forget)
        return await self.write_joined([part], change, worker=worker)

    @property
    def joins_partitions(self) -> bool:
        """Always: nobody comes between."""
        return True

    async def read_joined(self, partitions: Sequence[Partition], customer_ids: Sequence[str]) -> Seen:
        """Return the partitions' fences and the customers' records."""
        fences = [self._fences.get(partition, -1) for partition in partitions]
        return Seen(self._epoch, fences, [self._customers.get(name) for name in customer_ids])

    async def write_joined(self, parts: Sequence[Part], change: Change, *, worker: str) -> Outcome:
        """Apply the whole change or nothing."""
        if change.epoch != self._epoch:
            return Outcome.EPOCH_MOVED
        if any(self._fences.get(part.partition, -1) != part.expected_fence for part in parts):
            return Outcome.FENCE_MOVED
        customers = change.customers
        for name, expected in zip(customers.ids, customers.expected.tolist(), strict=True):
            record = self._customers.get(name)
            if (int.from_bytes(record[:8], "little") if record else 0) != expected:
                return Outcome.CUSTOMER_MOVED
        self._customers.update(zip(customers.ids, customers.records, strict=True))
        for part in parts:
            self._fences[part.partition] = part.fence
            journals = self._journals.setdefault(part.partition, {})
            for offset in part.forget:
                journals.pop(offset, None)
            if part.journal.size:
                journals[part.fence] = part.journal
        items = change.items
        counts = (items.purchases, items.in_store, items.priced, items.spent, items.slow, items.fast)
        rows = zip(items.numbers.tolist(), *(column.tolist() for column in counts), strict=True)
        for number, purchases, in_store, priced, spent, slow, fast in rows:
            had = self._items.get(number, _NEVER_BOUGHT)
            scores = _log_add(had[4], slow), _log_add(had[5], fast)
            self._items[number] = (had[0] + purchases, had[1] + in_store, had[2] + priced, had[3] + spent, *scores)
        self._co.count_pairs(items.rows, items.columns, items.weights)
        self._population = Population(
            self._population.purchases + int(items.purchases.sum()),
            self._population.percentile_sum + items.percentile_sum,
        )
        if items.numbers.size or items.rows.size:
            self._changes.append((worker, items))
            self._batches += 1
        return Outcome.APPLIED

    async def journaled(self, partition: Partition) -> list[int]:
        """Return the last offsets of the batches whose journals are kept."""
        return sorted(self._journals.get(partition, {}))

    async def items(self, numbers: Ints | None = None) -> ItemRows:
        """Return these items, or all that were ever bought or seeded."""
        if numbers is None:
            numbers = np.array(sorted(self._items.keys() | self._initial.keys()), np.int64)
        chosen = numbers.tolist()
        values = [self._items.get(number, _NEVER_BOUGHT) for number in chosen]
        table = np.array(values, np.float64).reshape(-1, len(_NEVER_BOUGHT))
        columns, units = self._co.gather(numbers)
        held = columns >= 0
        return ItemRows(
            numbers=numbers,
            purchases=table[:, 0].astype(np.int64),
            in_store=table[:, 1].astype(np.int64),
            priced=table[:, 2].astype(np.int64),
            spent=table[:, 3].copy(),
            initial=np.array([self._initial.get(number, 0.0) for number in chosen], np.float64),
            slow=table[:, 4].copy(),
            fast=table[:, 5].copy(),
            lengths=held.sum(axis=1),
            columns=columns[held],
            units=units[held],
        )

    async def snapshot(self) -> Snapshot:
        """Return all items and totals as they are."""
        return Snapshot(await self.items(), self._population, str(self._batches))

    async def population(self) -> Population:
        """Return the totals over all customers."""
        return self._population

    async def changes(self, since: str, worker: str) -> Changes:
        """Return what other workers, of those who share this store, added since ``since``."""
        missed = self._batches - int(since)
        if missed > len(self._changes):
            return Changes(str(self._batches), [], complete=False)
        batches = list(self._changes)[len(self._changes) - missed :]
        return Changes(str(self._batches), [items for name, items in batches if name != worker], complete=True)

    async def fold_some(self) -> bool:
        """Nothing is due, ever: every change is applied at once."""
        return False

    async def fences(self) -> dict[Partition, int]:
        """Return every fence."""
        return dict(self._fences)

    async def set_fence(self, partition: Partition, fence: int) -> None:
        """Set a fence where there is none yet."""
        self._fences.setdefault(partition, fence)

    async def customer(self, customer_id: str) -> bytes | None:
        """Return one customer's record."""
        return self._customers.get(customer_id)

    async def customers(self) -> AsyncIterator[tuple[str, bytes]]:
        """Iterate over all customers."""
        for name, record in list(self._customers.items()):
            yield name, record

    async def topic_ids(self, ids: dict[str, str]) -> dict[str, str]:
        """Remember ids of topics that have none stored; return all."""
        for topic, topic_id in ids.items():
            self._topic_ids.setdefault(topic, topic_id)
        return dict(self._topic_ids)

    async def seed_initial(self, numbers: Ints, counts: npt.NDArray[np.float64]) -> None:
        """Set initial popularities."""
        self._initial.update(zip(numbers.tolist(), counts.tolist(), strict=True))

    async def clear(self) -> None:
        """Drop the whole state."""
        self._ended = max(self._ended, self._epoch)
        self._begin()

    async def close(self) -> None:
        """Nothing to let go of."""


def _log_add(a: float, b: float) -> float:
    """Return log(exp(a) + exp(b)) without overflow, with the very steps of the Lua script."""
    if a < b:
        a, b = b, a
    return a if b == -math.inf else a + math.log1p(math.exp(b - a))
