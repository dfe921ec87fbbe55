"""Bounded neighbour counts: how often each row was seen together with each of a few others, as dense numpy rows.

This is the in-memory twin of the co-purchase hashes in Redis: the same sequence of ``add`` calls leaves the same counts
here and there, evictions included (``state/lua`` states the same rule). Rows are allotted when they are first used.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["CHUNK", "BoundedCounts"]

#: Pairs of one row are added in chunks of this many, and the row is trimmed after each: the same rule as in Redis.
CHUNK = 64

Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]


class BoundedCounts:
    """Counts for pairs (row, column), at most ``limit`` columns a row; a fuller row is cut to its ``keep`` greatest.

    Of equal counts the smaller column number stays. Until a row has been cut its counts are exact.

    >>> counts = BoundedCounts(keep=2, limit=3)
    >>> counts.add(np.array([7, 7, 7]), np.array([1, 2, 3]), np.array([5, 1, 2]))
    >>> sorted(counts.row(7).items())
    [(1, 5), (2, 1), (3, 2)]
    >>> counts.add(np.array([7]), np.array([9]), np.array([4]))
    >>> sorted(counts.row(7).items())
    [(1, 5), (9, 4)]
    """

    def __init__(self, *, keep: int = 96, limit: int = 128) -> None:
        if not 0 < keep <= limit:
            msg = f"keep must lie in 1..limit, got keep={keep}, limit={limit}"
            raise ValueError(msg)
        self.keep = keep
        self.limit = limit
        width = limit + CHUNK
        self._slot: npt.NDArray[np.int32] = np.full(1024, -1, np.int32)
        self._columns: npt.NDArray[np.int32] = np.full((256, width), -1, np.int32)
        self._counts: npt.NDArray[np.int32] = np.zeros((256, width), np.int32)
        self._length: npt.NDArray[np.int32] = np.zeros(256, np.int32)
        self._used = 0

    def add(self, rows: npt.ArrayLike, columns: npt.ArrayLike, weights: npt.ArrayLike) -> None:
        """Add weights (P,) int > 0 to the pairs (rows (P,), columns (P,)); each pair at most once in a call."""
        row = np.asarray(rows, np.int64)
        if row.size == 0:
            return
        column = np.asarray(columns, np.int64)
        weight = np.asarray(weights, np.int64)
        order = np.lexsort((column, row))
        row, column, weight = row[order], column[order], weight[order]
        starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
        sizes = np.diff(np.r_[starts, row.size])
        rank = np.arange(row.size) - np.repeat(starts, sizes)
        slots = self._slots(row)
        for chunk in range(int(sizes.max() - 1) // CHUNK + 1):
            here = rank // CHUNK == chunk
            self._add_chunk(slots[here], column[here], weight[here])

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

        Good until the next ``add`` or ``set_row``; nothing may be changed.
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

    def _slots(self, row: Ints) -> npt.NDArray[np.int32]:
        top = int(row.max())
        if top >= self._slot.size:
            grown = np.full(max(top + 1, 2 * self._slot.size), -1, np.int32)
            grown[: self._slot.size] = self._slot
            self._slot = grown
        fresh = np.unique(row[self._slot[row] < 0])
        if fresh.size:
            need = self._used + fresh.size
            if need > self._length.size:
                more = max(need, 2 * self._length.size) - self._length.size
                width = self._columns.shape[1]
                self._columns = np.concatenate([self._columns, np.full((more, width), -1, np.int32)])
                self._counts = np.concatenate([self._counts, np.zeros((more, width), np.int32)])
                self._length = np.concatenate([self._length, np.zeros(more, np.int32)])
            self._slot[fresh] = np.arange(self._used, need, dtype=np.int32)
            self._used = need
        return self._slot[row]

    def _add_chunk(self, slots: npt.NDArray[np.int32], column: Ints, weight: Ints) -> None:
        match = self._columns[slots] == column[:, None]  # (P, width)
        found = match.any(axis=1)
        where = match.argmax(axis=1)
        self._counts[slots[found], where[found]] += weight[found].astype(np.int32)
        new = np.flatnonzero(~found)
        if new.size == 0:
            return
        slot = slots[new]
        starts = np.flatnonzero(np.r_[True, slot[1:] != slot[:-1]])
        sizes = np.diff(np.r_[starts, slot.size])
        place = self._length[slot] + np.arange(slot.size) - np.repeat(starts, sizes)
        self._columns[slot, place] = column[new]
        self._counts[slot, place] = weight[new]
        self._length[slot[starts]] += sizes.astype(np.int32)
        for full in slot[starts][self._length[slot[starts]] > self.limit].tolist():
            self._trim(full)

    def _trim(self, slot: int) -> None:
        length = int(self._length[slot])
        columns, counts = self._columns[slot, :length].copy(), self._counts[slot, :length].copy()
        best = np.lexsort((columns, -counts))[: self.keep]
        best.sort()
        self._columns[slot] = -1
        self._counts[slot] = 0
        self._columns[slot, : self.keep] = columns[best]
        self._counts[slot, : self.keep] = counts[best]
        self._length[slot] = self.keep
