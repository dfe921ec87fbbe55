"""Neighbours of a catalogue that items were added to or taken from, without comparing everything with everything again.

What comes out is what a whole search would find, up to the rounding of sums. Reads and writes no files.
Read next: :mod:`trendloom.catalogue.changing`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.neighbours import Extremes, ItemExtremes, find_extremes, order_best

__all__ = ["extremes_after_adding", "extremes_after_removing"]

_BLOCK = 4096

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


def extremes_after_adding(
    before: ItemExtremes, photo_row: Ints, photo_embeddings: npt.NDArray[np.float16]
) -> ItemExtremes:
    """Return the neighbours of all items when photographed items stand behind the old ones.

    ``before`` is of the first items; ``photo_row`` (N,) and ``photo_embeddings`` (P, D) are of all, in item order. Old
    items without a photo keep their lists: what was added is not in their table.

    >>> rows = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float16)
    >>> old = ItemExtremes(find_extremes(rows[:2], nearest=1, farthest=1), np.zeros(2, np.uint8))
    >>> extremes_after_adding(old, np.arange(3, dtype=np.int32), rows).extremes.nearest.ravel().tolist()
    [1, 0, 1]
    """
    old, size = len(before.source), len(photo_row)
    count, lowest = before.extremes.nearest.shape[1], before.extremes.farthest.shape[1]
    photographed = np.flatnonzero(photo_row >= 0)
    asked, new = photographed[photographed < old], photographed[photographed >= old]
    out = _wider(before.extremes, size)
    if len(new):
        found = find_extremes(photo_embeddings, nearest=count, farthest=lowest, queries=photo_row[new].astype(np.int64))
        _put(out, new, found, photographed)
        added = photo_embeddings[photo_row[new]].astype(np.float32).T  # (D, A)
        for start in range(0, len(asked), _BLOCK):
            rows = asked[start : start + _BLOCK]
            dots = photo_embeddings[photo_row[rows]].astype(np.float32) @ added  # (B, A)
            names = np.broadcast_to(new, dots.shape)
            for ids, values, sign in (
                (out.nearest, out.nearest_similarity, 1.0),
                (out.farthest, out.farthest_similarity, -1.0),
            ):
                known = np.where(ids[rows] >= 0, np.float32(sign) * values[rows], -np.inf)
                ids[rows], values[rows] = order_best(
                    np.concatenate([ids[rows], names], axis=1),
                    np.concatenate([known, np.float32(sign) * dots], axis=1).astype(np.float32),
                    ids.shape[1],
                    sign,
                )
    return ItemExtremes(out, (photo_row < 0).astype(np.uint8))


def extremes_after_removing(
    before: ItemExtremes,
    kept: npt.NDArray[np.int64],
    photo_row: Ints,
    photo_embeddings: npt.NDArray[np.float16],
    table_embeddings: npt.NDArray[np.float16] | None,
) -> ItemExtremes:
    """Return the neighbours of the old rows ``kept`` (ascending); the other arrays are of these already.

    Only items that had a removed one among their nearest or lowest are searched for anew.
    """
    old = before.extremes
    now = np.full(len(before.source) + 1, -1, np.int32)  # row -1 stays -1
    now[kept] = np.arange(len(kept))
    out = Extremes(
        now[old.nearest[kept]], old.nearest_similarity[kept], now[old.farthest[kept]], old.farthest_similarity[kept]
    )
    lost = ((out.nearest < 0) & (old.nearest[kept] >= 0)).any(axis=1)
    lost |= ((out.farthest < 0) & (old.farthest[kept] >= 0)).any(axis=1)
    counts = {"nearest": out.nearest.shape[1], "farthest": out.farthest.shape[1]}
    asked, photographed = np.flatnonzero(lost & (photo_row >= 0)), np.flatnonzero(photo_row >= 0)
    if len(asked):
        found = find_extremes(photo_embeddings, **counts, queries=photo_row[asked].astype(np.int64))
        _put(out, asked, found, photographed)
    asked = np.flatnonzero(lost & (photo_row < 0))
    if len(asked) and table_embeddings is not None:
        # photographed items that were added later have no row in the table
        names = np.flatnonzero(table_embeddings.any(axis=1) | (photo_row < 0))
        found = find_extremes(table_embeddings[names], **counts, queries=np.searchsorted(names, asked))
        _put(out, asked, found, names)
    return ItemExtremes(out, (photo_row < 0).astype(np.uint8))


def _wider(old: Extremes, size: int) -> Extremes:
    def more(values: npt.NDArray[np.int32], missing: int) -> npt.NDArray[np.int32]:
        out = np.full((size, values.shape[1]), missing, np.int32)
        out[: len(values)] = values
        return out

    def more_similar(values: Floats) -> Floats:
        out = np.zeros((size, values.shape[1]), np.float32)
        out[: len(values)] = values
        return out

    return Extremes(
        more(old.nearest, -1),
        more_similar(old.nearest_similarity),
        more(old.farthest, -1),
        more_similar(old.farthest_similarity),
    )


def _put(out: Extremes, rows: npt.NDArray[np.int64], found: Extremes, names: npt.NDArray[np.int64]) -> None:
    out.nearest[rows] = np.where(found.nearest >= 0, names[found.nearest], -1)
    out.farthest[rows] = np.where(found.farthest >= 0, names[found.farthest], -1)
    out.nearest_similarity[rows] = found.nearest_similarity
    out.farthest_similarity[rows] = found.farthest_similarity
