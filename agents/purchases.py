"""The Kafka-facing agents' work: a batch of one partition is decoded, bad records are set aside, the state is changed.

Popularity and trendiness change in one atomic step (``trendloom.state``), because two steps could not be exact through
crashes. What comes out is scored and published by :mod:`agents.scoring`, while the next batches are taken up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from aiokafka.structs import ConsumerRecord

from agents.batch_transport import Batch
from agents.counters import Counters
from agents.dead_letter import DeadLetters, dead_letter
from trendloom.errors import BadMessage
from trendloom.events import SENT_AT_HEADER, DeadLetter, PurchaseRecord, decode_purchases
from trendloom.partitions import partitions_of_keys
from trendloom.refresh import Applied, Refresher
from trendloom.state.columns import Arrivals
from trendloom.state.store import Partition

__all__ = ["Decoded", "PurchasesAgent", "Work", "intended_send_time"]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Decoded:
    """A batch whose bad records are set aside; ``records`` (A,) are those of its ``arrivals`` (A,)."""

    batch: Batch
    arrivals: Arrivals
    records: Sequence[ConsumerRecord]


@dataclass(slots=True)
class Work:
    """A batch on its way to scoring; ``records`` (A,) are those of its arrivals."""

    applied: Applied
    records: Sequence[ConsumerRecord]

    def sent_at_ms(self) -> list[int | None]:
        """Return the intended send time of each listed purchase, in order."""
        records = self.records
        return [intended_send_time(records[place]) for place in self.applied.listed.which.tolist()]


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

    async def apply(self, batch: Batch) -> Work:
        """Take one batch the whole way into the state."""
        work = await self.begin(await self.decode(batch))
        await work.applied.written()
        return work

    async def decode(self, batch: Batch) -> Decoded:
        """Decode a batch and number its items; its dead letters are acknowledged before this returns."""
        now_ms = self._clock_ms()
        letters: list[DeadLetter] = []
        records: list[ConsumerRecord] = []
        purchases: list[PurchaseRecord] = []
        known, count_unknown = self._refresher.catalogue.row_of, self._count_unknown_items
        decoded = decode_purchases([record.value for record in batch.records], now_ms)
        for record, found in zip(batch.records, decoded, strict=True):
            if isinstance(found, BadMessage):
                letters.append(self._set_aside(record, found, now_ms))
            elif count_unknown or found.item_id in known:
                records.append(record)
                purchases.append(found)
            else:
                letters.append(self._set_aside(record, self._unknown(found.item_id), now_ms))
        numbers = await self._refresher.number([purchase.item_id for purchase in purchases])
        if (numbers < 0).any():
            letters += [self._set_aside(records[place], _FULL, now_ms) for place in np.flatnonzero(numbers < 0)]
            kept = np.flatnonzero(numbers >= 0).tolist()
            records, purchases = [records[place] for place in kept], [purchases[place] for place in kept]
            numbers = numbers[kept]
        if letters:
            await self._dead_letters.publish(letters, now_ms)
        arrivals = Arrivals([record.offset for record in records], purchases, numbers)
        self._count_keys(batch, arrivals)
        return Decoded(batch, arrivals, records)

    async def begin(self, decoded: Decoded) -> Work:
        """Begin to apply a decoded batch; the batch before must be written."""
        batch = decoded.batch
        applied = await self._refresher.begin(
            Partition(batch.tp.topic, batch.tp.partition),
            decoded.arrivals,
            first_offset=batch.first_offset,
            last_offset=batch.last_offset,
        )
        return Work(applied, decoded.records)

    def _unknown(self, item_id: str) -> BadMessage:
        return BadMessage(
            "unknown_item",
            f"The catalogue {self._refresher.catalogue.fingerprint} has no item {item_id!r}. "
            "Action: add it to the catalogue, or set lists.unknown_items to count.",
        )

    def _set_aside(self, record: ConsumerRecord, why: BadMessage, now_ms: int) -> DeadLetter:
        self._counters.dead_letters[why.reason] += 1
        log.warning("%s[%d]@%d: %s", record.topic, record.partition, record.offset, why.detail)
        return dead_letter(record, why, now_ms)

    def _count_keys(self, batch: Batch, arrivals: Arrivals) -> None:
        keys = [name.encode() for name in arrivals.names]
        away = partitions_of_keys(keys, self._partitions()) != batch.tp.partition
        self._counters.keyed_otherwise += int(away[arrivals.places].sum())


def intended_send_time(record: ConsumerRecord) -> int | None:
    """Return the ``sent_at`` header of a record in milliseconds; None where it is missing or no number."""
    for name, value in record.headers:
        if name == SENT_AT_HEADER and value is not None and value.isdigit() and len(value) <= 15:
            return int(value)
    return None


_FULL = BadMessage(
    "too_many_items", "The state has room for no further item. Action: raise state.max_items and rebuild the state."
)
