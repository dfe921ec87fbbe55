"""What may be remembered, and how it may change: the protocol that every store keeps.

A store never decides anything: :mod:`trendloom.state.fold` prepares a batch's change from what was read, and ``write``
applies all of it or, when the offset fence or a customer has moved since, none of it. Key names live here too.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from trendloom.state.rules import StateRules

__all__ = [
    "JOURNAL",
    "STATE_LOST",
    "Before",
    "Bought",
    "Change",
    "Changes",
    "CustomerChanges",
    "ItemChange",
    "ItemRows",
    "JournalEntry",
    "Keys",
    "Outcome",
    "Part",
    "Partition",
    "Population",
    "Seen",
    "Snapshot",
    "Store",
    "journal_entries",
    "journal_of",
]

#: What whoever meets another epoch says.
STATE_LOST = (
    "The state is not the one that this worker began with (it was cleared or rebuilt). "
    "Action: start the worker again; it reads the log from where the new state is."
)

Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Journal = npt.NDArray[np.void]

#: One purchase in a batch's journal: what its list needs that cannot be computed again.
JOURNAL = np.dtype([("offset", "<u8"), ("number", "<u4"), ("percentile", "<f4"), ("trendiness", "<f8")])


class Partition(NamedTuple):
    """One partition of a topic: what an offset fence belongs to."""

    topic: str
    partition: int


class JournalEntry(NamedTuple):
    """What a list needs that cannot be computed again once the purchase has been applied."""

    number: int
    percentile: float
    trendiness: float


def journal_of(entries: Mapping[int, JournalEntry]) -> Journal:
    """Return a batch's journal (J,) from its entries by offset.

    >>> journal_of({7: JournalEntry(1, 0.5, 0.25)}).tolist()
    [(7, 1, 0.5, 0.25)]
    """
    return np.array([(offset, *entry) for offset, entry in entries.items()], JOURNAL)


def journal_entries(journal: Journal) -> dict[int, JournalEntry]:
    """Return what a journal (J,) says, by offset."""
    return {offset: JournalEntry(*entry) for offset, *entry in journal.tolist()}


class Population(NamedTuple):
    """All customers together: how many purchases, and the sum of their percentiles."""

    purchases: int
    percentile_sum: float

    @property
    def mean_percentile(self) -> float:
        """Mean percentile of all purchases, a newcomer's prior; one half while there are none."""
        return self.percentile_sum / self.purchases if self.purchases else 0.5


@dataclass(slots=True)
class Before:
    """What was read before a batch is prepared: the fence, the customers, the journal of what is not committed yet."""

    epoch: int
    fence: int
    customers: list[bytes | None]
    journal: dict[int, JournalEntry] = field(default_factory=dict)


class Seen(NamedTuple):
    """What was read before a batch of several partitions is prepared: their fences, and the customers."""

    epoch: int
    fences: list[int]
    customers: list[bytes | None]


class Part(NamedTuple):
    """What a batch is to one of its partitions: it goes on from ``expected_fence`` to ``fence``.

    The journals of the batches that ended at offsets ``forget`` are no longer needed.
    """

    partition: Partition
    expected_fence: int
    fence: int
    journal: Journal
    forget: Sequence[int] = ()


@dataclass(slots=True)
class CustomerChanges:
    """Customers' new records (C,), and the purchase numbers (C,) that they were prepared from."""

    ids: list[str]
    expected: Ints
    records: list[bytes]

    def __len__(self) -> int:
        """Return C, the number of customers."""
        return len(self.ids)


@dataclass(slots=True)
class ItemChange:
    """What a batch adds to items: purchases and log scores for each item, half-units of co-purchase for each pair.

    A pair counts in both items' rows; pairs are in the order of the log and may come again.
    """

    numbers: Ints  # (I,) unique item numbers, ascending
    purchases: Ints  # (I,)
    in_store: Ints  # (I,) how many of them were made in a store
    priced: Ints  # (I,) of how many of them the price is known,
    spent: Floats  # (I,) and the sum of these prices
    slow: Floats  # (I,) log scores of this batch alone
    fast: Floats  # (I,)
    rows: Ints  # (P,) the item bought
    columns: Ints  # (P,) an item that its customer bought before
    weights: Ints  # (P,) half-units: 2 for the same day, 1 otherwise
    percentile_sum: float


class Bought(NamedTuple):
    """A purchase that a batch counts, in the form that the state is made from."""

    offset: int
    customer_id: str
    item: int
    at_ms: int
    percentile: float
    event: int
    store: int
    #: -1 where it is unknown
    price: float = -1.0


@dataclass(slots=True)
class Change:
    """A whole batch: from ``expected_fence`` to ``fence``, or nothing.

    ``bought`` and ``prior_mean`` are what everything else was made from: a store of several parts keeps them until all
    of its parts have the batch.
    """

    epoch: int
    expected_fence: int
    fence: int
    customers: CustomerChanges
    items: ItemChange
    journal: Journal
    bought: Sequence[Bought] = ()
    prior_mean: float = 0.5


