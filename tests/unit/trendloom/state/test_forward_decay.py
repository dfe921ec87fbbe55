import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.state.forward_decay import batch_scores, decayed_counts
from trendloom.state.rules import LANDMARK_MS, StateRules

YEAR_MS = 365 * 86_400_000
RATES = (StateRules().slow_rate_per_ms, StateRules().fast_rate_per_ms)
_purchases = st.lists(
    st.tuples(st.integers(0, 3), st.integers(LANDMARK_MS - 5 * YEAR_MS, LANDMARK_MS + 10 * YEAR_MS)), max_size=60
)


def scores_of(purchases: list[tuple[int, int]], rate_per_ms: float) -> list[float]:
    flat = np.array(purchases, np.int64).reshape(-1, 2)
    scores = batch_scores(flat[:, 0], 4, flat[:, 1], rate_per_ms=rate_per_ms, landmark_ms=LANDMARK_MS)
    return [float(score) for score in scores]


def direct(purchases: list[tuple[int, int]], group: int, at_ms: int, rate_per_ms: float) -> float:
    return math.fsum(math.exp(rate_per_ms * (time_ms - at_ms)) for number, time_ms in purchases if number == group)


@pytest.mark.parametrize("rate_per_ms", RATES)
@given(purchases=_purchases, order=st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(
    rate_per_ms: float, purchases: list[tuple[int, int]], order: random.Random
) -> None:
    shuffled = list(purchases)
    order.shuffle(shuffled)
    assert scores_of(shuffled, rate_per_ms) == pytest.approx(scores_of(purchases, rate_per_ms), rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("rate_per_ms", RATES)
@given(purchases=_purchases)
def test_the_decayed_count_is_the_direct_sum(rate_per_ms: float, purchases: list[tuple[int, int]]) -> None:
    scores = np.array(scores_of(purchases, rate_per_ms))
    for group in range(4):
        times_ms = [time_ms for number, time_ms in purchases if number == group]
        at_ms = max(times_ms, default=LANDMARK_MS)
        count = decayed_counts(scores[group : group + 1], at_ms, rate_per_ms=rate_per_ms, landmark_ms=LANDMARK_MS)
        assert float(count[0]) == pytest.approx(direct(purchases, group, at_ms, rate_per_ms), rel=1e-9)


@pytest.mark.parametrize("rate_per_ms", RATES)
@given(first=_purchases, second=_purchases)
def test_batches_add_up(rate_per_ms: float, first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    added = np.logaddexp(scores_of(first, rate_per_ms), scores_of(second, rate_per_ms))
    assert added.tolist() == pytest.approx(scores_of(first + second, rate_per_ms), rel=1e-12, abs=1e-9)


def test_a_count_halves_in_a_half_life() -> None:
    rules = StateRules()
    rate_per_ms = rules.slow_rate_per_ms
    score = np.array(scores_of([(0, LANDMARK_MS + YEAR_MS)], rate_per_ms))
    later_ms = LANDMARK_MS + YEAR_MS + int(3 * rules.slow_half_life_s * 1000)
    counts = decayed_counts(score, later_ms, rate_per_ms=rate_per_ms, landmark_ms=LANDMARK_MS)
    assert counts.tolist() == pytest.approx([0.125, 0.0, 0.0, 0.0])


def test_a_century_of_the_shortest_half_life_overflows_nowhere() -> None:
    rate_per_ms = math.log(2) / 1000
    scores = scores_of([(0, LANDMARK_MS + 100 * YEAR_MS), (1, LANDMARK_MS - 100 * YEAR_MS)], rate_per_ms)
    assert all(math.isfinite(score) for score in scores[:2])
    assert scores[0] > 1e9  # its plain weight would have more than a billion digits
    assert scores[2:] == [-math.inf, -math.inf]
