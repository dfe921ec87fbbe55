"""How well an item's popularity fits a customer's trendiness, and the min-max scaling that the preset ``paper`` uses.

Both are formulas over numbers that others supply. Read next: :mod:`trendloom.relevance.score`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["minmax", "popularity_fit"]

Floats = npt.NDArray[np.float64]


def popularity_fit(popularity: npt.ArrayLike, trendiness: npt.ArrayLike, exponent: float) -> Floats:
    """Return 1 - |popularity - trendiness|^exponent; both in [0, 1], so the fit is too.

    The absolute value keeps odd exponents symmetric: an unpopular item never fits better than a perfect one.

    >>> popularity_fit([0.5, 0.0], [1.0, 0.0], exponent=3).tolist()
    [0.875, 1.0]
    """
    gap = np.abs(np.asarray(popularity, np.float64) - np.asarray(trendiness, np.float64))
    return np.asarray(1.0 - gap**exponent, np.float64)


def minmax(value: npt.ArrayLike, lowest: npt.ArrayLike, highest: npt.ArrayLike) -> Floats:
    """Return (value - lowest) / (highest - lowest), cut to [0, 1]; 1 wherever highest equals lowest.

    >>> minmax([2.0, 7.0], [1.0, 7.0], [5.0, 7.0]).tolist()
    [0.25, 1.0]
    """
    low, high = np.asarray(lowest, np.float64), np.asarray(highest, np.float64)
    span = high - low
    above = np.clip(np.asarray(value, np.float64), low, high) - low
    return np.where(span > 0, above / np.where(span > 0, span, 1.0), 1.0)
