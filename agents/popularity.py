"""The items' side of the stream: a periodic snapshot of what is rising goes to the ``trends`` topic.

The counts themselves change in the atomic step of :mod:`agents.purchases`; this reads the worker's copy of them.
"""

from __future__ import annotations

import numpy as np

from agents.publishing import Publisher
from trendloom.events import RisingItem, TrendSnapshot, encode
from trendloom.relevance.popularity import decayed, rising
from trendloom.state.mirror import Mirror
from trendloom.state.rules import LANDMARK_MS, StateRules

__all__ = ["TrendsPublisher", "latest_event_ms", "rising_items"]


def latest_event_ms(mirror: Mirror, rules: StateRules) -> int:
    """Return the latest event time that the counts prove, milliseconds since the epoch; 0 if nothing was bought.

    An item's fast score is at most log(purchases) + rate (t - landmark) with t its latest purchase, so
    landmark + (score - log(purchases)) / rate is never after t, and equals it for an item bought once.
    """
    sold = np.flatnonzero(mirror.purchases > 0)
    if sold.size == 0:
        return 0
    since_ms = (mirror.fast[sold] - np.log(mirror.purchases[sold])) / rules.fast_rate_per_ms
    return LANDMARK_MS + int(since_ms.max().round())


def rising_items(mirror: Mirror, rules: StateRules, at_ms: int, count: int) -> list[RisingItem]:
    """Return the ``count`` fastest rising items at an event time, the fastest first; of equal ones the more popular."""
    numbers = np.flatnonzero(mirror.purchases > 0)
    slow, fast = mirror.slow[numbers], mirror.fast[numbers]
    popularity = decayed(slow, rules.slow_half_life_s, LANDMARK_MS, at_ms)
    rise = rising(
        slow,
        fast,
        slow_half_life_s=rules.slow_half_life_s,
        fast_half_life_s=rules.fast_half_life_s,
        landmark_ms=LANDMARK_MS,
        at_ms=at_ms,
    )
    best = np.lexsort((numbers, -popularity, -rise))[:count]
    return [
        RisingItem(
            item_id=mirror.ids[int(numbers[place])],
            rising=float(rise[place]),
            popularity=float(popularity[place]),
            purchases=int(mirror.purchases[numbers[place]]),
        )
        for place in best.tolist()
    ]


class TrendsPublisher:
    """Publishes a :class:`~trendloom.events.TrendSnapshot` whenever the stream's event time has moved on."""

    def __init__(self, mirror: Mirror, rules: StateRules, publisher: Publisher, *, topic: str, count: int = 50) -> None:
        self._mirror = mirror
        self._rules = rules
        self._publisher = publisher
        self._topic = topic
        self._count = count
        self._published_ms = 0
        self._latest_ms = 0

    def saw(self, at_ms: int) -> None:
        """Note the event time of a purchase."""
        self._latest_ms = max(self._latest_ms, at_ms)

    async def publish(self, clock_ms: int) -> bool:
        """Publish a snapshot as of the latest event time; return whether there was anything new."""
        if self._latest_ms <= self._published_ms:
            return False
        self._published_ms = self._latest_ms
        snapshot = TrendSnapshot(
            window_end=self._latest_ms,
            slow_half_life_s=self._rules.slow_half_life_s,
            fast_half_life_s=self._rules.fast_half_life_s,
            items=tuple(rising_items(self._mirror, self._rules, self._latest_ms, self._count)),
        )
        await self._publisher.publish(self._topic, [(str(self._latest_ms).encode(), encode(snapshot))], clock_ms)
        return True
