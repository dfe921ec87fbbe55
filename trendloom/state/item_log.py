"""What batches add to items, as entries of a log: packed, read back, sorted by shard, and added to items' rows.

An item's state is its row as it was last folded and every later entry, in order. Rows do not depend on each other, so
items fall into shards that may be folded up to different entries. Pure: no store is known here. Read next:
:mod:`trendloom.state.on_redis_items`.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts
from trendloom.state.store import ItemChange, ItemRows

__all__ = [
    "BEGINNING",
    "ITEM_SHARDS",
    "Additions",
    "Entry",
    "ItemLog",
    "Position",
    "folded",
    "no_rows",
    "pack_items",
    "pack_pairs",
    "unpack_change",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Items lie in shards by their number modulo this; a state is made under it (``FORMAT`` in ``state/rules.py``).
ITEM_SHARDS = 256

_ITEM = np.dtype(
    [
        ("number", "<u4"),
        ("purchases", "<u4"),
        ("in_store", "<u4"),
        ("priced", "<u4"),
        ("spent", "<f8"),
        ("slow", "<f8"),
        ("fast", "<f8"),
    ]
)
_PAIR = np.dtype([("row", "<u4"), ("column", "<u4"), ("weight", "u1")])
#: Columns of nothing: joined to others, they make them as wide as they are worked with.
_NO_ITEMS = [*[np.empty(0, np.int64)] * 4, *[np.empty(0)] * 3]
_NO_PAIRS = [np.empty(0, np.int64)] * 3


class Position(NamedTuple):
    """A place in the log: that of an entry, named as Redis names it.

    >>> Position.of("1700000000000-2") < Position.of("1700000000000-10")
    True
    """

    ms: int
    serial: int

    @classmethod
    def of(cls, name: str | bytes) -> Position:
        """Return the position that a name stands for."""
        ms, _, serial = (name.decode() if isinstance(name, bytes) else name).partition("-")
        return cls(int(ms), int(serial))

    def __str__(self) -> str:
        """Return its name."""
        return f"{self.ms}-{self.serial}"


#: Where a log begins: before its first entry.
BEGINNING = Position(0, 0)


class Entry(NamedTuple):
    """What one batch added, and the totals of the state after it."""

    position: Position
    worker: str
    items: bytes
    pairs: bytes
    percentile_sum: float
    purchases_of_all: int
    percentile_sum_of_all: float


class Additions(NamedTuple):
    """What entries add to rows, in order: numbers may come again, pairs count in the row of their first item only."""

    numbers: Ints
    purchases: Ints
    in_store: Ints
    priced: Ints
    spent: Floats
    slow: Floats
    fast: Floats
    rows: Ints
    columns: Ints
    weights: Ints


def pack_items(items: ItemChange) -> bytes:
    """Pack what a change adds to items: number, purchases, in a store, priced u32; spent, slow and fast f64 each."""
    packed = np.empty(items.numbers.size, _ITEM)
    packed["number"] = items.numbers
    for name in (_ITEM.names or ())[1:]:
        packed[name] = getattr(items, name)
    return packed.tobytes()


def pack_pairs(items: ItemChange) -> bytes:
    """Pack a change's pairs, in order: row u32, column u32, half-units u8 each."""
    packed = np.empty(items.rows.size, _PAIR)
    packed["row"], packed["column"], packed["weight"] = items.rows, items.columns, items.weights
    return packed.tobytes()


def unpack_change(entry: Entry) -> ItemChange:
    """Return the change that an entry holds."""
    items, pairs = np.frombuffer(entry.items, _ITEM), np.frombuffer(entry.pairs, _PAIR)
    return ItemChange(
        items["number"].astype(np.int64),
        items["purchases"].astype(np.int64),
        items["in_store"].astype(np.int64),
        items["priced"].astype(np.int64),
        items["spent"].astype(np.float64),
        items["slow"].astype(np.float64),
        items["fast"].astype(np.float64),
        pairs["row"].astype(np.int64),
        pairs["column"].astype(np.int64),
        pairs["weight"].astype(np.int64),
        entry.percentile_sum,
    )


class _Sorted(NamedTuple):
    """Columns of some entries sorted by shard, within a shard in order."""

    columns: list[npt.NDArray[Any]]  # the first one holds the items' numbers
    entry: npt.NDArray[np.int32]
    bounds: Ints  # (ITEM_SHARDS + 1,)

    @classmethod
    def of(cls, columns: list[npt.NDArray[Any]], entry: npt.NDArray[np.int32]) -> _Sorted:
        """Sort columns by the shard of their items."""
        shard = (columns[0] % ITEM_SHARDS).astype(np.uint8)
        order = np.argsort(shard, kind="stable")  # a radix sort
        bounds = np.zeros(ITEM_SHARDS + 1, np.int64)
        np.cumsum(np.bincount(shard, minlength=ITEM_SHARDS), out=bounds[1:])
        return cls([column[order] for column in columns], entry[order], bounds)

    def after(self, first: int, last: int, done: npt.NDArray[np.int32]) -> list[npt.NDArray[Any]]:
        """Return what is for shards ``first`` to ``last`` - 1 from entry number ``done`` (ITEM_SHARDS,) of each on."""
        some = slice(self.bounds[first], self.bounds[last])
        columns = [column[some] for column in self.columns]
        if not done.any():
            return columns
        new = self.entry[some] >= done[columns[0] % ITEM_SHARDS]
        return [column[new] for column in columns]


