from __future__ import annotations

import numpy as np
import pytest

from trendloom.verify.saturation import Sample, Verdict, judge


def _samples(rate: float, served: float, *, seconds: float = 10.0, latency_s: float = 0.05) -> list[Sample]:
    """A step of a constant rate, answered at most at ``served`` a second, ``latency_s`` late."""
    at_s = np.arange(0.0, seconds, 0.1)
    due = np.floor(rate * at_s)
    settled = np.floor(np.minimum(due, served * np.maximum(at_s - latency_s, 0.0)))
    settled = np.minimum(settled, np.floor(rate * np.maximum(at_s - latency_s, 0.0)))
    return [
        Sample(1e12 + 1000.0 * at, int(d), int(d), int(d), int(s)) for at, d, s in zip(at_s, due, settled, strict=True)
    ]


@pytest.mark.parametrize("rate", [1.0, 50.0, 1000.0, 200_000.0])
@pytest.mark.parametrize("latency_s", [0.0, 0.02, 0.5])
def test_a_constant_delay_is_no_saturation(rate: float, latency_s: float) -> None:
    verdict = judge(rate, _samples(rate, 1e9, latency_s=latency_s))
    assert not verdict.saturated, verdict.why
    assert verdict.achieved_per_s == pytest.approx(rate, abs=1.0, rel=0.02)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_worker_that_cannot_keep_up_is_seen(share: float) -> None:
    verdict = judge(1000.0, _samples(1000.0, 1000.0 * share))
    assert verdict.saturated
    assert verdict.achieved_per_s == pytest.approx(1000.0 * share, rel=0.02)
    assert verdict.backlog_growth_per_s == pytest.approx(1000.0 * (1 - share), rel=0.05)
    assert "of the offered rate" in verdict.why
    assert "grows" in verdict.why
    assert verdict.backlog_at_end == verdict.backlog_most


def test_a_pause_that_is_made_good_is_no_saturation() -> None:
    samples = _samples(1000.0, 1e9)
    held = [
        Sample(s.at_ms, s.due, s.handed_over, s.acknowledged, min(s.settled, 4000) if 40 <= n < 60 else s.settled)
        for n, s in enumerate(samples)
    ]
    verdict = judge(1000.0, held)
    assert not verdict.saturated
    assert verdict.backlog_most > 1500


def test_too_little_to_judge() -> None:
    assert judge(10.0, []) == judge(10.0, [Sample(0.0, 9, 9, 9, 0)]) == Verdict()
