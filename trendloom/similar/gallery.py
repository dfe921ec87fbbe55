"""Exact search among unit rows: blocked float32 products, then a partial top-k; whole, within a label, or label-aware.

The rows are kept grouped by label, so a label is one contiguous slice and a search within it touches nothing else.
Never approximate, never loads anything. Read next: :mod:`trendloom.similar.agreement`, which weighs the labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Found", "Gallery"]

Floats = npt.NDArray[np.float32]

#: Scores that a block of queries may fill, so that memory is bounded however many queries there are (64 MB).
_BLOCK_SCORES = 16_000_000
#: Columns are looked through in this many strips: the best k columns lie below the k greatest maxima over the strips.
_STRIPS = 32
#: Scores are ordered in steps of this size, which is above the noise of float32 sums: equal rows stay in row order
#: whatever the machine adds up first.
_STEP = np.float32(2.0**-20)


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

    def __init__(self, rows: npt.NDArray[np.floating], *, labels: npt.ArrayLike = -1, label_count: int = 0) -> None:
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

    def __len__(self) -> int:
        """Return N."""
        return len(self._rows)

    def nearest(self, queries: Floats, k: int, *, bonus: Floats | None = None) -> Found:
        """Return the ``k`` best rows for (Q, D) unit queries: score = cosine + the bonus of the row's label.

        ``bonus`` (Q, label_count + 1) holds the labels' in order, then that of rows with an unknown label; without it
        the score is the cosine. Of equal scores the smaller row comes first.
        """
        found = _nothing(len(queries), k)
        for part in self._blocks(len(queries), len(self)):
            cosine = _products(queries[part], self._rows)  # (B, N)
            score = cosine
            if bonus is not None:
                sizes = np.diff(self._starts)
                score = cosine + np.repeat(np.roll(bonus[part], 1, axis=1), sizes, axis=1)
            self._keep_best(found, part, cosine, score, 0)
        return found

    def nearest_within(self, queries: Floats, k: int, *, label: int) -> Found:
        """Return the ``k`` best rows of one label for (Q, D) unit queries; raises IndexError for an unknown label."""
        if not 0 <= label < self.label_count:
            raise IndexError(f"label {label} is outside 0 .. {self.label_count - 1}")
        first, end = int(self._starts[label + 1]), int(self._starts[label + 2])
        found = _nothing(len(queries), k)
        for part in self._blocks(len(queries), end - first):
            cosine = _products(queries[part], self._rows[first:end])
            self._keep_best(found, part, cosine, cosine, first)
        return found

    @staticmethod
    def _blocks(queries: int, columns: int) -> Iterator[slice]:
        block = max(1, _BLOCK_SCORES // max(columns, 1))
        return (slice(start, min(start + block, queries)) for start in range(0, queries, block))

    def _keep_best(self, found: Found, part: slice, cosine: Floats, score: Floats, first: int) -> None:
        """Write the best columns of ``score`` (B, n) into the queries of ``part``; column 0 is the place ``first``."""
        keep = min(found.rows.shape[1], score.shape[1])
        if keep == 0:
            return
        places = _candidates(score, keep)  # (B, c) or (c,)
        if places.ndim == 1:
            places = np.broadcast_to(places, (len(score), len(places)))
        rows = (places + first if self._row_at is None else self._row_at[places + first]).astype(np.int64)
        values = np.take_along_axis(score, places, axis=1)
        # one integer orders by rounded score, then by smaller row: scores stay within +-1024, so it fits 63 bits
        rank = np.rint(values / _STEP).astype(np.int64) * (1 << 31) - rows
        if keep < rank.shape[1]:
            top = np.argpartition(rank, rank.shape[1] - keep, axis=1)[:, rank.shape[1] - keep :]
            order = np.take_along_axis(top, np.argsort(-np.take_along_axis(rank, top, axis=1), axis=1), axis=1)
        else:
            order = np.argsort(-rank, axis=1)
        chosen = np.take_along_axis(places, order, axis=1)
        found.rows[part, :keep] = np.take_along_axis(rows, order, axis=1)
        found.cosine[part, :keep] = np.take_along_axis(cosine, chosen, axis=1)
        found.score[part, :keep] = np.take_along_axis(values, order, axis=1)


def _products(queries: Floats, rows: Floats) -> Floats:
    if len(queries) == 1:
        return (rows @ queries[0])[None]  # one pass over the rows' memory
    return queries @ rows.T


def _candidates(score: Floats, keep: int) -> npt.NDArray[np.int64]:
    """Return columns among which the ``keep`` best of each row of ``score`` (B, n) are: (B, c), or (n,) for all."""
    height, columns = score.shape
    step = columns // _STRIPS
    if step <= keep:
        return np.arange(columns)
    # a strip is ``step`` neighbouring columns; one group is a column of every strip, and a few columns are left over
    maxima = score[:, : _STRIPS * step].reshape(height, _STRIPS, step).max(axis=1)  # (B, step)
    groups = np.argpartition(maxima, step - keep, axis=1)[:, step - keep :]  # (B, keep)
    inside = (groups[:, None, :] + (np.arange(_STRIPS) * step)[None, :, None]).reshape(height, -1)
    rest = np.broadcast_to(np.arange(_STRIPS * step, columns), (height, columns - _STRIPS * step))
    return np.concatenate([inside, rest], axis=1)


def _nothing(queries: int, k: int) -> Found:
    shape = (queries, k)
    return Found(np.full(shape, -1, np.int32), np.zeros(shape, np.float32), np.zeros(shape, np.float32))
