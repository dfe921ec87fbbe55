"""Popularity: how much an item is bought now, whether it is rising, and where it stands among the others.

All of it reads forward-decayed scores, log sum exp(lambda (t - landmark)), whose order does not change as time passes.
Nothing here changes a score; that is the state's work. Read next: :mod:`trendloom.relevance.standing`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["decayed", "percentile_ranks", "ranks_in_order", "rising"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def decayed(score: npt.ArrayLike, half_life_s: float, landmark_ms: int, at_ms: npt.ArrayLike) -> Floats:
    """Return the number of purchases, each halved for every half-life that lies between it and ``at_ms``.

    ``exp(score - lambda (at - landmark))`` with lambda = ln 2 / half-life; 0 where the score is -inf (never sold).

    >>> one_hour_ms = 3_600_000
    >>> score = np.log(2.0) * np.array([1.0, 0.0])           # one item sold one half-life after the landmark, one at it
    >>> decayed(score, 3600.0, 0, one_hour_ms).tolist()
    [1.0, 0.5]
    """
    rate = math.log(2.0) / half_life_s
    elapsed_s = (np.asarray(at_ms, np.float64) - landmark_ms) / 1000.0
    return np.asarray(np.exp(np.asarray(score, np.float64) - rate * elapsed_s), np.float64)


def rising(
    slow: npt.ArrayLike,
    fast: npt.ArrayLike,
    *,
    slow_half_life_s: float,
    fast_half_life_s: float,
    landmark_ms: int,
    at_ms: npt.ArrayLike,
    prior: float = 5.0,
) -> Floats:
    """Return how much faster an item sells now than over the longer past: 1 is steady, more is rising.

    With F and S the decayed numbers, f and s the half-lives: ``(F + prior) / (S f / s + prior)``. An item that
    always sold at one rate has F / S = f / s, so the quotient is 1; ``prior`` purchases keep small numbers near 1.

    >>> now = rising(np.log(24.0), np.log(10.0), slow_half_life_s=86400, fast_half_life_s=3600, landmark_ms=0, at_ms=0)
    >>> round(now.item(), 9)                                  # (10 + 5) / (24 / 24 + 5)
    2.5
    """
    slow_now = decayed(slow, slow_half_life_s, landmark_ms, at_ms)
    fast_now = decayed(fast, fast_half_life_s, landmark_ms, at_ms)
    expected = slow_now * (fast_half_life_s / slow_half_life_s)
    return np.asarray((fast_now + prior) / (expected + prior), np.float64)


def percentile_ranks(scores: npt.ArrayLike) -> Floats:
    """Return each sold item's mid-rank percentile among the sold items; 0 for items never sold (-inf).

    (number of lower scores + half the number of equal ones, itself included) / number of sold items.

    >>> percentile_ranks([1.0, 3.0, 2.0, 2.0, -np.inf]).tolist()
    [0.125, 0.875, 0.5, 0.5, 0.0]
    """
    score = np.asarray(scores, np.float64)
    sold = np.flatnonzero(score > -np.inf)
    order = sold[np.argsort(score[sold])]
    return ranks_in_order(order[::-1], score[order[::-1]], score.size)


def ranks_in_order(order: Ints, score: Floats, size: int) -> Floats:
    """Return the percentiles (size,) of :func:`percentile_ranks` for items that are in order already.

    ``order`` (S,) holds the sold items, best first, and ``score`` (S,) their scores; only which of them are equal
    matters.

    >>> ranks_in_order(np.array([1, 3, 2, 0]), np.array([3.0, 2.0, 2.0, 1.0]), 5).tolist()
    [0.125, 0.875, 0.5, 0.5, 0.0]
    """
    ranks = np.zeros(size)
    change = np.flatnonzero(score[1:] != score[:-1]) + 1
    starts, ends = np.append(0, change), np.append(change, order.size)
    if order.size:
        middle = (2 * order.size - starts - ends) / (2.0 * order.size)
        ranks[order] = np.repeat(middle, ends - starts)
    return ranks
