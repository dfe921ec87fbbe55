"""Exact search among unit rows: blocked float32 products, then a partial top-k; whole, within a label, or label-aware.

The rows are kept grouped by label, so a label is one contiguous slice and a search within it touches nothing else.
Never approximate: byte codes only say early which rows cannot be among the best. Read next:
:mod:`trendloom.similar.codes`, and :mod:`trendloom.similar.agreement`, which weighs the labels.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trendloom.errors import MissingExtra

if TYPE_CHECKING:  # numba is an extra
    from trendloom.similar.codes import Codes

__all__ = ["Found", "Gallery"]

Floats = npt.NDArray[np.float32]

#: Scores that a block of queries may fill, so that memory is bounded however many queries there are (64 MB).
_BLOCK_SCORES = 16_000_000
#: Columns are looked through in this many strips: the best k columns lie below the k greatest maxima over the strips.
_STRIPS = 32
#: Scores are ordered in steps of this size, which is above the noise of float32 sums: equal rows stay in row order
#: whatever the machine adds up first.
_STEP = np.float32(2.0**-20)
#: How far apart two ways to add up a score may be, and then some.
_SLACK = 8 * float(_STEP)
#: From so many numbers on (64 MB) one query is faster by a first look at byte codes than by reading all.
_CODES_PAY_AT = 1 << 24
#: Multiplying single rows, gathered, pays while they are fewer than one in so many.
_GATHER_PAYS = 8


@dataclass(frozen=True)
class Found:
    """For Q queries the best rows (Q, k), -1 where there are fewer, with their cosines (Q, k) and scores (Q, k)."""

    rows: npt.NDArray[np.int32]
    cosine: Floats
    score: Floats


class Gallery:
    """N unit rows of D numbers to search in; ``labels`` (N,) are codes below ``label_count``, -1 = unknown.

    >>> rows = np.array([[1, 0], [0.6, 0.8], [0.8, 0.6], [0, 1]], np.float32)
    >>> gallery = Gallery(rows, labels=[0, 1, 1, 0], label_count=2)
    >>> query = np.array([[1, 0]], np.float32)
    >>> gallery.nearest(query, 3).rows.tolist()
    [[0, 2, 1]]
    >>> gallery.nearest_within(query, 3, label=1).rows.tolist()
    [[2, 1, -1]]
    """

    def __init__(
        self,
        rows: npt.NDArray[np.floating],
        *,
        labels: npt.ArrayLike = -1,
        label_count: int = 0,
        compiled: bool | None = None,
    ) -> None:
        """``compiled``: look through byte codes first (needs numba); None is where it pays and numba is installed."""
        codes = np.broadcast_to(np.asarray(labels, np.int64), len(rows))
        if codes.size and not -1 <= codes.min() <= codes.max() < label_count:
            raise ValueError(f"labels outside -1 .. {label_count - 1}")
        self.label_count = label_count
        grouped = bool(np.all(codes[1:] >= codes[:-1]))
        # (N,) the row at each place; None where rows lie in label order already
        self._row_at = None if grouped else np.argsort(codes, kind="stable").astype(np.int32)
        # places of label c: starts[c + 1] to starts[c + 2]; unknown labels come first
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(codes + 1, minlength=label_count + 1))])
        ordered = rows if self._row_at is None else rows[self._row_at]
        self._rows = np.ascontiguousarray(ordered, np.float32)
        if compiled is None:
            compiled = self._rows.size >= _CODES_PAY_AT and importlib.util.find_spec("numba") is not None
        self._codes = _codes_of(self._rows) if compiled else None

    def __len__(self) -> int:
        """Return N."""
        return len(self._rows)

    def nearest(self, queries: Floats, k: int, *, bonus: Floats | None = None) -> Found:
        """Return the ``k`` best rows for (Q, D) unit queries: score = cosine + the bonus of the row's label.

        ``bonus`` (Q, label_count + 1) holds the labels' in order, then that of rows with an unknown label; without it
        the score is the cosine. Of equal scores the smaller row comes first.
        """
        return self._search(queries, k, 0, len(self), bonus)

    def nearest_within(self, queries: Floats, k: int, *, label: int) -> Found:
        """Return the ``k`` best rows of one label for (Q, D) unit queries; raises IndexError for an unknown label."""
        if not 0 <= label < self.label_count:
            raise IndexError(f"label {label} is outside 0 .. {self.label_count - 1}")
        return self._search(queries, k, int(self._starts[label + 1]), int(self._starts[label + 2]), None)

    def _search(self, queries: Floats, k: int, first: int, end: int, bonus: Floats | None) -> Found:
        """Search the places ``first`` .. ``end`` - 1 for blocks of queries."""
        found = _nothing(len(queries), k)
        keep = min(k, end - first)
        if keep == 0:
            return found
        sizes = np.diff(self._starts)
        block = max(1, _BLOCK_SCORES // (end - first))
        for start in range(0, len(queries), block):
            part = slice(start, min(start + block, len(queries)))
            added = None if bonus is None else np.repeat(np.roll(bonus[part], 1, axis=1), sizes, axis=1)
            if len(queries) == 1 and self._codes is not None:
                near = self._codes.near(queries[0], first, end, keep, None if added is None else added[0], _SLACK)
                if len(near) * _GATHER_PAYS < end - first:
                    # few rows: one thread is done before several have woken up
                    cosine = np.vecdot(self._rows[near], queries)[None]
                    score = cosine if added is None else cosine + added[:, near - first]
                    self._keep_best(found, part, keep, near[None], cosine, score)
                    continue
            cosine = _products(queries[part], self._rows[first:end])  # (B, n)
            score = cosine if added is None else cosine + added
            at = _candidates(score, keep)  # (B, c)
            cosine, score = np.take_along_axis(cosine, at, axis=1), np.take_along_axis(score, at, axis=1)
            self._keep_best(found, part, keep, at + first, cosine, score)
        return found

    def _keep_best(
        self, found: Found, part: slice, keep: int, places: npt.NDArray[np.int64], cosine: Floats, score: Floats
    ) -> None:
        """Write the ``keep`` best of the candidates (B, c) into the queries of ``part``."""
        rows = (places if self._row_at is None else self._row_at[places]).astype(np.int64)
        # one integer orders by rounded score, then by smaller row: scores stay within +-1024, so it fits 63 bits
        rank = np.rint(score / _STEP).astype(np.int64) * (1 << 31) - rows
        if keep < rank.shape[1]:
            top = np.argpartition(rank, rank.shape[1] - keep, axis=1)[:, rank.shape[1] - keep :]
            order = np.take_along_axis(top, np.argsort(-np.take_along_axis(rank, top, axis=1), axis=1), axis=1)
        else:
            order = np.argsort(-rank, axis=1)
        found.rows[part, :keep] = np.take_along_axis(rows, order, axis=1)
        found.cosine[part, :keep] = np.take_along_axis(cosine, order, axis=1)
        found.score[part, :keep] = np.take_along_axis(score, order, axis=1)


def _codes_of(rows: Floats) -> Codes:
    try:
        from trendloom.similar.codes import Codes
    except ImportError:
        raise MissingExtra("Byte codes need numba. Action: pip install 'trendloom[fast]'.") from None
    return Codes(rows)


def _products(queries: Floats, rows: Floats) -> Floats:
    # BLAS may look at what lies beyond a short row, use none of it, and leave a warning behind (numpy issue 24067)
    with np.errstate(invalid="ignore"):
        if len(queries) == 1:
            one: Floats = (rows @ queries[0])[None]  # one pass over the rows' memory
            return one
        products: Floats = queries @ rows.T
        return products


def _candidates(score: Floats, keep: int) -> npt.NDArray[np.int64]:
    """Return columns among which the ``keep`` best of each row of ``score`` (B, n) are, (B, c)."""
    height, columns = score.shape
    step = columns // _STRIPS
    if step <= keep:
        return np.broadcast_to(np.arange(columns), score.shape)
    # a strip is ``step`` neighbouring columns; a group is one column of every strip, and a few columns are left over
    maxima = score[:, : _STRIPS * step].reshape(height, _STRIPS, step).max(axis=1)  # (B, step)
    # a column that is among the best, or equal to the last of them, lies in a group that is not below the keep-th
    steps = np.rint(maxima / _STEP)
    last = np.partition(steps, step - keep, axis=1)[:, step - keep, None]
    wide = int((steps >= last).sum(axis=1).max())
    groups = np.argpartition(maxima, step - wide, axis=1)[:, step - wide :]  # (B, wide)
    inside = (groups[:, None, :] + (np.arange(_STRIPS) * step)[None, :, None]).reshape(height, -1)
    rest = np.broadcast_to(np.arange(_STRIPS * step, columns), (height, columns - _STRIPS * step))
    return np.concatenate([inside, rest], axis=1)


def _nothing(queries: int, k: int) -> Found:
    shape = (queries, k)
    return Found(np.full(shape, -1, np.int32), np.zeros(shape, np.float32), np.zeros(shape, np.float32))
