from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.relevance.popularity_fit import minmax, popularity_fit

UNIT = st.floats(0, 1)


@given(UNIT, UNIT, st.floats(0.5, 8))
def test_a_fit_is_symmetric_and_within_0_and_1(popularity: float, trendiness: float, exponent: float) -> None:
    fit = float(popularity_fit(popularity, trendiness, exponent))
    assert 0.0 <= fit <= 1.0
    assert fit == pytest.approx(float(popularity_fit(trendiness, popularity, exponent)))


def test_odd_exponents_reward_nobody() -> None:
    assert float(popularity_fit(0.0, 1.0, 3.0)) == 0.0


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5))
def test_scaling_stays_within_0_and_1(value: float, one: float, other: float) -> None:
    assert 0.0 <= float(minmax(value, min(one, other), max(one, other))) <= 1.0


def test_all_equal_is_1() -> None:
    assert minmax([3.0, 3.0], 3.0, 3.0).tolist() == [1.0, 1.0]
