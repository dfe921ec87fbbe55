from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.verify.freshness import DurationHistogram

_durations = st.lists(st.floats(min_value=0.02, max_value=1e7), min_size=1, max_size=200)


@given(_durations, st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_right_to_one_bucket(durations: list[float], share: float) -> None:
    histogram = DurationHistogram()
    histogram.add_all(durations)
    exact = sorted(durations)[max(1, math.ceil(share * len(durations))) - 1]
    assert histogram.quantile_ms(share) == pytest.approx(exact, rel=0.017)


@given(_durations, _durations)
def test_merging_is_adding(some: list[float], others: list[float]) -> None:
    both, one, two = DurationHistogram(), DurationHistogram(), DurationHistogram()
    both.add_all(some + others)
    one.add_all(some)
    two.add_all(others)
    one.merge(two)
    assert (one.count, one.longest_ms) == (both.count, both.longest_ms)
    assert [one.quantile_ms(q) for q in (0.1, 0.5, 0.99)] == [both.quantile_ms(q) for q in (0.1, 0.5, 0.99)]


@given(st.lists(st.floats(min_value=-1.0, max_value=1e12), max_size=200))
def test_an_array_counts_as_its_values_do(durations: list[float]) -> None:
    one, other = DurationHistogram(), DurationHistogram()
    one.add_all(durations)
    other.add_array(np.array(durations, np.float64))
    assert (one.count, one.longest_ms) == (other.count, other.longest_ms)
    shares = (0.01, 0.5, 0.99, 1.0)
    assert [other.quantile_ms(q) for q in shares] == pytest.approx([one.quantile_ms(q) for q in shares], nan_ok=True)


def test_nothing_has_no_quantile() -> None:
    assert math.isnan(DurationHistogram().quantile_ms(0.5))


def test_the_ends_are_counted() -> None:
    histogram = DurationHistogram()
    histogram.add_all([-5.0, 0.0, 1e12])
    assert histogram.count == 3
    assert histogram.quantile_ms(0.5) == pytest.approx(0.01, rel=0.02)
    assert histogram.longest_ms == 1e12


def test_quantiles_never_exceed_the_longest() -> None:
    histogram = DurationHistogram()
    histogram.add_all(np.linspace(1.0, 1.001, 50).tolist())
    assert histogram.quantile_ms(1.0) <= 1.001
