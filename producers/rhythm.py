"""The rhythms of buying: hours of the day, months of the year, and event times that follow them.

All times are ms since the epoch, UTC. It decides when purchases happen, never what is bought.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["HOURS", "hour_weight", "season_weights", "spread_times"]

_HOUR_MS = 3_600_000
#: Relative number of purchases by hour of the day: a quiet night, a lunch break, a busy evening. Their mean is 1.
HOURS = tuple(
    round(weight * 24 / 24.3, 4)
    for weight in (
        *(0.35, 0.2, 0.15, 0.1, 0.1, 0.15, 0.3, 0.6),
        *(0.9, 1.1, 1.2, 1.3, 1.5, 1.4, 1.2, 1.15),
        *(1.2, 1.4, 1.65, 1.9, 2.1, 1.95, 1.5, 0.9),
    )
)
_WARM = ("short", "t-shirt", "tee", "tank", "top", "dress", "skirt", "swim", "bikini", "polo", "sandal", "romper")
_COLD = ("coat", "jacket", "outwear", "outer", "sweater", "cardigan", "hood", "longsleeve", "boot", "knit", "scarf")
#: How far a season swings around 1.
_SWING = 0.6
_WARMEST_MONTH, _COLDEST_MONTH = 7, 1


def hour_weight(at_ms: int) -> float:
    """Return how busy the hour of a moment is; 1 is the day's mean.

    >>> hour_weight(20 * 3_600_000) > 1 > hour_weight(3 * 3_600_000)
    True
    """
    return HOURS[at_ms // _HOUR_MS % 24]


def season_weights(category_names: Sequence[str]) -> list[list[float]]:
    """Return weight[category][month - 1], mean 1 over the year: summer and winter wear swing by 60 %, the rest is even.

    >>> coat, belt = season_weights(["Jackets_Coats", "Belt"])
    >>> coat[0], round(coat[6], 1), belt[0]
    (1.6, 0.4, 1.0)
    """
    weights = []
    for name in category_names:
        lower = name.lower()
        warm = any(word in lower for word in _WARM)
        cold = any(word in lower for word in _COLD)
        peak = _COLDEST_MONTH if cold else _WARMEST_MONTH
        swing = _SWING if warm or cold else 0.0
        weights.append([1.0 + swing * math.cos(2 * math.pi * (month - peak) / 12) for month in range(1, 13)])
    return weights


def spread_times(number: int, start_ms: int, end_ms: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return event times (number,), ascending, in start_ms <= t < end_ms, as dense in each hour as the hour is busy.

    >>> times = spread_times(1000, 0, 86_400_000, np.random.default_rng(1))
    >>> bool((times[1:] >= times[:-1]).all()), int((times < 6 * 3_600_000).sum()) < 80
    (True, True)
    """
    if end_ms <= start_ms:
        return np.full(number, start_ms, np.int64)
    marks = np.arange(start_ms // _HOUR_MS + 1, (end_ms - 1) // _HOUR_MS + 1) * _HOUR_MS
    edges = np.r_[start_ms, marks, end_ms].astype(np.float64)
    weight = np.asarray(HOURS)[(edges[:-1] // _HOUR_MS).astype(np.int64) % 24] * np.diff(edges)
    reached = np.r_[0.0, np.cumsum(weight)]
    draws = np.sort(rng.random(number)) * reached[-1]
    times: npt.NDArray[np.int64] = np.floor(np.interp(draws, reached, edges)).astype(np.int64)
    return times.clip(start_ms, end_ms - 1)
