"""Rows as bytes with a proven bound on what that loses: a quick first look that never misses one of the best rows.

Row r = scale * codes + rest with the length of ``rest`` kept; by Cauchy-Schwarz no product is further from its estimate
than |query| |rest| + |what the query loses| |scale * codes|. Only rows that may be among the best by these bounds are
multiplied exactly. Needs numba. Read next: :mod:`trendloom.similar.gallery`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trendloom.similar.compiled_products import integer_products

__all__ = ["Codes"]

Floats = npt.NDArray[np.float32]

_BLOCK = 4096
_LARGEST = 127
_QUERY_LARGEST = 2047


class Codes:
    """The byte codes of N rows of D numbers, and how much each may be wrong."""

    def __init__(self, rows: Floats) -> None:
        count, dims = rows.shape
        self._codes = np.empty((count, dims), np.int8)
        self._scale, self._lost = np.empty(count, np.float32), np.empty(count, np.float32)
        self._length = np.empty(count, np.float32)
        #: The greatest query code that keeps a sum of D products within int32.
        self._query_largest = min(_QUERY_LARGEST, (2**31 - 1) // (_LARGEST * max(dims, 1)))
        for start in range(0, count, _BLOCK):
            part = slice(start, min(start + _BLOCK, count))
            block = rows[part]
            scale = np.maximum(np.abs(block).max(axis=1, initial=0.0), np.float32(1e-30)) / np.float32(_LARGEST)
            self._codes[part] = np.rint(block / scale[:, None])
            held = self._codes[part] * scale[:, None]
            self._scale[part] = scale
            self._lost[part] = np.linalg.norm(block - held, axis=1)
            self._length[part] = np.linalg.norm(held, axis=1)

    def near(
        self, query: Floats, first: int, end: int, keep: int, bonus: Floats | None, slack: float
    ) -> npt.NDArray[np.int64]:
        """Return places in ``first`` .. ``end`` - 1, ascending, that surely hold the ``keep`` best for a (D,) query.

        Best by product plus ``bonus`` (end - first,); rows within ``slack`` of the last of them are among them, too.
        """
        scale = max(float(np.abs(query).max(initial=0.0)), 1e-30) / self._query_largest
        codes = np.rint(query / scale).astype(np.int16)
        sums = np.empty(end - first, np.int32)
        integer_products(self._codes, codes, first, end, sums)
        estimate = sums * (self._scale[first:end] * np.float32(scale))
        if bonus is not None:
            estimate += bonus
        lost = float(np.linalg.norm(query - codes * np.float32(scale)))
        wrong = np.float32(np.linalg.norm(query)) * self._lost[first:end] + np.float32(lost) * self._length[first:end]
        surely = estimate - wrong
        if keep >= len(surely):
            return np.arange(first, end)
        threshold = np.partition(surely, len(surely) - keep)[len(surely) - keep]
        return np.flatnonzero(estimate + wrong >= threshold - np.float32(slack)) + first
