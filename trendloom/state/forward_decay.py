"""Exponentially forward-decayed counts as log scores: late events are right, nothing overflows, nothing is rescanned.

A purchase at time t weighs exp(lambda * (t - landmark)); an item keeps the logarithm of the sum of its weights, so the
order of items never changes with time, and the decayed count at time T is exp(score - lambda * (T - landmark)).
Source: Cormode, Shkapenyuk, Srivastava, Xu, "Forward decay", ICDE 2009.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["batch_scores", "decayed_counts"]

Floats = npt.NDArray[np.float64]


def batch_scores(
    groups: npt.NDArray[np.int64], size: int, times_ms: npt.NDArray[np.int64], *, rate_per_ms: float, landmark_ms: int
) -> Floats:
    """Return, for each of ``size`` groups, log sum exp(rate * (t - landmark)) over its times; -inf for an empty group.

    ``groups`` (P,) int says which group each time (P,) belongs to; the result is (size,) float64.

    >>> import math
    >>> two = batch_scores(np.array([0, 0]), 1, np.array([10, 10]), rate_per_ms=0.1, landmark_ms=0)
    >>> round(float(two[0]) - math.log(2), 12)  # log(2 * e) = 1 + log 2
    1.0
    """
    exponents = rate_per_ms * (times_ms - landmark_ms).astype(np.float64)
    scores = np.full(size, -np.inf)
    np.logaddexp.at(scores, groups, exponents)
    return scores


def decayed_counts(scores: Floats, at_ms: int, *, rate_per_ms: float, landmark_ms: int) -> Floats:
    """Return the decayed counts at ``at_ms``: exp(score - rate * (at - landmark)); 0 for -inf.

    >>> decayed_counts(np.array([0.0, -np.inf]), 0, rate_per_ms=0.1, landmark_ms=0).tolist()
    [1.0, 0.0]
    """
    return np.exp(scores - rate_per_ms * (at_ms - landmark_ms))
