"""What batches add to items, as entries of a log: packed, read back, sorted by shard, and added to items' rows.

An item's state is its row as it was last folded and every later entry, in order. Rows do not depend on each other, so
items fall into shards that may be folded up to different entries. Pure: no store is known here. Read next:
:mod:`trendloom.state.on_redis_items`.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from typing import NamedTuple

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

_ITEM = np.dtype([("number", "<u4"), ("purchases", "<u4"), ("slow", "<f8"), ("fast", "<f8")])
_PAIR = np.dtype([("row", "<u4"), ("column", "<u4"), ("weight", "u1")])


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
    slow: Floats
    fast: Floats
    rows: Ints
    columns: Ints
    weights: Ints


def pack_items(items: ItemChange) -> bytes:
    """Pack what a change adds to items: number u32, purchases u32, slow f64, fast f64 each."""
    packed = np.empty(items.numbers.size, _ITEM)
    packed["number"], packed["purchases"] = items.numbers, items.purchases
    packed["slow"], packed["fast"] = items.slow, items.fast
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
        items["slow"].astype(np.float64),
        items["fast"].astype(np.float64),
        pairs["row"].astype(np.int64),
        pairs["column"].astype(np.int64),
        pairs["weight"].astype(np.int64),
        entry.percentile_sum,
    )


class _Part(NamedTuple):
    """Some entries' items and pairs (both directions), each sorted by shard, in order within one."""

    items: npt.NDArray[np.void]
    item_entry: npt.NDArray[np.int32]
    item_bounds: Ints  # (ITEM_SHARDS + 1,)
    pairs: npt.NDArray[np.void]
    pair_entry: npt.NDArray[np.int32]
    pair_bounds: Ints


class ItemLog:
    """Entries of the log, taken up in order, to be handed out shard by shard."""

    def __init__(self) -> None:
        self._positions: list[Position] = []
        self._parts: list[_Part] = []
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
        first = len(self._positions)
        self._positions += positions
        serials = np.arange(first, first + len(entries), dtype=np.int32)
        items = np.frombuffer(b"".join([entry.items for entry in entries]), _ITEM)
        entry_of_item = np.repeat(serials, [len(entry.items) // _ITEM.itemsize for entry in entries])
        one_way = np.frombuffer(b"".join([entry.pairs for entry in entries]), _PAIR)
        entry_of_pair = np.repeat(serials, [len(entry.pairs) // _PAIR.itemsize for entry in entries])
        pairs = np.repeat(one_way, 2)
        pairs["row"][1::2], pairs["column"][1::2] = one_way["column"], one_way["row"]
        items, entry_of_item, item_bounds = _by_shard(items, items["number"], entry_of_item)
        pairs, entry_of_pair, pair_bounds = _by_shard(pairs, pairs["row"], np.repeat(entry_of_pair, 2))
        self._parts.append(_Part(items, entry_of_item, item_bounds, pairs, entry_of_pair, pair_bounds))
        self.sizes += np.diff(item_bounds) + np.diff(pair_bounds)

    def after(self, first: int, last: int, positions: Sequence[Position]) -> Additions:
        """Return what is for the shards ``first`` to ``last`` - 1, each beyond its own one of ``positions``."""
        done = np.zeros(ITEM_SHARDS, np.int32)
        done[first:last] = [self._entries_up_to(position) for position in positions]
        items, pairs = [], []
        for part in self._parts:
            some = slice(part.item_bounds[first], part.item_bounds[last])
            new = part.item_entry[some] >= done[part.items["number"][some] % ITEM_SHARDS]
            items.append(part.items[some][new])
            some = slice(part.pair_bounds[first], part.pair_bounds[last])
            new = part.pair_entry[some] >= done[part.pairs["row"][some] % ITEM_SHARDS]
            pairs.append(part.pairs[some][new])
        item = np.concatenate([np.empty(0, _ITEM), *items])
        pair = np.concatenate([np.empty(0, _PAIR), *pairs])
        return Additions(
            item["number"].astype(np.int64),
            item["purchases"].astype(np.int64),
            item["slow"].astype(np.float64),
            item["fast"].astype(np.float64),
            pair["row"].astype(np.int64),
            pair["column"].astype(np.int64),
            pair["weight"].astype(np.int64),
        )

    def _entries_up_to(self, position: Position) -> int:
        return bisect.bisect_right(self._positions, position)


def _by_shard(
    table: npt.NDArray[np.void], numbers: npt.NDArray[np.uint32], entries: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.int32], Ints]:
    shard = (numbers % ITEM_SHARDS).astype(np.uint8)
    order = np.argsort(shard, kind="stable")  # a radix sort
    bounds = np.zeros(ITEM_SHARDS + 1, np.int64)
    np.cumsum(np.bincount(shard, minlength=ITEM_SHARDS), out=bounds[1:])
    return table[order], entries[order], bounds


def no_rows() -> ItemRows:
    """Return the rows of no item."""
    none, nothing, columns = np.empty(0, np.int64), np.empty(0), np.empty(0, np.int32)
    return ItemRows(none, none, nothing, nothing, nothing, none, columns, columns)


def folded(rows: ItemRows, new: Additions, *, keep: int, limit: int, compiled: bool = False) -> ItemRows:
    """Return rows with additions: logs of sums for scores, pair by pair for co-purchases, cut as they grow.

    If ``compiled``, pairs are counted by numba (the extra ``fast``).

    >>> scores, three = np.zeros(1), np.array([3])
    >>> one = Additions(three, np.array([1]), scores, scores, three, np.array([5]), np.array([2]))
    >>> twice = folded(folded(no_rows(), one, keep=2, limit=3), one, keep=2, limit=3)
    >>> twice.purchases.tolist(), twice.slow.round(3).tolist(), twice.co_purchases
    ([2], [0.693], [{5: 4}])
    """
    touched = np.unique(new.rows)
    numbers = np.union1d(np.union1d(rows.numbers, new.numbers), touched)
    made = rows.of(numbers)
    place = np.searchsorted(numbers, new.numbers)
    np.add.at(made.purchases, place, new.purchases)
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
