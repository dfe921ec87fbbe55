from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.load_schedule import LoadStep, parse_rates, plan_steps
from trendloom.errors import SettingsError

_rates = st.floats(min_value=0.5, max_value=5e5)


@given(_rates, st.floats(min_value=0.1, max_value=20.0), st.floats(min_value=0.0, max_value=3e4))
def test_what_is_due_was_intended_by_then(rate: float, duration_s: float, elapsed_ms: float) -> None:
    step = LoadStep(first=7, rate_per_s=rate, duration_s=duration_s)
    due = step.due(elapsed_ms)
    assert 1 <= due <= step.count
    assert step.intended_ms(0.0, due - 1, due)[0] <= elapsed_ms + 1e-6
    if due < step.count:
        assert (due + 1e-9) * 1000.0 / rate > elapsed_ms - 1e-6


def test_intended_times_do_not_depend_on_how_they_are_asked_for() -> None:
    step = LoadStep(first=0, rate_per_s=333.0, duration_s=3.0)
    whole = step.intended_ms(1_600_000_000_000.7, 0, step.count).tolist()
    parts = [
        ms for first in range(0, step.count, 10) for ms in step.intended_ms(1_600_000_000_000.7, first, first + 10)
    ]
    assert parts[: step.count] == whole
    assert whole[0] == 1_600_000_000_000
    assert whole[-1] - whole[0] == pytest.approx(1000.0 * (step.count - 1) / 333.0, abs=1.0)


def test_nothing_is_due_before_the_start() -> None:
    assert LoadStep(0, 1000.0, 1.0).due(-0.1) == 0


def test_steps_number_their_purchases_on() -> None:
    steps = plan_steps([1000.0, 0.1, 2000.0], 2.0, first=50)
    assert [(step.first, step.count) for step in steps] == [(50, 2000), (2050, 1), (2051, 4000)]


@pytest.mark.parametrize("text", ["", "fast", "100,", "100,0", "-5", "nan", "inf"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="Action: "):
        parse_rates(text)
