"""Products of a query with rows of small integers, compiled: a quarter of the memory's traffic; needs numba (``fast``).

The kernel knows arrays only. Read next: :mod:`trendloom.similar.codes`, which makes them and bounds what they lose.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["integer_products"]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def integer_products(codes, query, first, end, out):
    """Write the dot products of ``codes[first:end]`` (N, D) int8 and ``query`` (D,) int16 into ``out`` int32.

    All sums are int32, so that many columns are multiplied by one instruction: D * 127 * max|query| stays below 2^31.
    """
    width = np.uintp(codes.shape[1])
    for row in range(np.uintp(first), np.uintp(end)):
        held = np.int32(0)
        for column in range(width):
            held = np.int32(held + np.int32(codes[row, column]) * np.int32(query[column]))
        out[row - np.uintp(first)] = held
