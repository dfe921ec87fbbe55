"""Bounded neighbour counts: how often each row was seen together with each of a few others, as dense numpy rows.

Pairs are counted one after the other, and a row is cut as soon as it holds too much: the same pairs in the same order
leave the same counts, however they were split into calls. Rows are allotted when they are first used. Read next:
:mod:`trendloom.compiled_counts`, the same rule for those who have numba.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["CHUNK", "BoundedCounts", "checked_pairs"]

#: ``add`` cuts a row after this many columns: the same rule as in Redis.
CHUNK = 64
#: So many pairs are looked up at once: each is compared with a whole row.
_LOOKED_UP = 1 << 14

Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Kernel = Callable[..., tuple[int, int]]


class BoundedCounts:
    """Counts for pairs (row, column), at most ``limit`` columns a row; a fuller row is cut to its ``keep`` greatest.

    Of equal counts the smaller column number stays. Until a row has been cut its counts are exact. If ``compiled``, a
    numba kernel counts (the extra ``fast``), to the same result; the first one made compiles it.

    >>> counts = BoundedCounts(keep=2, limit=3)
    >>> counts.count(np.array([7, 7, 7, 7]), np.array([1, 2, 3, 1]), np.array([3, 1, 2, 2]))
    >>> sorted(counts.row(7).items())
    [(1, 5), (2, 1), (3, 2)]
    >>> counts.count(np.array([7]), np.array([9]), np.array([4]))
    >>> sorted(counts.row(7).items())
    [(1, 5), (9, 4)]
    """

    def __init__(self, *, keep: int = 96, limit: int = 128, compiled: bool = False) -> None:
        if not 0 < keep <= limit:
            msg = f"keep must lie in 1..limit, got keep={keep}, limit={limit}"
            raise ValueError(msg)
        self.keep = keep
        self.limit = limit
        width = limit + 1
        self._slot: npt.NDArray[np.int32] = np.full(1024, -1, np.int32)
        self._columns: npt.NDArray[np.int32] = np.full((256, width), -1, np.int32)
        self._counts: npt.NDArray[np.int32] = np.zeros((256, width), np.int32)
        self._length: npt.NDArray[np.int32] = np.zeros(256, np.int32)
        self._used = 0
        self._kernel: Kernel | None = None
        if compiled:
            from trendloom.compiled_counts import count_pairs

            self._kernel = count_pairs
            nothing = np.empty(0, np.int64)
            self._count_compiled(count_pairs, nothing, nothing, nothing, 1)  # compiled now: not while a purchase waits

    def count(self, rows: npt.ArrayLike, columns: npt.ArrayLike, weights: npt.ArrayLike) -> None:
        """Add weights (P,) int > 0 to the pairs (rows (P,), columns (P,)), one after the other; pairs may repeat.

        A row that holds more than ``limit`` columns is cut at once, before the next pair. Raises ``ValueError`` if a
        row or a column is negative.
        """
        self._count_checked(rows, columns, weights, both=False)

    def count_pairs(self, rows: npt.ArrayLike, columns: npt.ArrayLike, weights: npt.ArrayLike) -> None:
        """Add as ``count`` does, but each pair in both directions: as (row, column), next as (column, row).

        >>> counts = BoundedCounts(keep=2, limit=3)
        >>> counts.count_pairs(np.array([7, 7]), np.array([1, 2]), np.array([5, 4]))
        >>> counts.row(7), counts.row(1), counts.row(2)
        ({1: 5, 2: 4}, {7: 5}, {7: 4})
        """
        self._count_checked(rows, columns, weights, both=True)

    def add(self, rows: npt.ArrayLike, columns: npt.ArrayLike, weights: npt.ArrayLike) -> None:
        """Add weights (P,) int > 0 to pairs, each at most once in a call: by row and column, cut every 64 of a row."""
        row, column, weight = (np.asarray(values, np.int64) for values in (rows, columns, weights))
        order = np.lexsort((column, row))
        self._count_plain(row[order], column[order], weight[order], cut_every=CHUNK)

    def set_row(self, row: int, columns: npt.ArrayLike, counts: npt.ArrayLike) -> None:
        """Replace a row by what the store says it holds."""
        column = np.asarray(columns, np.int32)
        if column.size > self.limit:
            msg = f"row {row} holds {column.size} columns, more than the limit of {self.limit}"
            raise ValueError(msg)
        slot = int(self._slots(np.array([row]))[0])
        order = np.argsort(column)
        self._columns[slot] = -1
        self._counts[slot] = 0
        self._columns[slot, : column.size] = column[order]
        self._counts[slot, : column.size] = np.asarray(counts, np.int32)[order]
        self._length[slot] = column.size

    def set_rows(
        self, rows: npt.ArrayLike, lengths: npt.ArrayLike, columns: npt.ArrayLike, counts: npt.ArrayLike
    ) -> None:
        """Replace rows (R,), each once, by what the store says: columns and counts (C,), ``lengths`` (R,) of each.

        Raises ``ValueError`` if one is longer than the limit.

        >>> counts = BoundedCounts(keep=2, limit=3)
        >>> counts.set_rows([7, 8], [2, 1], [1, 2, 5], [10, 20, 30])
        >>> counts.row(7), counts.row(8)
        ({1: 10, 2: 20}, {5: 30})
        """
        row, length = np.asarray(rows, np.int64), np.asarray(lengths, np.int64)
        if row.size == 0:
            return
        if int(length.max()) > self.limit:
            at = int(length.argmax())
            msg = f"row {row[at]} holds {length[at]} columns, more than the limit of {self.limit}"
            raise ValueError(msg)
        slots = self._slots(row)
        self._columns[slots] = -1
        self._counts[slots] = 0
        self._length[slots] = length
        place = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
        slot = np.repeat(slots, length)
        self._columns[slot, place] = columns
        self._counts[slot, place] = counts

    def row(self, row: int) -> dict[int, int]:
        """Return one row as a dictionary, column to count."""
        slot = self._slot[row] if 0 <= row < self._slot.size else -1
        if slot < 0:
            return {}
        length = int(self._length[slot])
        columns = self._columns[slot, :length].tolist()
        return dict(zip(columns, self._counts[slot, :length].tolist(), strict=True))

    def gather(self, rows: npt.ArrayLike) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return columns and counts, both (P, limit), of the rows (P,); -1 and 0 where there is nothing.

        A row number that is negative or was never used has nothing. The order of a row's columns is arbitrary but
        stable.
        """
        row = np.asarray(rows, np.int64)
        known = (row >= 0) & (row < self._slot.size)
        slots = np.where(known, self._slot[np.where(known, row, 0)], -1)
        columns = self._columns[slots, : self.limit]
        counts = self._counts[slots, : self.limit]
        missing = slots < 0
        columns[missing] = -1
        counts[missing] = 0
        return columns, counts

    def arrays(self) -> tuple[Int32s, Int32s, Int32s, Int32s]:
        """Return what is underneath, for compiled readers: each row's slot (-1: none); by slot columns, counts, length.

        Good until the next call that changes something; nothing may be changed.
        """
        return self._slot, self._columns, self._counts, self._length

    def rows(self) -> npt.NDArray[np.int64]:
        """Return the numbers of all rows that hold anything, ascending."""
        used = np.flatnonzero(self._slot >= 0)
        return used[self._length[self._slot[used]] > 0].astype(np.int64)

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._slot.nbytes + self._columns.nbytes + self._counts.nbytes + self._length.nbytes

    def _reserve(self, rows: int, slots: int) -> None:
        """Make room for row numbers below ``rows`` and for so many slots."""
        if rows > self._slot.size:
            grown = np.full(max(rows, 2 * self._slot.size), -1, np.int32)
            grown[: self._slot.size] = self._slot
            self._slot = grown
        if slots > self._length.size:
            more = max(slots, 2 * self._length.size) - self._length.size
            width = self._columns.shape[1]
            self._columns = np.concatenate([self._columns, np.full((more, width), -1, np.int32)])
            self._counts = np.concatenate([self._counts, np.zeros((more, width), np.int32)])
            self._length = np.concatenate([self._length, np.zeros(more, np.int32)])

    def _slots(self, row: Ints) -> npt.NDArray[np.int32]:
        self._reserve(int(row.max()) + 1, 0)
        fresh = np.unique(row[self._slot[row] < 0])
        if fresh.size:
            need = self._used + fresh.size
            self._reserve(0, need)
            self._slot[fresh] = np.arange(self._used, need, dtype=np.int32)
            self._used = need
        return self._slot[row]

    def _count_checked(
        self, rows: npt.ArrayLike, columns: npt.ArrayLike, weights: npt.ArrayLike, *, both: bool
    ) -> None:
        row, column, weight = checked_pairs(rows, columns, weights)
        if row.size == 0:
            return
        if self._kernel is not None:
            self._count_compiled(self._kernel, row, column, weight, 2 if both else 1)
        elif both:
            there_and_back = np.stack([row, column], axis=1)
            back_and_there = there_and_back[:, ::-1]
            self._count_plain(there_and_back.ravel(), back_and_there.ravel(), np.repeat(weight, 2))
        else:
            self._count_plain(row, column, weight)

    def _count_compiled(self, kernel: Kernel, row: Ints, column: Ints, weight: Ints, directions: int) -> None:
        done = 0
        while True:
            done, self._used = kernel(*self.arrays(), self._used, self.keep, row, column, weight, done, directions)
            if done == row.size:
                return
            highest = max(row[done], column[done]) if directions == 2 else row[done]
            self._reserve(int(highest) + 1, self._used + 2)

    def _count_plain(self, row: Ints, column: Ints, weight: Ints, *, cut_every: int = 1) -> None:
        """Add pairs in order; a row is cut, if it is too full, after each ``cut_every`` of its pairs and the last."""
        if row.size == 0:
            return
        slots = self._slots(row)
        touched, place, additions = np.unique(slots, return_inverse=True, return_counts=True)
        may_overflow = (self._length[touched] + additions > self.limit)[place]
        self._count_roomy(slots[~may_overflow], column[~may_overflow], weight[~may_overflow])
        crowded = np.flatnonzero(may_overflow)
        if crowded.size:
            crowded = crowded[np.argsort(slots[crowded], kind="stable")]
            starts = np.flatnonzero(np.diff(slots[crowded])) + 1
            for pairs in np.split(crowded, starts):
                self._count_crowded(int(slots[pairs[0]]), column[pairs], weight[pairs], cut_every)

    def _count_roomy(self, slots: npt.NDArray[np.int32], column: Ints, weight: Ints) -> None:
        """Add pairs to rows that hold all of them without a cut: their order does not matter."""
        pairs, place = np.unique(slots.astype(np.int64) << 32 | column, return_inverse=True)
        totals = np.bincount(place, weight, pairs.size).astype(np.int32)
        for start in range(0, pairs.size, _LOOKED_UP):
            some = pairs[start : start + _LOOKED_UP]
            slot, sought, total = some >> 32, some & 0xFFFFFFFF, totals[start : start + _LOOKED_UP]
            match = self._columns[slot] == sought[:, None]  # (P, limit + 1)
            found = match.any(axis=1)
            self._counts[slot[found], match.argmax(axis=1)[found]] += total[found]
            slot, sought, total = slot[~found], sought[~found], total[~found]
            rows, first, new = np.unique(slot, return_index=True, return_counts=True)
            behind = self._length[slot] + np.arange(slot.size) - np.repeat(first, new)
            self._columns[slot, behind] = sought
            self._counts[slot, behind] = total
            self._length[rows] += new.astype(np.int32)

    def _count_crowded(self, slot: int, column: Ints, weight: Ints, cut_every: int) -> None:
        """Add pairs, in order, to a row that may have to be cut on the way."""
        length = int(self._length[slot])
        held = dict(zip(self._columns[slot, :length].tolist(), self._counts[slot, :length].tolist(), strict=True))
        pairs = zip(column.tolist(), weight.tolist(), strict=True)
        for number, (other, units) in enumerate(pairs, 1):
            held[other] = held.get(other, 0) + units
            if len(held) > self.limit and (number % cut_every == 0 or number == column.size):
                best = sorted((-count, kept) for kept, count in held.items())[: self.keep]
                held = {kept: -count for count, kept in best}
        self._columns[slot] = -1
        self._counts[slot] = 0
        self._columns[slot, : len(held)] = list(held.keys())
        self._counts[slot, : len(held)] = list(held.values())
        self._length[slot] = len(held)


def checked_pairs(rows: npt.ArrayLike, columns: npt.ArrayLike, weights: npt.ArrayLike) -> tuple[Ints, Ints, Ints]:
    """Return copies (P,) of pairs and their weights, all of one type and layout, as kernels are compiled for.

    Raises ``ValueError`` if they are not of one shape, or a row or a column is negative.
    """
    row, column, weight = (np.array(values, np.int64) for values in (rows, columns, weights))
    if not row.shape == column.shape == weight.shape:
        msg = f"{row.shape} rows, {column.shape} columns, {weight.shape} weights"
        raise ValueError(msg)
    if row.size and min(row.min(), column.min()) < 0:
        msg = f"rows and columns are numbers from 0 on, got {min(row.min(), column.min())}"
        raise ValueError(msg)
    return row, column, weight
