"""Visual similarity: the cosine of unit embeddings, by photo where both items have one, else by what the table says.

Embeddings are computed elsewhere, once; here they are only multiplied. Read next: :mod:`trendloom.relevance.score`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trendloom.relevance.features import ItemFeatures

__all__ = ["cosine", "similarity"]

Ints = npt.NDArray[np.int64]


def cosine(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the cosine (E,) of rows (E, D) with rows (E, D), in [-1, 1]; 0 where a row is all zero.

    >>> cosine(np.array([[3.0, 4.0]]), np.array([[4.0, 3.0]])).round(2).tolist()    # (12 + 12) / 25
    [0.96]
    """
    one, other = np.asarray(a, np.float64), np.asarray(b, np.float64)
    length = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    product = np.einsum("ed,ed->e", one, other)
    quotient = np.divide(product, length, out=np.zeros_like(product), where=length > 0)
    return np.asarray(np.clip(quotient, -1.0, 1.0), np.float64)


def similarity(features: ItemFeatures, bought: Ints, items: Ints) -> npt.NDArray[np.float64]:
    """Return the similarity (E,) of two items each: dot product of unit rows in single precision.

    By photo where both have one, else by table; 0 where there is neither, or where a number is -1 or unknown.
    """
    result = np.zeros(items.size)
    n = features.size
    known = (bought >= 0) & (bought < n) & (items >= 0) & (items < n)
    one, other = np.where(known, bought, 0), np.where(known, items, 0)
    if n == 0:
        return result
    row, column = features.photo_row[one], features.photo_row[other]
    by_photo = np.flatnonzero(known & (row >= 0) & (column >= 0))
    if by_photo.size:
        result[by_photo] = _dots(features.photos, row[by_photo], column[by_photo])
    tables = features.tables
    if tables is not None:
        by_table = np.flatnonzero(known & ((row < 0) | (column < 0)))
        if by_table.size:
            result[by_table] = _dots(tables, one[by_table], other[by_table])
    return result


def _dots(
    vectors: npt.NDArray[np.float32], rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer]
) -> npt.NDArray[np.float64]:
    # rows come in runs of the same bought item: one small matrix product a run, in blocks that stay in the cache
    dots = np.empty(rows.size)
    ends = np.append(np.flatnonzero(rows[1:] != rows[:-1]) + 1, rows.size)
    if ends.size * 8 > rows.size:
        for start in range(0, rows.size, 4096):
            here = slice(start, start + 4096)
            dots[here] = np.einsum("ed,ed->e", vectors[rows[here]], vectors[columns[here]])
        return dots
    start = 0
    for end in ends.tolist():
        dots[start:end] = vectors[columns[start:end]] @ vectors[rows[start]]
        start = end
    return dots