class Outcome(IntEnum):
    """What became of a write; the numbers are those that the Lua scripts return."""

    APPLIED = 1
    FENCE_MOVED = -1
    CUSTOMER_MOVED = -2
    EPOCH_MOVED = -3


@dataclass(slots=True)
class ItemRows:
    """Items as they stand, by ascending number; their co-purchase rows lie one after the other.

    >>> none, nothing = np.zeros(2, int), np.zeros(2)
    >>> popularity = [np.array([1, 2]), np.array([0, 1]), none, nothing, nothing, nothing, nothing]
    >>> rows = ItemRows(np.array([4, 7]), *popularity, np.array([1, 2]), np.array([7, 4, 5]), np.ones(3, int))
    >>> rows.co_purchases
    [{7: 1}, {4: 1, 5: 1}]
    """

    numbers: Ints  # (I,)
    purchases: Ints  # (I,)
    in_store: Ints  # (I,) how many of them were made in a store
    priced: Ints  # (I,) of how many the price is known,
    spent: Floats  # (I,) and the sum of these prices
    initial: Floats  # (I,) popularity that a simulation began with
    slow: Floats  # (I,) log scores
    fast: Floats  # (I,)
    lengths: Ints  # (I,) how many columns each item's row has
    columns: Int32s  # (C,) items bought with it
    units: Int32s  # (C,) half-units of co-purchase

    @property
    def co_purchases(self) -> list[dict[int, int]]:
        """Each item's row as a dictionary, column to half-units: for those who look at few."""
        ends = np.cumsum(self.lengths).tolist()
        pairs = list(zip(self.columns.tolist(), self.units.tolist(), strict=True))
        return [dict(pairs[end - length : end]) for end, length in zip(ends, self.lengths.tolist(), strict=True)]

    def of(self, numbers: Ints) -> ItemRows:
        """Return these items (any order); nothing is known of one that is not here."""
        place = np.minimum(np.searchsorted(self.numbers, numbers), max(self.numbers.size - 1, 0))
        known = self.numbers[place] == numbers if self.numbers.size else np.zeros(numbers.size, bool)
        here = place[known]
        lengths = np.zeros(numbers.size, np.int64)
        lengths[known] = self.lengths[here]
        starts = (np.cumsum(self.lengths) - self.lengths)[here]
        chosen = np.repeat(starts - np.cumsum(self.lengths[here]) + self.lengths[here], self.lengths[here])
        chosen += np.arange(chosen.size)
        found = ItemRows(
            numbers,
            np.zeros(numbers.size, np.int64),
            np.zeros(numbers.size, np.int64),
            np.zeros(numbers.size, np.int64),
            np.zeros(numbers.size),
            np.zeros(numbers.size),
            np.full(numbers.size, -np.inf),
            np.full(numbers.size, -np.inf),
            lengths,
            self.columns[chosen],
            self.units[chosen],
        )
        for name in ("purchases", "in_store", "priced", "spent", "initial", "slow", "fast"):
            getattr(found, name)[known] = getattr(self, name)[here]
        return found


@dataclass(slots=True)
class Snapshot:
    """All items and totals as they stood at one position in the order in which batches were applied."""

    rows: ItemRows
    population: Population
    position: str


@dataclass(slots=True)
class Changes:
    """What others added to the items up to ``position``, in order; unless ``complete``, a snapshot has to be taken."""

    position: str
    changes: list[ItemChange]
    complete: bool


