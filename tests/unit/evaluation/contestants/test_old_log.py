"""Logs from before 2020, the landmark of forward decay: their scores lie far below 0, and lists are as good as any."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from small_log import START_MS, small_ground, small_purchases

from evaluation.contestant import DAY_MS, Purchases
from evaluation.contestants.live import Live
from trendloom.relevance.presets import PRESETS

YEARS_MS = 11 * 365 * DAY_MS  # whole days: the days of the log stay days


def lists(shift_ms: int) -> tuple[list[list[int]], bool]:
    recent = small_purchases(events=200)
    purchases = Purchases.of(recent.customer, recent.item, recent.at_ms - shift_ms)
    ground = small_ground()
    live = Live("balanced", ground, PRESETS["balanced"], compiled=True)
    live.learn(purchases.part(slice(0, 100)))
    ground.customers.learn(purchases.part(slice(0, 100)))
    found = live.after(purchases.part(slice(100, None)), 10).tolist()
    live.learn(purchases.part(slice(100, None)))
    top = live.before(np.arange(3), np.full(3, START_MS + 20 * DAY_MS - shift_ms), 10)
    live.close()
    return found, bool((top >= 0).all())


@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs numba (the extra fast)")
def test_lists_of_an_old_log_are_those_of_the_same_log_today() -> None:
    assert lists(YEARS_MS) == lists(0)
