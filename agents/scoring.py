"""The scoring agent: a batch that is being applied in, a refreshed list for each of its purchases out.

Scoring reads the items as they were before the batch, while the store is still at work on it; what the store refused
and was prepared anew is scored anew. Publishing overlaps with the next batches. Read next: :mod:`agents.debounce`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agents.counters import Counters
from agents.debounce import newest_of_each
from agents.publishing import Publisher, Record, Records
from agents.purchases import Work
from trendloom.refresh import Refresher

__all__ = ["ScoringAgent"]


class ScoringAgent:
    """Scores and publishes; with ``newest_only`` one list for each customer of a batch, not one for each purchase."""

    def __init__(
        self,
        refresher: Refresher,
        publisher: Publisher,
        counters: Counters,
        *,
        topic: str,
        clock_ms: Callable[[], int],
        newest_only: bool = False,
    ) -> None:
        self._refresher = refresher
        self._publisher = publisher
        self._counters = counters
        self._topic = topic
        self._clock_ms = clock_ms
        self._newest_only = newest_only

    async def score(self, work: Work) -> Sequence[Record]:
        """Return the lists of a batch as records once it is written, and let the items' copy catch up.

        They answer ``work.applied.listed``, in that order: with ``newest_only`` it has been narrowed to them.
        """
        applied = work.applied
        records = await self._records(work)
        if await applied.written():
            records = await self._records(work)
        self._refresher.settle(applied)
        self._counters.add(applied.tally)
        self._counters.lists_skipped += applied.tally.new + applied.tally.repeated - len(records)
        return records

    async def _records(self, work: Work) -> Sequence[Record]:
        applied = work.applied
        if not applied.listed:
            return []
        if self._newest_only:
            applied.listed = applied.listed.narrowed(newest_of_each(applied.listed))
        listed = applied.listed  # of a batch that is prepared anew meanwhile it is another one
        values = await self._refresher.lists(applied, listed, work.listed_sent_at_ms(), self._clock_ms())
        keys = [purchase.customer_id.encode() for purchase in listed.purchases]
        return Records(keys, values)

    async def publish(self, records: Sequence[Record]) -> None:
        """Publish lists and return when all of them are acknowledged."""
        if records:
            await self._publisher.publish(self._topic, records, self._clock_ms())
            self._counters.lists += len(records)
