"""The scoring agent: an applied batch in, a refreshed list for each purchase out, then the batch is acknowledged.

Scoring reads the items as they were before the batch; publishing overlaps with the next batch's work on the state.
"""

from __future__ import annotations

from collections.abc import Callable

from agents.counters import Counters
from agents.publishing import Publisher, Record
from agents.purchases import Work
from trendloom.refresh import Refresher

__all__ = ["ScoringAgent"]


class ScoringAgent:
    """Scores and publishes."""

    def __init__(
        self, refresher: Refresher, publisher: Publisher, counters: Counters, *, topic: str, clock_ms: Callable[[], int]
    ) -> None:
        self._refresher = refresher
        self._publisher = publisher
        self._counters = counters
        self._topic = topic
        self._clock_ms = clock_ms

    def score(self, work: Work) -> list[Record]:
        """Return the batch's lists as records, and let the items' copy catch up: the next batch may be prepared."""
        applied = work.applied
        records: list[Record] = []
        if applied.listed:
            top = self._refresher.score(applied)
            values = self._refresher.encode(applied, top, work.sent_at_ms, self._clock_ms())
            keys = [listed.arrival.purchase.customer_id.encode() for listed in applied.listed]
            records = list(zip(keys, values, strict=True))
        self._refresher.settle(applied)
        return records

    async def publish(self, records: list[Record]) -> None:
        """Publish lists and return when all of them are acknowledged."""
        if records:
            await self._publisher.publish(self._topic, records, self._clock_ms())
            self._counters.lists += len(records)
