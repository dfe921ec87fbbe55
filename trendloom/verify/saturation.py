"""Does the stream keep up with what is offered? A verdict from counts over time.

The backlog is what should have been sent by the schedule minus what has its list or a dead letter, so a sender that
falls behind counts as much as a worker that does. Read next: :mod:`trendloom.verify.load_check`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Sample", "Verdict", "judge"]

#: What must be achieved of the offered rate.
_ACHIEVED_SHARE = 0.98
#: A backlog below this much of the offered rate is under way, not waiting.
_UNDER_WAY_S = 0.1
#: The first part of a step, in which the backlog first builds up to what is always under way, is not judged.
_WARM_UP_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Sample:
    """Counts at a moment (ms since the epoch): purchases due by the schedule, handed over, acknowledged, settled.

    Settled are those that have a list, or were set aside as a dead letter.
    """

    at_ms: float
    due: int
    handed_over: int
    acknowledged: int
    settled: int

    @property
    def backlog(self) -> int:
        """Purchases that are due and are not settled."""
        return self.due - self.settled


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a step went; rates are lists a second, ``why`` is empty where it kept up."""

    saturated: bool = False
    why: str = ""
    achieved_per_s: float = 0.0
    backlog_growth_per_s: float = 0.0
    backlog_most: int = 0
    backlog_at_end: int = 0


def judge(offered_per_s: float, samples: Sequence[Sample]) -> Verdict:
    """Return whether a step kept up with ``offered_per_s``; ``samples`` are those of its time, in order.

    After a warm-up of a quarter: achieved = Δ settled / Δ time; growth = least-squares slope of the backlog. A step is
    saturated if it ends with a backlog of more than 0.1 s of the offered rate and either achieves less than 98 % of
    it or has a backlog that grows by more than 2 % of it. Fewer than two samples are no step: all 0.

    >>> keeps_up = [Sample(100.0 * n, 10 * n, 10 * n, 10 * n, 10 * n - 2) for n in range(40)]
    >>> judge(100.0, keeps_up).saturated
    False
    >>> half = [Sample(100.0 * n, 10 * n, 10 * n, 10 * n, 5 * n) for n in range(40)]
    >>> verdict = judge(100.0, half)
    >>> verdict.saturated, verdict.achieved_per_s, round(verdict.backlog_growth_per_s)
    (True, 50.0, 50)
    """
    if len(samples) < 2:
        return Verdict()
    first_ms, last_ms = samples[0].at_ms, samples[-1].at_ms
    from_ms = first_ms + _WARM_UP_SHARE * (last_ms - first_ms)
    judged = [sample for sample in samples if sample.at_ms >= from_ms]
    judged = judged if len(judged) >= 2 else list(samples)
    at_s = np.array([sample.at_ms for sample in judged]) / 1000.0
    backlog = np.array([sample.backlog for sample in judged], np.float64)
    elapsed_s = max(float(at_s[-1] - at_s[0]), 1e-9)
    achieved = (judged[-1].settled - judged[0].settled) / elapsed_s
    centred = at_s - at_s.mean()
    growth = float(centred @ (backlog - backlog.mean()) / max(float(centred @ centred), 1e-12))
    reasons = []
    if judged[-1].backlog > _UNDER_WAY_S * offered_per_s + 1.0:
        if achieved < _ACHIEVED_SHARE * offered_per_s:
            reasons.append(f"achieved {achieved / offered_per_s:.1%} of the offered rate")
        if growth > (1.0 - _ACHIEVED_SHARE) * offered_per_s:
            reasons.append(f"the backlog grows by {growth:.0f} a second")
    return Verdict(
        saturated=bool(reasons),
        why="; ".join(reasons),
        achieved_per_s=achieved,
        backlog_growth_per_s=growth,
        backlog_most=max(sample.backlog for sample in samples),
        backlog_at_end=samples[-1].backlog,
    )
