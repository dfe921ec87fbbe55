"""When each purchase of a load test is due: steps of a fixed rate, in which intended times never slip.

Pure arithmetic; nothing here knows a clock or Kafka. Read next: ``producers/load.py``, which sends what is due.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trendloom.errors import SettingsError

__all__ = ["LoadStep", "parse_rates", "plan_steps"]


@dataclass(frozen=True, slots=True)
class LoadStep:
    """Purchases ``first`` .. ``first + count - 1`` of the run, one every 1/``rate_per_s`` seconds from its start.

    >>> step = LoadStep(first=0, rate_per_s=4.0, duration_s=2.0)
    >>> step.count, step.due(0.0), step.due(260.0), step.due(9_000.0)
    (8, 1, 2, 8)
    >>> step.intended_ms(1000.0, 1, 3).tolist()
    [1250, 1500]
    """

    first: int
    rate_per_s: float
    duration_s: float

    @property
    def count(self) -> int:
        """How many purchases the step has: at least one."""
        return max(1, math.floor(self.rate_per_s * self.duration_s))

    def due(self, elapsed_ms: float) -> int:
        """Return how many purchases should have been sent ``elapsed_ms`` after the start of the step."""
        if elapsed_ms < 0:
            return 0
        return min(self.count, 1 + math.floor(elapsed_ms * self.rate_per_s / 1000.0))

    def intended_ms(self, start_ms: float, first: int, end: int) -> npt.NDArray[np.int64]:
        """Return the intended send times, whole ms since the epoch, of the step's purchases first .. end - 1.

        Purchase k (0, 1 ...) of the step is due at start + 1000 * k / rate; ``start_ms`` is when the step began.
        """
        times_ms = start_ms + np.arange(first, end, dtype=np.float64) * (1000.0 / self.rate_per_s)
        return times_ms.astype(np.int64)


def plan_steps(rates_per_s: Sequence[float], step_s: float, *, first: int = 0) -> list[LoadStep]:
    """Return one step for each rate, each ``step_s`` seconds long; purchases are numbered on from ``first``.

    >>> [(step.first, step.count) for step in plan_steps([10.0, 20.0], 3.0, first=5)]
    [(5, 30), (35, 60)]
    """
    steps: list[LoadStep] = []
    for rate in rates_per_s:
        steps.append(LoadStep(first, rate, step_s))
        first += steps[-1].count
    return steps


def parse_rates(text: str) -> list[float]:
    """Return the rates that ``1000,2000,4000`` names; raises :class:`SettingsError` unless all are above 0.

    >>> parse_rates("1000, 2.5e3")
    [1000.0, 2500.0]
    """
    try:
        rates = [float(word) for word in text.split(",")]
    except ValueError:
        rates = []
    if not rates or not all(0.0 < rate < float("inf") for rate in rates):
        raise SettingsError(f"{text!r} is no list of rates. Action: give purchases per second, as in 1000,2000,4000.")
    return rates
