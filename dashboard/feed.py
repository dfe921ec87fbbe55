"""What people see, in memory: rates, freshness, what is rising, the latest lists. Fed by whoever reads the topics.

A :class:`Feed` keeps only the last seconds and the last few lists, so it stays small however long a run is. The
terminal view and the page both read :meth:`Feed.state`. Read next: :mod:`dashboard.page`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trendloom.verify.freshness import DurationHistogram

__all__ = ["Feed"]

_WINDOW_S = 10
_RECENT_LISTS = 8
_LIST_EVERY_S = 0.7  # nobody can look at more lists than this


@dataclass(slots=True)
class _Second:
    at_s: int
    lists: int = 0
    purchases: int = 0
    freshness: DurationHistogram = field(default_factory=DurationHistogram)


class Feed:
    """The live picture of a run; every method may be called from any thread. ``clock_s`` is seconds since the epoch.

    >>> feed = Feed(clock_s=lambda: 100.5)
    >>> feed.purchase_sent()
    >>> feed.state()["purchases_sent"], feed.state()["awaited"]
    (1, 1)
    """

    def __init__(self, *, clock_s: Callable[[], float], preset: str = "", recent: int = _RECENT_LISTS) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._seconds: deque[_Second] = deque(maxlen=_WINDOW_S + 1)
        self._recent: deque[dict[str, Any]] = deque(maxlen=recent)
        self._last_kept_s = 0.0
        self._rising: list[dict[str, Any]] = []
        self._sent = self._listed = self._dead = 0
        self._status = "starting"
        self._preset = preset
        self._started_s = clock_s()

    def status(self, status: str) -> None:
        """Say where the run stands, in a few words."""
        with self._lock:
            self._status = status

    def purchase_sent(self) -> None:
        """Count a purchase."""
        with self._lock:
            self._sent += 1
            self._second().purchases += 1

    def list_published(self, found: Mapping[str, Any], received_ms: float) -> None:
        """Take a decoded recommendation list, received at ``received_ms`` since the epoch."""
        with self._lock:
            self._listed += 1
            second = self._second()
            second.lists += 1
            if found["sent_at"] is not None:
                second.freshness.add(received_ms - found["sent_at"])
            now_s = self._clock_s()
            if now_s - self._last_kept_s >= _LIST_EVERY_S or len(self._recent) < 2:
                self._last_kept_s = now_s
                self._recent.appendleft({**found, "received_ms": received_ms})

    def dead_letter(self) -> None:
        """Count a dead letter."""
        with self._lock:
            self._dead += 1

    def rising(self, snapshot: Mapping[str, Any]) -> None:
        """Take a decoded trend snapshot."""
        with self._lock:
            self._rising = list(snapshot["items"])

    def state(self) -> dict[str, Any]:
        """Return the picture as plain values for JSON; rates and freshness are those of the last ten whole seconds."""
        with self._lock:
            now_s = self._clock_s()
            whole = [second for second in self._seconds if int(now_s) - _WINDOW_S <= second.at_s < int(now_s)]
            span_s = max(1, min(_WINDOW_S, int(now_s) - whole[0].at_s)) if whole else 1
            freshness = DurationHistogram()
            for second in whole:
                freshness.merge(second.freshness)
            return {
                "status": self._status,
                "preset": self._preset,
                "running_s": round(now_s - self._started_s, 1),
                "purchases_sent": self._sent,
                "lists_published": self._listed,
                "dead_letters": self._dead,
                "awaited": max(0, self._sent - self._listed - self._dead),
                "purchases_per_s": round(sum(second.purchases for second in whole) / span_s, 1),
                "lists_per_s": round(sum(second.lists for second in whole) / span_s, 1),
                "lists_each_s": [second.lists for second in whole],
                "freshness_ms": {
                    "p50": round(freshness.quantile_ms(0.5), 1) if freshness.count else None,
                    "p99": round(freshness.quantile_ms(0.99), 1) if freshness.count else None,
                },
                "rising": list(self._rising),
                "recent": list(self._recent),
            }

    def _second(self) -> _Second:
        at_s = int(self._clock_s())
        if not self._seconds or self._seconds[-1].at_s != at_s:
            self._seconds.append(_Second(at_s))
        return self._seconds[-1]
