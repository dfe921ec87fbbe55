"""The trial: each estimator of trendiness against the mean percentile of the customer's next shopping day.

Out of sample: an estimate knows the days before, the constants of a straight line come from the first part of the log,
and correlations are read on the second. The mean of each calendar day is removed from what is predicted, so a day on
which everybody buys what is popular proves nothing. Read next: :mod:`evaluation.trendiness_study`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.trendiness.estimators import Estimator
from evaluation.trendiness.shopping_days import ShoppingDays

__all__ = ["Trial", "Verdict", "judge", "resampled_correlations", "trial_of"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """Q customer-days with a past: estimates by name (Q,), and what was bought, its calendar day's mean removed."""

    customer: Ints
    day: Ints
    estimates: Mapping[str, Floats]
    target: Floats

    def part(self, chosen: npt.NDArray[np.bool_]) -> Trial:
        """Return the customer-days that are ``chosen`` (Q,)."""
        kept = {name: values[chosen] for name, values in self.estimates.items()}
        return Trial(self.customer[chosen], self.day[chosen], kept, self.target[chosen])


@dataclass(frozen=True)
class Verdict:
    """How well one estimator predicts: correlation r, its 95 % interval over customers, and R^2 of a straight line."""

    r_before: float
    r: float
    r_low: float
    r_high: float
    #: r less that of the estimator that stands, with its 95 % interval: the same customers drawn for both
    gain: float
    gain_low: float
    gain_high: float
    r_squared: float
    customer_days: int


def trial_of(days: ShoppingDays, estimators: Mapping[str, Estimator], *, from_day: int) -> Trial:
    """Return the estimates for every customer-day from ``from_day`` on that has an earlier one.

    Earlier days still teach. Calendar days with one such customer are left out: their mean is that customer.
    """
    bounds = np.append(np.flatnonzero(np.append(True, days.customer[1:] != days.customer[:-1])), days.customer.size)
    wanted = [
        (first, place)
        for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        for place in range(first + 1, last)
        if days.day[place] >= from_day
    ]
    shares = _value_means(days, estimators)
    estimates = {name: np.empty(len(wanted)) for name in estimators}
    target = np.empty(len(wanted))
    for row, (first, place) in enumerate(wanted):
        begin, now, end = (int(days.starts[at]) for at in (first, place, place + 1))
        past, ago = days.percentile[begin:now], days.day[place] - days.purchase_day[begin:now]
        target[row] = days.percentile[now:end].mean()
        for name, estimator in estimators.items():
            estimates[name][row] = estimator.of(past, ago, float(shares[name][place]))
    places = np.array([place for _, place in wanted], np.int64)
    day = days.day[places] if places.size else np.zeros(0, np.int64)
    _, code, count = np.unique(day, return_inverse=True, return_counts=True)
    mean = np.bincount(code, weights=target) / np.maximum(count, 1) if code.size else np.zeros(0)
    trial = Trial(days.customer[places] if places.size else np.zeros(0, np.int64), day, estimates, target - mean[code])
    return trial.part(count[code] > 1)


def judge(
    trial: Trial, *, standing: str, split_day: int, rng: np.random.Generator, resamples: int = 1000
) -> dict[str, Verdict]:
    """Return the verdict on each estimator: ``r_before`` before ``split_day``, everything else from it on.

    Gains are over the estimator named ``standing``.
    """
    before, after = trial.part(trial.day < split_day), trial.part(trial.day >= split_day)
    verdicts = {}
    drawn = _drawn(after.customer, rng, resamples)
    base = resampled_correlations(after.customer, after.estimates[standing], after.target, drawn)
    for name, estimate in after.estimates.items():
        again = resampled_correlations(after.customer, estimate, after.target, drawn)
        slope, start = _line(before.estimates[name], before.target)
        left = after.target - (start + slope * estimate)
        verdicts[name] = Verdict(
            r_before=_r(before.estimates[name], before.target),
            r=_r(estimate, after.target),
            r_low=_quantile(again, 0.025),
            r_high=_quantile(again, 0.975),
            gain=_r(estimate, after.target) - _r(after.estimates[standing], after.target),
            gain_low=_quantile(again - base, 0.025),
            gain_high=_quantile(again - base, 0.975),
            r_squared=1.0 - float(left @ left) / max(float(after.target @ after.target), 1e-300),
            customer_days=int(after.target.size),
        )
    return verdicts


def resampled_correlations(customer: Ints, one: Floats, other: Floats, drawn: Ints) -> Floats:
    """Return the correlation of two columns for each resampling (S, customers): how often each customer was drawn."""
    _, code = np.unique(customer, return_inverse=True)
    columns = np.stack([np.ones(one.size), one, other, one * one, other * other, one * other], axis=1)  # (Q, 6)
    sums = np.zeros((drawn.shape[1], 6))
    np.add.at(sums, code, columns)
    n, x, y, xx, yy, xy = (drawn @ sums).T  # each (S,)
    spread = np.sqrt(np.maximum((xx - x * x / n) * (yy - y * y / n), 0.0))
    return np.asarray(np.where(spread > 0, (xy - x * y / n) / np.where(spread > 0, spread, 1.0), 0.0), np.float64)


def _drawn(customer: Ints, rng: np.random.Generator, resamples: int) -> Ints:
    count = np.unique(customer).size
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples) if count else np.zeros((resamples, 0), int)


def _quantile(values: Floats, share: float) -> float:
    return float(np.quantile(values, share))


def _value_means(days: ShoppingDays, estimators: Mapping[str, Estimator]) -> dict[str, Floats]:
    """Return for each estimator the mean (D,) over all earlier purchases of what it averages."""
    order = np.argsort(days.purchase_day, kind="stable")
    first = np.searchsorted(days.purchase_day[order], days.day)  # (D,) purchases before each day
    means: dict[str, Floats] = {}
    for name, estimator in estimators.items():
        total = np.concatenate([[0.0], np.cumsum(estimator.value(days.percentile[order]))])
        means[name] = np.where(first > 0, total[first] / np.maximum(first, 1), 0.5)
    return means


def _r(one: Floats, other: Floats) -> float:
    if one.size < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _line(one: Floats, other: Floats) -> tuple[float, float]:
    spread = float(((one - one.mean()) ** 2).sum()) if one.size else 0.0
    if spread == 0:
        return 0.0, float(other.mean()) if other.size else 0.0
    slope = float(((one - one.mean()) * (other - other.mean())).sum()) / spread
    return slope, float(other.mean() - slope * one.mean())
