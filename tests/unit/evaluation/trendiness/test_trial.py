import numpy as np
import pytest

from evaluation.trendiness.estimators import ESTIMATORS
from evaluation.trendiness.shopping_days import ShoppingDays
from evaluation.trendiness.trial import judge, resampled_correlations, trial_of
from evaluation.trendiness_study import STANDING


def made_up(taste: float, *, customers: int = 150, days: int = 60, seed: int = 5) -> ShoppingDays:
    """Customers whose percentiles are so far their own level, else chance; calendar days have levels of their own."""
    rng = np.random.default_rng(seed)
    level, day_level = rng.random(customers), 0.2 * rng.random(days)
    rows = [
        (customer, day, float(np.clip(taste * level[customer] + (1 - taste) * rng.random() + day_level[day], 0, 1)))
        for customer in range(customers)
        for day in sorted(rng.choice(days, size=12, replace=False).tolist())
        for _ in range(int(rng.integers(1, 4)))
    ]
    customer, day, percentile = (np.array(column) for column in zip(*rows, strict=True))
    starts = np.flatnonzero(np.append(True, (np.diff(customer) != 0) | (np.diff(day) != 0)))
    return ShoppingDays(customer[starts], day[starts], np.append(starts, customer.size), day, percentile)


def verdicts(taste: float) -> dict[str, float]:
    found = judge(
        trial_of(made_up(taste), ESTIMATORS, from_day=5), standing=STANDING, split_day=30, rng=np.random.default_rng(1)
    )
    return {name: verdict.r for name, verdict in found.items()}


def test_a_taste_that_lasts_is_found_and_the_whole_past_tells_more_than_the_last_purchase() -> None:
    found = verdicts(0.4)
    assert found["mean, prior 10"] > 0.3
    assert found["mean, prior 10"] > found["last purchase"] > 0.0


def test_without_a_taste_nothing_predicts() -> None:
    found = judge(
        trial_of(made_up(0.0), ESTIMATORS, from_day=5), standing=STANDING, split_day=30, rng=np.random.default_rng(1)
    )
    for verdict in found.values():
        assert abs(verdict.r) < 0.1
        assert verdict.r_low < 0.05
        assert verdict.r_squared < 0.02


def test_the_days_own_level_is_removed() -> None:
    trial = trial_of(made_up(0.4), ESTIMATORS, from_day=5)
    for day in np.unique(trial.day)[:10]:
        assert trial.target[trial.day == day].mean() == pytest.approx(0.0, abs=1e-12)


def test_an_estimate_knows_only_earlier_days() -> None:
    days = made_up(0.4)
    trial = trial_of(days, ESTIMATORS, from_day=0)
    later = days.percentile.copy()
    later[days.purchase_day >= 30] = 0.123  # what comes later changes no estimate before it
    changed = trial_of(
        ShoppingDays(days.customer, days.day, days.starts, days.purchase_day, later),
        {name: ESTIMATORS[name] for name in ("last purchase", "mean, prior 0")},
        from_day=0,
    )
    before = trial.day <= 30
    for name in ("last purchase", "mean, prior 0"):
        assert np.array_equal(trial.estimates[name][before], changed.estimates[name][before])


def test_the_interval_holds_the_correlation_and_narrows_with_customers() -> None:
    rng = np.random.default_rng(3)
    one = rng.normal(size=4000)
    other = 0.5 * one + rng.normal(size=4000)
    widths = []
    for size in (400, 4000):
        r = float(np.corrcoef(one[:size], other[:size])[0, 1])
        once = resampled_correlations(np.arange(size) // 2, one[:size], other[:size], np.ones((1, size // 2), np.int64))
        assert once[0] == pytest.approx(r)
        drawn = rng.multinomial(size // 2, np.full(size // 2, 2 / size), size=400)
        again = resampled_correlations(np.arange(size) // 2, one[:size], other[:size], drawn)
        low, high = np.quantile(again, [0.025, 0.975])
        assert low < r < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_nothing_gains_over_itself_and_the_last_purchase_loses() -> None:
    trial = trial_of(made_up(0.4), ESTIMATORS, from_day=5)
    found = judge(trial, standing=STANDING, split_day=30, rng=np.random.default_rng(1))
    assert found[STANDING].gain == found[STANDING].gain_low == found[STANDING].gain_high == 0.0
    assert found["last purchase"].gain_high < 0.0
