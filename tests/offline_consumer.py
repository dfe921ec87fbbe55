"""A consumer of batches without a broker: what it fetches and what is assigned to it is what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import faust
from aiokafka.structs import ConsumerRecord
from faust.types import TP
from mode import Service

from agents.batch_transport import Batch, BatchConsumer, BatchTransport
from agents.fetched import Fetched

__all__ = ["NOW_MS", "A", "B", "C", "NoThread", "Offline", "OfflineTransport", "packed", "records", "with_consumer"]

A, B, C = TP("purchases", 0), TP("purchases", 1), TP("other", 0)
NOW_MS = 1_600_000_000_000


class NoThread(Service):
    """Stands where the thread would be that speaks to the broker; answers what the test put there."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.asked: list[set[TP]] = []
        self.answer: Callable[[], Any] = dict

    async def getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 - as Faust has it
        self.asked.append(set(active_partitions))
        return self.answer()


class Offline(BatchConsumer):
    """A consumer that is assigned what the test says, and keeps what it hands on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.assigned = {A, B}
        self.active = {A, B}
        self.ends: dict[TP, int | None] = {A: 100, B: 100}
        self.handed: list[Batch] = []
        self.messages: list[Any] = []
        self.committed: list[dict[TP, int]] = []
        self.sought: list[tuple[TP, int]] = []
        self.callback = self._keep
        self._placed.set()

    def _new_consumer_thread(self) -> Any:
        return NoThread(beacon=self.beacon)

    async def _keep(self, message: Any) -> None:
        self.handed.extend(message.value)
        self.messages.append(message)

    def assignment(self) -> Any:
        return self.assigned

    def _get_active_partitions(self) -> Any:
        return self.active

    def highwater(self, tp: Any) -> Any:
        return self.ends[tp]

    async def earliest_offsets(self, *partitions: Any) -> Any:
        return dict.fromkeys(partitions, 5)

    async def seek_wait(self, partitions: Any) -> None:
        self.sought.extend(partitions.items())

    async def seek_to_committed(self) -> Any:
        return {A: 40}

    def fetched(self, tp: TP, *offsets: int, at_ms: int = NOW_MS) -> None:
        """As if these records had been fetched."""
        self._waiting[tp] = Fetched([(offsets[0], packed(tp, *offsets, at_ms=at_ms))])

    async def hand_on(self, tp: TP, *offsets: int) -> Any:
        """Hand on a batch; return its message."""
        self.fetched(tp, *offsets)
        await self._hand_on()
        return self.messages[-1]


class Packed(list[Any]):
    """Records as aiokafka packs them: something to go through that knows where it ends."""

    @property
    def next_offset(self) -> int:
        return int(self[-1].offset) + 1


def packed(tp: TP, *offsets: int, at_ms: int = NOW_MS) -> Packed:
    return Packed(records(tp, *offsets, at_ms=at_ms))


class OfflineTransport(BatchTransport):
    Consumer = Offline


def records(tp: TP, *offsets: int, at_ms: int = NOW_MS) -> list[ConsumerRecord[bytes, bytes]]:
    return [
        ConsumerRecord(tp.topic, tp.partition, offset, at_ms + offset, 0, b"k", b"v", None, 1, 1, ())
        for offset in offsets
    ]


def with_consumer(check: Callable[[Offline, OfflineTransport], Awaitable[None]]) -> None:
    async def run() -> None:
        app = faust.App("t", broker="kafka://127.0.0.1:1", store="memory://", autodiscover=False, web_enabled=False)
        transport = OfflineTransport(app.conf.broker_consumer, app)
        app.transport = transport
        app.topics.acks_enabled_for = lambda topic: topic == "purchases"  # type: ignore[method-assign]
        await check(app.consumer, transport)  # type: ignore[arg-type]

    asyncio.run(run())
