"""When to send: clocks, and the intended send time of each purchase.

Intended times do not slip when sending does: what is late is sent at once, and its delay shows in the freshness.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Clock", "SteppedClock", "SystemClock", "wait_until"]

#: Longest single wait, so that a stop is seen soon even by a clock that cannot be interrupted.
_SLICE_S = 0.5


class Clock(Protocol):
    """Time as ms since the epoch, and a way to let it pass."""

    def now_ms(self) -> float:
        """Return the time now, ms since the epoch."""

    def wait(self, seconds: float, stop: threading.Event | None) -> None:
        """Let time pass; returns early when ``stop`` is set."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> float:
        """Return the time now, ms since the epoch."""
        return time.time() * 1000.0

    def wait(self, seconds: float, stop: threading.Event | None) -> None:
        """Sleep; returns early when ``stop`` is set."""
        if stop is None:
            time.sleep(seconds)
        else:
            stop.wait(seconds)


@dataclass
class SteppedClock:
    """A clock that moves only when somebody waits for it: for tests, and for runs that should not wait.

    >>> clock = SteppedClock(1_600_000_000_000.0)
    >>> clock.wait(2.5, None)
    >>> clock.now_ms(), clock.waited_s
    (1600000002500.0, 2.5)
    """

    at_ms: float
    waited_s: float = field(default=0.0)

    def now_ms(self) -> float:
        """Return the time that it was set to, plus all waits."""
        return self.at_ms

    def wait(self, seconds: float, stop: threading.Event | None) -> None:
        """Move forward at once, unless ``stop`` is set."""
        if stop is None or not stop.is_set():
            self.at_ms += seconds * 1000.0
            self.waited_s += seconds


def wait_until(due_ms: float, clock: Clock, stop: threading.Event | None) -> bool:
    """Wait until the clock shows ``due_ms``; returns False if it was stopped before."""
    while not (stop is not None and stop.is_set()):
        ahead_s = (due_ms - clock.now_ms()) / 1000.0
        if ahead_s <= 0:
            return True
        clock.wait(min(ahead_s, _SLICE_S), stop)
    return False
