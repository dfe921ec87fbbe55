"""Estimators of a customer's trendiness: from the percentiles of past purchases to one number in [0, 1].

Each is a weighted mean of (a function of) the past percentiles, shrunken towards the population's mean by a prior that
weighs as so many purchases. The state's own is ``mean, prior 5``. Read next: :mod:`evaluation.trendiness.trial`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ESTIMATORS", "POPULAR_FROM", "Estimator"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: The source's customers call the top .15 popular; here by percentile.
POPULAR_FROM = 0.85


@dataclass(frozen=True)
class Estimator:
    """A name, how each past purchase weighs, and what is averaged."""

    name: str
    #: (position from the newest, days ago) -> weight, each (P,)
    weigh: Callable[[Ints, Ints], Floats]
    prior: float
    #: what a percentile counts as
    value: Callable[[Floats], Floats] = np.asarray

    def of(self, percentile: Floats, days_ago: Ints, population: float) -> float:
        """Return (prior * population + sum w v) / (prior + sum w) over past purchases, the newest last.

        ``population`` is the mean of all customers' values so far; with neither prior nor past it is the answer.

        >>> ESTIMATORS["mean, prior 2"].of(np.array([1.0, 0.5]), np.array([9, 1]), 0.25)    # (.5 + 1.5) / 4
        0.5
        """
        weight = self.weigh(np.arange(percentile.size)[::-1], days_ago)
        total = self.prior + float(weight.sum())
        if total <= 0:
            return population
        return (self.prior * population + float(weight @ self.value(percentile))) / total


def _even(position: Ints, _: Ints) -> Floats:
    return np.ones(position.size)


def _newest(position: Ints, _: Ints) -> Floats:
    return np.where(position == 0, 1.0, 0.0)


def _newest_day(_: Ints, days_ago: Ints) -> Floats:
    return np.where(days_ago == days_ago[-1:], 1.0, 0.0)


def _by_position(decay: float) -> Callable[[Ints, Ints], Floats]:
    return lambda position, days_ago: decay ** position.astype(np.float64)


def _by_days(half_life_days: float) -> Callable[[Ints, Ints], Floats]:
    return lambda position, days_ago: 0.5 ** (days_ago / half_life_days)


def _popular(percentile: Floats) -> Floats:
    return (percentile >= POPULAR_FROM).astype(np.float64)


def _registry() -> Mapping[str, Estimator]:
    found = [Estimator(f"mean, prior {prior:g}", _even, prior) for prior in (0.0, 2.0, 5.0, 10.0, 20.0, 40.0)]
    found += [
        Estimator("last purchase", _newest, 0.0),
        Estimator("last day", _newest_day, 0.0),
        Estimator("threshold share", _even, 0.0, _popular),
        Estimator("threshold share, prior 10", _even, 10.0, _popular),
    ]
    found += [
        Estimator(f"decay {decay:g} a purchase, prior {prior:g}", _by_position(decay), prior)
        for decay in (0.8, 0.95, 0.98)
        for prior in (2.0, 10.0)
    ]
    found += [
        Estimator(f"half-life {days:g} days, prior {prior:g}", _by_days(days), prior)
        for days in (30.0, 90.0, 365.0)
        for prior in (2.0, 10.0)
    ]
    return {estimator.name: estimator for estimator in found}


#: Every estimator that the trial compares, by name.
ESTIMATORS: Mapping[str, Estimator] = _registry()