class ItemLog:
    """Entries of the log, taken up in order, to be handed out shard by shard."""

    def __init__(self) -> None:
        self._positions: list[Position] = []
        self._items: list[_Sorted] = []
        self._pairs: list[_Sorted] = []
        #: (ITEM_SHARDS,) How many items and pairs there are for each shard: what adding them will cost.
        self.sizes: Ints = np.zeros(ITEM_SHARDS, np.int64)

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._positions)

    def take(self, entries: Sequence[Entry]) -> None:
        """Take up the next entries; raises ``ValueError`` if they are not later than those before."""
        positions = [entry.position for entry in entries]
        if any(a >= b for a, b in itertools.pairwise([*self._positions[-1:], *positions])):
            raise ValueError("entries of the log come in their order")
        if not entries:
            return
        serials = np.arange(len(self), len(self) + len(entries), dtype=np.int32)
        self._positions += positions
        items = np.frombuffer(b"".join([entry.items for entry in entries]), _ITEM)
        pairs = np.frombuffer(b"".join([entry.pairs for entry in entries]), _PAIR)
        of_item = np.repeat(serials, [len(entry.items) // _ITEM.itemsize for entry in entries])
        of_pair = np.repeat(serials, [len(entry.pairs) // _PAIR.itemsize for entry in entries])
        there_and_back = np.stack([pairs["row"], pairs["column"]], axis=1)
        both_ways = [there_and_back.ravel(), there_and_back[:, ::-1].ravel(), np.repeat(pairs["weight"], 2)]
        self._items.append(_Sorted.of([np.ascontiguousarray(items[name]) for name in _ITEM.names or ()], of_item))
        self._pairs.append(_Sorted.of(both_ways, np.repeat(of_pair, 2)))
        self.sizes += np.diff(self._items[-1].bounds) + np.diff(self._pairs[-1].bounds)

    def after(self, first: int, last: int, positions: Sequence[Position]) -> Additions:
        """Return what is for the shards ``first`` to ``last`` - 1, each beyond its own one of ``positions``."""
        done = np.zeros(ITEM_SHARDS, np.int32)
        done[first:last] = [bisect.bisect_right(self._positions, position) for position in positions]
        items = [part.after(first, last, done) for part in self._items]
        pairs = [part.after(first, last, done) for part in self._pairs]
        columns = [np.concatenate(some) for some in zip(_NO_ITEMS, *items, strict=True)]
        return Additions(*columns, *(np.concatenate(some) for some in zip(_NO_PAIRS, *pairs, strict=True)))


def no_rows() -> ItemRows:
    """Return the rows of no item."""
    none, nothing, columns = np.empty(0, np.int64), np.empty(0), np.empty(0, np.int32)
    return ItemRows(none, none, none, none, nothing, nothing, nothing, nothing, none, columns, columns)


def folded(rows: ItemRows, new: Additions, *, keep: int, limit: int, compiled: bool = False) -> ItemRows:
    """Return rows with additions: logs of sums for scores, pair by pair for co-purchases, cut as they grow.

    If ``compiled``, pairs are counted by numba (the extra ``fast``).

    >>> scores, once, three = np.zeros(1), np.array([1]), np.array([3])
    >>> one = Additions(three, once, once, once, scores, scores, scores, three, np.array([5]), np.array([2]))
    >>> twice = folded(folded(no_rows(), one, keep=2, limit=3), one, keep=2, limit=3)
    >>> twice.purchases.tolist(), twice.slow.round(3).tolist(), twice.co_purchases
    ([2], [0.693], [{5: 4}])
    """
    touched = np.unique(new.rows)
    numbers = np.union1d(np.union1d(rows.numbers, new.numbers), touched)
    made = rows.of(numbers)
    place = np.searchsorted(numbers, new.numbers)
    np.add.at(made.purchases, place, new.purchases)
    for name in ("in_store", "priced", "spent"):
        np.add.at(getattr(made, name), place, getattr(new, name))
    np.logaddexp.at(made.slow, place, new.slow)
    np.logaddexp.at(made.fast, place, new.fast)
    if touched.size == 0:
        return made
    before = made.of(touched)
    counts = BoundedCounts(keep=keep, limit=limit, compiled=compiled)
    counts.set_rows(np.arange(touched.size), before.lengths, before.columns, before.units)
    counts.count(np.searchsorted(touched, new.rows), new.columns, new.weights)
    columns, units = counts.gather(np.arange(touched.size))
    held = columns >= 0
    return _with_rows(made, np.searchsorted(numbers, touched), held.sum(axis=1), columns[held], units[held])


def _with_rows(
    made: ItemRows, places: Ints, lengths: Ints, columns: npt.NDArray[np.integer], units: npt.NDArray[np.integer]
) -> ItemRows:
    """Put other co-purchase rows in the places of some."""
    changed = np.zeros(made.numbers.size, bool)
    changed[places] = True
    kept = np.repeat(~changed, made.lengths)
    made.lengths = made.lengths.copy()
    made.lengths[places] = lengths
    fresh = np.repeat(changed, made.lengths)
    table = np.empty((2, fresh.size), np.int32)
    table[0, fresh], table[1, fresh] = columns, units
    table[0, ~fresh], table[1, ~fresh] = made.columns[kept], made.units[kept]
    made.columns, made.units = table
    return made
