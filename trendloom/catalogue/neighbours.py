"""Exact nearest and farthest rows by dot product, in blocks, so that 100,000 rows fit in memory.

Never approximate: the extremes feed the min-max of the preset ``paper``. Ties go to the smaller row (above 32 x count
rows, which of many equals at the edge of a list are kept is only the same on the same machine).
Read next: :mod:`trendloom.catalogue.build`, which decides what is searched.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Extremes", "ItemExtremes", "Search", "find_extremes", "find_item_extremes", "order_best"]

_Rows = npt.NDArray[np.integer[Any]]
#: Vectors to search, item rows that ask, item rows by position in the vectors, positions that ask (None = all).
_Task = tuple[npt.NDArray[np.float16], _Rows, _Rows, npt.NDArray[np.int64] | None]

#: Columns are searched in chunks of this many: a row's best k columns lie in the k chunks with the best maxima.
CHUNK = 32
#: Similarities are rounded to this step before they are ordered: it is above the noise of float32 sums, so another
#: machine's order of summation does not swap neighbours that are equal.
STEP = np.float32(2.0**-20)


@dataclass(frozen=True)
class Extremes:
    """For each of Q query rows the nearest (Q, M) and farthest (Q, L) other rows, -1 padded, with dot products."""

    nearest: npt.NDArray[np.int32]
    nearest_similarity: npt.NDArray[np.float32]
    farthest: npt.NDArray[np.int32]
    farthest_similarity: npt.NDArray[np.float32]


@dataclass(frozen=True)
class ItemExtremes:
    """:class:`Extremes` of all N items, with (N,) ``source``: 0 compared by photo, 1 compared by table."""

    extremes: Extremes
    source: npt.NDArray[np.uint8]


class Search(Protocol):
    """What finds the most and least similar rows: :func:`find_extremes`, or something faster and less exact."""

    def __call__(
        self,
        vectors: npt.NDArray[np.float16] | npt.NDArray[np.float32],
        *,
        nearest: int,
        farthest: int,
        queries: npt.NDArray[np.int64] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Extremes:
        """Return the most and least similar other rows."""


def find_extremes(
    vectors: npt.NDArray[np.float16] | npt.NDArray[np.float32],
    *,
    nearest: int,
    farthest: int,
    queries: npt.NDArray[np.int64] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Extremes:
    """Return the most and least similar other rows of ``vectors`` (V, D) for the rows ``queries`` (all by default).

    Similarity is the dot product of the rows as float32, which must stay within +-1000 (unit rows: within +-1); a row
    is never its own neighbour. ``progress(done, total)`` counts query rows.

    >>> vectors = np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]], np.float16)
    >>> found = find_extremes(vectors, nearest=2, farthest=1)
    >>> found.nearest.tolist()
    [[1, 2], [0, 2], [1, 0], [2, 1]]
    >>> found.farthest.ravel().tolist()
    [3, 3, 0, 0]
    """
    rows = np.arange(len(vectors)) if queries is None else queries
    out = _empty(len(rows), nearest, farthest)
    wide = vectors.astype(np.float32)
    # (V, D) -> (D, V'), V' a whole number of chunks; the padding columns are masked below
    columns = -(-max(len(wide), 1) // CHUNK) * CHUNK
    transposed = np.zeros((wide.shape[1], columns), np.float32)
    transposed[:, : len(wide)] = wide.T
    block = max(1, min(64, 16_000_000 // columns))

    def select(start: int, scores: npt.NDArray[np.float32]) -> int:
        part = rows[start : start + block]
        own = (np.arange(len(part)), part)
        scores[:, len(wide) :] = -np.inf
        scores[own] = -np.inf
        _write_best(scores, nearest, 1.0, out.nearest[start:], out.nearest_similarity[start:])
        scores[:, len(wide) :] = np.inf
        scores[own] = np.inf
        _write_best(scores, farthest, -1.0, out.farthest[start:], out.farthest_similarity[start:])
        return len(part)

    # this thread multiplies (numpy's BLAS has its own threads and wants one caller), the pool selects; every block
    # writes to its own rows, so nothing is locked, and only a few blocks are in memory at once
    workers = os.cpu_count() or 1
    pending: deque[Future[int]] = deque()
    done = 0
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for start in range(0, len(rows), block):
            scores = wide[rows[start : start + block]] @ transposed  # (B, V')
            pending.append(pool.submit(select, start, scores))
            while len(pending) > (workers if start + block < len(rows) else 0):
                done += pending.popleft().result()
                if progress is not None:
                    progress(done, len(rows))
    return out


def find_item_extremes(
    photo_row: npt.NDArray[np.int32],
    photo_embeddings: npt.NDArray[np.float16],
    table_embeddings: npt.NDArray[np.float16] | None,
    *,
    nearest: int,
    farthest: int,
    progress: Callable[[int, int], None] | None = None,
    search: Search | None = None,
) -> ItemExtremes:
    """Return the most and least similar items of every item, as item rows; ``search`` is exact if not given.

    An item with a photo is compared with all items that have one, by photo; an item without is compared with all
    items, by table. The two kinds of similarity are never mixed in one list: they are not on the same scale.
    """
    size = len(photo_row)
    photographed, rest = np.flatnonzero(photo_row >= 0), np.flatnonzero(photo_row < 0)
    out = _empty(size, nearest, farthest)
    # the embeddings stand in item order, so photo row p belongs to photographed[p]
    searches: list[_Task] = [(photo_embeddings, photographed, photographed, None)]
    if table_embeddings is not None and len(rest):
        searches.append((table_embeddings, rest, np.arange(size), rest))
    done = 0
    for vectors, rows, names, queries in searches:

        def report(count: int, _: int, before: int = done) -> None:
            if progress is not None:
                progress(before + count, size)

        found = (search or find_extremes)(vectors, nearest=nearest, farthest=farthest, queries=queries, progress=report)
        out.nearest[rows] = _named(found.nearest, names)
        out.farthest[rows] = _named(found.farthest, names)
        out.nearest_similarity[rows] = found.nearest_similarity
        out.farthest_similarity[rows] = found.farthest_similarity
        done += len(rows)
    return ItemExtremes(out, (photo_row < 0).astype(np.uint8))


def _empty(size: int, nearest: int, farthest: int) -> Extremes:
    return Extremes(
        np.full((size, nearest), -1, np.int32),
        np.zeros((size, nearest), np.float32),
        np.full((size, farthest), -1, np.int32),
        np.zeros((size, farthest), np.float32),
    )


def _named(found: npt.NDArray[np.int32], names: _Rows) -> npt.NDArray[np.int32]:
    if not len(names):
        return found
    return np.where(found >= 0, names[found], -1).astype(np.int32)


def _write_best(
    scores: npt.NDArray[np.float32],
    count: int,
    sign: float,
    ids: npt.NDArray[np.int32],
    best: npt.NDArray[np.float32],
) -> None:
    """Write the ``count`` greatest of ``sign`` * ``scores`` (B, V') by row into the first B rows of ids and best."""
    height, columns = scores.shape
    if count == 0:
        return
    step = columns // CHUNK
    crowded = np.ones(height, np.bool_)
    if step > count:
        # chunk j holds columns j, j + step, j + 2 step ...: its extreme is then an elementwise one of long rows
        chunked = scores.reshape(height, CHUNK, step)
        extremes = chunked.max(axis=1) if sign > 0 else -chunked.min(axis=1)  # (B, step)
        chosen = np.argpartition(extremes, step - count, axis=1)[:, step - count :]
        # where more chunks are as good as the least of those, the smaller row may lie in another one
        rounded = np.rint(extremes / STEP)
        least = np.take_along_axis(rounded, chosen, axis=1).min(axis=1)
        crowded = (rounded >= least[:, None]).sum(axis=1) > count
        candidates = (chosen[:, None, :] + (np.arange(CHUNK) * step)[None, :, None]).reshape(height, -1)
        values = np.take_along_axis(scores, candidates, axis=1) * np.float32(sign)
        ids[:height], best[:height] = order_best(candidates, values, count, sign)
    rows = np.flatnonzero(crowded)
    if rows.size:
        candidates = np.broadcast_to(np.arange(columns), (rows.size, columns))
        ids[rows], best[rows] = order_best(candidates, scores[rows] * np.float32(sign), count, sign)


def order_best(
    candidates: npt.NDArray[np.integer[Any]], values: npt.NDArray[np.float32], count: int, sign: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Return the ``count`` candidates (B, count) with the greatest values (B, C), best first, and ``sign`` * values.

    Values that round to the same :data:`STEP` are equal, and of equals the smaller row comes first; what is not finite
    is no candidate, and missing ones are -1 with similarity 0.

    >>> order_best(np.array([[7, 3, 5, -1]]), np.array([[.5, .5, .9, -np.inf]], np.float32), 2, 1.0)[0].tolist()
    [[5, 3]]
    """
    height = len(candidates)
    ids, best = np.full((height, count), -1, np.int32), np.zeros((height, count), np.float32)
    keep = min(count, values.shape[1])
    real = np.isfinite(values)
    # one integer orders by rounded similarity, then by smaller row: 1024 / STEP * 2^31 is 2^61, so it fits
    rank = np.rint(np.where(real, values, -1024.0) / STEP).astype(np.int64) * (1 << 31) - candidates
    if keep < values.shape[1]:
        top = np.argpartition(rank, values.shape[1] - keep, axis=1)[:, values.shape[1] - keep :]
        candidates, values, rank = (np.take_along_axis(table, top, axis=1) for table in (candidates, values, rank))
    order = np.argsort(-rank, axis=1)
    candidates, values = np.take_along_axis(candidates, order, axis=1), np.take_along_axis(values, order, axis=1)
    real = np.isfinite(values)
    ids[:, :keep] = np.where(real, candidates, -1)
    best[:, :keep] = np.where(real, values * np.float32(sign), 0.0)
    return ids, best
