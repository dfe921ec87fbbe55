"""The Kafka-facing agents' work: batches are decoded as one, bad records are set aside, the state is changed.

Popularity and trendiness change in one atomic step (``trendloom.state``), because two steps could not be exact through
crashes. What comes out is scored and published by :mod:`agents.scoring`, while the next batches are taken up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agents.batch_transport import Batch
from agents.counters import Counters
from agents.dead_letter import DeadLetters, dead_letter
from agents.fetched import Record
from trendloom.errors import BadMessage
from trendloom.events import SENT_AT_HEADER, DeadLetter, PurchaseRecord, decode_purchases
from trendloom.partitions import partitions_of_keys
from trendloom.refresh import Applied, Refresher
from trendloom.state.columns import Arrivals, Span
from trendloom.state.store import Partition

__all__ = ["Decoded", "PurchasesAgent", "Work", "intended_send_times"]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Decoded:
    """Batches whose bad records are set aside, as one; ``sent_at_ms`` (A,) when its ``arrivals`` (A,) were sent."""

    arrivals: Arrivals
    sent_at_ms: list[int | None]


@dataclass(slots=True)
class Work:
    """A batch on its way to scoring; ``sent_at_ms`` (A,) are the intended send times of its arrivals."""

    applied: Applied
    sent_at_ms: list[int | None]

    def listed_sent_at_ms(self) -> list[int | None]:
        """Return the intended send time of each listed purchase, in order."""
        return [self.sent_at_ms[place] for place in self.applied.listed.which.tolist()]


class PurchasesAgent:
    """Turns a batch of records into dead letters and applied purchases."""

    def __init__(
        self,
        refresher: Refresher,
        dead_letters: DeadLetters,
        counters: Counters,
        *,
        partitions: Callable[[], int],
        unknown_items: Literal["dead_letter", "count"],
        clock_ms: Callable[[], int],
    ) -> None:
        self._refresher = refresher
        self._dead_letters = dead_letters
        self._counters = counters
        self._partitions = partitions
        self._count_unknown_items = unknown_items == "count"
        self._clock_ms = clock_ms

    async def apply(self, *batches: Batch) -> Work:
        """Take batches, each of another partition, the whole way into the state."""
        work = await self.begin(await self.decode(batches))
        await work.applied.written()
        return work

    async def decode(self, batches: Sequence[Batch]) -> Decoded:
        """Decode batches, each of another partition, and number their items as one.

        Their dead letters are acknowledged before this returns.
        """
        now_ms = self._clock_ms()
        letters: list[DeadLetter] = []
        usable: list[int] = []
        known, count_unknown = self._refresher.catalogue.row_of, self._count_unknown_items
        arrived = [record for batch in batches for record in batch.records]
        decoded = decode_purchases([record.value for record in arrived], now_ms)
        purchases: list[PurchaseRecord] = []
        for place, found in enumerate(decoded):
            if isinstance(found, BadMessage):
                letters.append(self._set_aside(batches, place, found, now_ms))
            elif count_unknown or found.item_id in known:
                usable.append(place)
                purchases.append(found)
            else:
                letters.append(self._set_aside(batches, place, self._unknown(found.item_id), now_ms))
        numbers = await self._refresher.number([purchase.item_id for purchase in purchases])
        if (numbers < 0).any():
            full = np.flatnonzero(numbers < 0).tolist()
            letters += [self._set_aside(batches, usable[place], _FULL, now_ms) for place in full]
            kept = np.flatnonzero(numbers >= 0).tolist()
            usable, purchases = [usable[place] for place in kept], [purchases[place] for place in kept]
            numbers = numbers[kept]
        if letters:
            await self._dead_letters.publish(letters, now_ms)
        records = arrived if len(usable) == len(arrived) else [arrived[place] for place in usable]
        arrivals = Arrivals([record.offset for record in records], purchases, numbers, self._spans(batches, usable))
        self._count_keys(arrivals)
        return Decoded(arrivals, intended_send_times(records))

    @staticmethod
    def _spans(batches: Sequence[Batch], usable: Sequence[int]) -> list[Span]:
        ends = np.cumsum([len(batch.records) for batch in batches])
        sizes = np.diff(np.searchsorted(usable, ends), prepend=0).tolist()
        return [
            Span(Partition(batch.tp.topic, batch.tp.partition), batch.first_offset, batch.last_offset, size)
            for batch, size in zip(batches, sizes, strict=True)
        ]

    async def begin(self, decoded: Decoded) -> Work:
        """Begin to apply a decoded batch; the batches before of its partitions must be written."""
        return Work(await self._refresher.begin(decoded.arrivals), decoded.sent_at_ms)

    def _unknown(self, item_id: str) -> BadMessage:
        return BadMessage(
            "unknown_item",
            f"The catalogue {self._refresher.catalogue.fingerprint} has no item {item_id!r}. "
            "Action: add it to the catalogue, or set lists.unknown_items to count.",
        )

    def _set_aside(self, batches: Sequence[Batch], place: int, why: BadMessage, now_ms: int) -> DeadLetter:
        for batch in batches:
            if place < len(batch.records):
                break
            place -= len(batch.records)
        tp, record = batch.tp, batch.records[place]
        self._counters.dead_letters[why.reason] += 1
        log.warning("%s[%d]@%d: %s", tp.topic, tp.partition, record.offset, why.detail)
        return dead_letter(tp, record, why, now_ms)

    def _count_keys(self, arrivals: Arrivals) -> None:
        meant = partitions_of_keys([name.encode() for name in arrivals.names], self._partitions())
        self._counters.keyed_otherwise += int((meant[arrivals.places] != arrivals.partitions).sum())


def intended_send_times(records: Sequence[Record]) -> list[int | None]:
    """Return the ``sent_at`` header of each record in milliseconds; None where it is missing or no number."""
    return [_sent_at_ms(record.headers) if record.headers else None for record in records]


def _sent_at_ms(headers: Sequence[tuple[str, bytes | None]]) -> int | None:
    for name, value in headers:
        if name == SENT_AT_HEADER and value is not None and value.isdigit() and len(value) <= 15:
            return int(value)
    return None


_FULL = BadMessage(
    "too_many_items", "The state has room for no further item. Action: raise state.max_items and rebuild the state."
)
