from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.relevance.popularity import decayed, percentile_ranks, rising

HOUR_MS = 3_600_000


def test_decayed_equals_the_sum_over_purchases() -> None:
    bought_ms = [0, 2 * HOUR_MS, 5 * HOUR_MS]
    score = np.logaddexp.reduce([np.log(2.0) * at / HOUR_MS for at in bought_ms])
    now_ms = 7 * HOUR_MS
    expected = sum(0.5 ** ((now_ms - at) / HOUR_MS) for at in bought_ms)
    assert decayed(score, 3600.0, 0, now_ms).item() == pytest.approx(expected)


def test_never_sold_is_zero() -> None:
    assert decayed(-np.inf, 3600.0, 0, 10**12).item() == 0.0


@given(st.lists(st.one_of(st.integers(-5, 5).map(float), st.just(-np.inf)), max_size=30))
def test_percentiles_count_lower_and_half_of_equal(scores: list[float]) -> None:
    sold = [score for score in scores if score > -np.inf]
    expected = [
        (sum(other < score for other in sold) + sum(other == score for other in sold) / 2) / len(sold)
        if score > -np.inf
        else 0.0
        for score in scores
    ]
    assert percentile_ranks(scores).tolist() == pytest.approx(expected)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=30))
def test_percentiles_of_sold_items_average_to_a_half(scores: list[float]) -> None:
    assert percentile_ranks(scores).mean() == pytest.approx(0.5)


def test_a_burst_rises_and_a_fading_item_falls() -> None:
    steady = np.log([240.0, 240.0, 240.0])
    now = np.log([10.0, 40.0, 1.0])
    values = rising(steady, now, slow_half_life_s=86_400, fast_half_life_s=3_600, landmark_ms=0, at_ms=0)
    assert values[0] == pytest.approx(1.0)
    assert values[1] > 2.0
    assert values[2] < 0.5


def test_an_item_never_sold_is_steady() -> None:
    assert rising(-np.inf, -np.inf, slow_half_life_s=2, fast_half_life_s=1, landmark_ms=0, at_ms=0).item() == 1.0