class Store(Protocol):
    """The state. Every method may raise :class:`~trendloom.errors.StoreUnavailable`; ``write`` is all or nothing."""

    async def open(self, rules: StateRules, now_ms: int) -> int:
        """Begin the state, or check that it was made under the same rules; return its epoch.

        A new epoch is ``now_ms``, or one more than the last one if that is not smaller.
        """
        ...

    async def number_items(self, item_ids: Sequence[str]) -> Ints:
        """Return the number (I,) of each item id, giving new ones the next free numbers; -1 beyond ``max_items``.

        Raises StateLost if the state is not the one that was opened.
        """
        ...

    async def item_ids(self) -> list[str]:
        """Return every known item id; an id's place in the list is its number."""
        ...

    async def read(self, partition: Partition, customer_ids: Sequence[str], *, journal: bool) -> Before:
        """Return the fence (-1: none yet) and the customers' records, and the journal if asked for."""
        ...

    async def write(self, partition: Partition, change: Change, *, worker: str, forget: Sequence[int]) -> Outcome:
        """Apply the whole change, or nothing; drop the journals of the batches that ended at offsets ``forget``.

        Unless it was APPLIED or the epoch has moved: read again, with the journal, and prepare what is still missing.
        """
        ...

    @property
    def joins_partitions(self) -> bool:
        """Whether batches of several partitions can be written as one; if not, the two methods below raise."""
        ...

    async def read_joined(self, partitions: Sequence[Partition], customer_ids: Sequence[str]) -> Seen:
        """Return the fence of each partition (-1: none yet) and the customers' records."""
        ...

    async def write_joined(self, parts: Sequence[Part], change: Change, *, worker: str) -> Outcome:
        """Apply a change of several partitions, or nothing; the change's own fences and journal are left alone.

        Unless it was APPLIED or the epoch has moved: take each partition's part by itself, with ``read`` and ``write``.
        """
        ...

    async def journaled(self, partition: Partition) -> list[int]:
        """Return the last offsets of the batches whose journals are kept."""
        ...

    async def items(self, numbers: Ints | None = None) -> ItemRows:
        """Return these items, or all that were ever bought or seeded."""
        ...

    async def population(self) -> Population:
        """Return the totals over all customers."""
        ...

    async def snapshot(self) -> Snapshot:
        """Return all items and totals of one moment, with the position from which ``changes`` go on."""
        ...

    async def changes(self, since: str, worker: str) -> Changes:
        """Return what workers of other names added since a position."""
        ...

    async def fold_some(self) -> bool:
        """Do a little of the upkeep that is due, if any; return whether there is more. Any worker may, at any time."""
        ...

    async def fences(self) -> dict[Partition, int]:
        """Return the last applied offset of every partition."""
        ...

    async def set_fence(self, partition: Partition, fence: int) -> None:
        """Set a fence where there is none yet: a rebuild begins at the log's first offset."""
        ...

    async def customer(self, customer_id: str) -> bytes | None:
        """Return one customer's record."""
        ...

    def customers(self) -> AsyncIterator[tuple[str, bytes]]:
        """Iterate over all customers, in no order; for audits."""
        ...

    async def topic_ids(self, ids: dict[str, str]) -> dict[str, str]:
        """Remember the ids of topics that have none stored; return all stored ones."""
        ...

    async def seed_initial(self, numbers: Ints, counts: Floats) -> None:
        """Set the initial popularity of a simulation; it is kept apart from purchases."""
        ...

    async def clear(self) -> None:
        """Drop the whole state; the next ``open`` begins a new epoch."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names in Redis. Customers lie in hash-tagged shards, items in another slot: ready for Redis Cluster.

    >>> Keys("tl", 64).fences
    'tl:{items}:fences'
    """

    prefix: str
    shards: int

    def customer(self, customer_id: str) -> str:
        """Key of one customer's record.

        >>> Keys("tl", 64).customer("c1")
        'tl:{c33}:c1'
        """
        return f"{self.prefix}:{{c{self.shard_of(customer_id)}}}:{customer_id}"

    def _items(self, name: str) -> str:
        return f"{self.prefix}:{{items}}:{name}"

    @property
    def meta(self) -> str:
        """Hash: epoch, rules, topic ids, totals over all customers."""
        return self._items("meta")

    @property
    def fences(self) -> str:
        """Hash: "topic:partition" to the last applied offset."""
        return self._items("fences")

    def rows(self, shard: int) -> str:
        """Hash of one of the items' shards: item number (4 bytes) to popularity (36 bytes) and co-purchases."""
        return self._items(f"rows:{shard}")

    @property
    def folded(self) -> str:
        """Hash: items' shard to the last entry of the changes that its rows hold."""
        return self._items("folded")

    @property
    def folder(self) -> str:
        """There while somebody folds."""
        return self._items("folder")

    @property
    def initial(self) -> str:
        """Hash: item number to the initial popularity of a simulation."""
        return self._items("initial")

    @property
    def numbers(self) -> str:
        """Hash: item id to item number."""
        return self._items("numbers")

    @property
    def ids(self) -> str:
        """List: the item id of each number."""
        return self._items("ids")

    @property
    def changes(self) -> str:
        """Stream: what each batch added to the items, and whose it was."""
        return self._items("changes")

    def journal(self, partition: Partition) -> str:
        """Hash: last offset of a batch to what its lists need, until the batch is committed."""
        return self._items(f"journal:{partition.topic}:{partition.partition}")

    def pending(self, partition: Partition) -> str:
        """In a cluster: the batch of this partition that not all shards may have yet."""
        return self._items(f"pending:{partition.topic}:{partition.partition}")

    @property
    def ended(self) -> str:
        """Hash: the last epoch that was cleared, and whether that clearing has come to its end."""
        return self._items("ended")

    def shard_of(self, customer_id: str) -> int:
        """Return the shard of a customer."""
        return zlib.crc32(customer_id.encode()) % self.shards

    def shard(self, shard: int) -> str:
        """In a cluster: a shard's own epoch, fences and latest deltas. No customer's key can be the same.

        >>> Keys("tl", 64).shard(33)
        'tl:{c33}/shard'
        """
        return f"{self.prefix}:{{c{shard}}}/shard"
