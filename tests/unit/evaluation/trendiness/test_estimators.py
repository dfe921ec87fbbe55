import numpy as np
import pytest

from evaluation.trendiness.estimators import ESTIMATORS
from evaluation.trendiness_study import STANDING
from trendloom.state.customer import trendiness
from trendloom.state.rules import StateRules

PAST = np.array([0.9, 0.1, 0.5, 0.9])
DAYS_AGO = np.array([40, 12, 3, 3])


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimate_lies_between_what_it_is_made_of(name: str) -> None:
    assert 0.0 <= ESTIMATORS[name].of(PAST, DAYS_AGO, 0.5) <= 1.0
    assert ESTIMATORS[name].of(np.zeros(0), np.zeros(0, np.int64), 0.3) == pytest.approx(0.3)


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if "threshold" not in name])
def test_a_constant_past_with_the_populations_own_value_is_that_value(name: str) -> None:
    assert ESTIMATORS[name].of(np.full(4, 0.4), DAYS_AGO, 0.4) == pytest.approx(0.4)


def test_by_hand() -> None:
    assert ESTIMATORS["mean, prior 0"].of(PAST, DAYS_AGO, 0.5) == pytest.approx(0.6)
    assert ESTIMATORS["last purchase"].of(PAST, DAYS_AGO, 0.5) == 0.9
    assert ESTIMATORS["last day"].of(PAST, DAYS_AGO, 0.5) == pytest.approx(0.7)
    assert ESTIMATORS["threshold share"].of(PAST, DAYS_AGO, 0.5) == 0.5
    weights = 0.8 ** np.array([3, 2, 1, 0])
    expected = (2 * 0.5 + weights @ PAST) / (2 + weights.sum())
    assert ESTIMATORS["decay 0.8 a purchase, prior 2"].of(PAST, DAYS_AGO, 0.5) == pytest.approx(expected)
    weights = 0.5 ** (DAYS_AGO / 30)
    expected = (10 * 0.5 + weights @ PAST) / (10 + weights.sum())
    assert ESTIMATORS["half-life 30 days, prior 10"].of(PAST, DAYS_AGO, 0.5) == pytest.approx(expected)


def test_the_standing_one_is_what_the_state_computes() -> None:
    rules = StateRules()
    ours = trendiness(4, float(PAST.sum()), prior_mean=0.3, prior_weight=rules.trendiness_prior_weight)
    assert ESTIMATORS[STANDING].of(PAST, DAYS_AGO, 0.3) == pytest.approx(ours)
