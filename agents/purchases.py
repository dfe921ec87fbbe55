"""The Kafka-facing agent: takes a batch of one partition, decodes it, sets bad records aside, applies it to the state.

Popularity and trendiness change in one atomic step (``trendloom.state``), because two steps could not be exact through
crashes. What it hands on, through an in-memory channel, is scored and published by :mod:`agents.scoring`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aiokafka.structs import ConsumerRecord

from agents.batch_transport import Batch
from agents.counters import Counters
from agents.dead_letter import DeadLetters, dead_letter
from agents.publishing import partition_of
from trendloom.errors import BadMessage
from trendloom.events import SENT_AT_HEADER, DeadLetter, PurchaseRecord, decode_purchases
from trendloom.refresh import Applied, Refresher
from trendloom.state.fold import Arrival
from trendloom.state.store import Partition

__all__ = ["PurchasesAgent", "Work", "intended_send_time"]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Work:
    """An applied batch on its way to scoring; ``sent_at_ms`` belongs to ``applied.listed``, in order."""

    applied: Applied
    sent_at_ms: list[int | None]


class PurchasesAgent:
    """Turns a batch of records into applied purchases and dead letters."""

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
        self._unknown_items = unknown_items
        self._clock_ms = clock_ms

    async def apply(self, batch: Batch) -> Work:
        """Apply one batch; its dead letters are acknowledged before this returns."""
        now_ms = self._clock_ms()
        letters: list[DeadLetter] = []
        usable: list[tuple[ConsumerRecord, PurchaseRecord]] = []
        decoded = decode_purchases([record.value for record in batch.records], now_ms)
        for record, found in zip(batch.records, decoded, strict=True):
            why = found if isinstance(found, BadMessage) else self._unknown(found.item_id)
            if why is not None:
                letters.append(self._set_aside(record, why, now_ms))
            elif isinstance(found, PurchaseRecord):
                usable.append((record, found))
        numbers = await self._refresher.number([purchase.item_id for _, purchase in usable])
        arrivals = []
        for (record, purchase), number in zip(usable, numbers.tolist(), strict=True):
            if number < 0:
                letters.append(self._set_aside(record, _FULL, now_ms))
            else:
                arrivals.append(Arrival(record.offset, purchase, number))
        if letters:
            await self._dead_letters.publish(letters, now_ms)
        applied = await self._refresher.apply(
            Partition(batch.tp.topic, batch.tp.partition),
            arrivals,
            first_offset=batch.first_offset,
            last_offset=batch.last_offset,
        )
        self._count_keys(batch, usable)
        self._counters.add(applied.tally)
        sent_at = {record.offset: intended_send_time(record) for record, _ in usable}
        return Work(applied, [sent_at[listed.arrival.offset] for listed in applied.listed])

    def _unknown(self, item_id: str) -> BadMessage | None:
        if self._unknown_items == "count" or item_id in self._refresher.catalogue.row_of:
            return None
        return BadMessage(
            "unknown_item",
            f"The catalogue {self._refresher.catalogue.fingerprint} has no item {item_id!r}. "
            "Action: add it to the catalogue, or set lists.unknown_items to count.",
        )

    def _set_aside(self, record: ConsumerRecord, why: BadMessage, now_ms: int) -> DeadLetter:
        self._counters.dead_letters[why.reason] += 1
        log.warning("%s[%d]@%d: %s", record.topic, record.partition, record.offset, why.detail)
        return dead_letter(record, why, now_ms)

    def _count_keys(self, batch: Batch, usable: list[tuple[ConsumerRecord, PurchaseRecord]]) -> None:
        partitions = self._partitions()
        for _, purchase in usable:
            if partition_of(purchase.customer_id.encode(), partitions) != batch.tp.partition:
                self._counters.keyed_otherwise += 1


def intended_send_time(record: ConsumerRecord) -> int | None:
    """Return the ``sent_at`` header of a record in milliseconds; None where it is missing or no number."""
    for name, value in record.headers:
        if name == SENT_AT_HEADER and value is not None and value.isdigit() and len(value) <= 15:
            return int(value)
    return None


_FULL = BadMessage(
    "too_many_items", "The state has room for no further item. Action: raise state.max_items and rebuild the state."
)
