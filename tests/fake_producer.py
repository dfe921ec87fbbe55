"""A producer without a broker: for tests of everything that publishes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka.record.memory_records import MemoryRecords

__all__ = ["FakeBatch", "FakeProducer"]

Sent = tuple[str, int, list[tuple[bytes, bytes, int]]]


class FakeBatch:
    """Takes so many records, and none of more than a million bytes, as the worker's own producer."""

    def __init__(self, room: int) -> None:
        self._taken: list[tuple[bytes, bytes, int]] = []
        #: Bytes that were packed elsewhere, as aiokafka's own batches hold what they have built.
        self._buffer: memoryview | None = None
        self._relative_offset = 0
        self.closed = False
        self._room = room

    def append(self, *, key: bytes, value: bytes, timestamp: int) -> object | None:
        if len(self._taken) == self._room or len(value) > 1_000_000:
            return None
        self._taken.append((key, value, timestamp))
        return self

    @property
    def records(self) -> list[tuple[bytes, bytes, int]]:
        """What it holds, as (key, value, timestamp)."""
        if self._buffer is None:
            return self._taken
        batch = MemoryRecords(bytes(self._buffer)).next_batch()
        assert batch is not None
        found = [(record.key or b"", record.value or b"", record.timestamp) for record in batch]
        assert len(found) == self._relative_offset
        return found

    def close(self) -> None:
        self.closed = True


class FakeProducer:
    """A producer whose ``faults`` come first: at a send, or (``late``) at its acknowledgement."""

    def __init__(self, partitions: Mapping[str, int], *, room: int = 3, late: bool = False) -> None:
        self.faults: list[Exception] = []
        self.sent: list[Sent] = []
        self.asked = 0
        self._partitions = partitions
        self._room = room
        self._late = late

    async def partitions_for(self, topic: str) -> set[int]:
        self.asked += 1
        if self.faults:
            raise self.faults.pop(0)
        return set(range(self._partitions[topic]))

    def create_batch(self) -> FakeBatch:
        return FakeBatch(self._room)

    async def send_batch(self, batch: FakeBatch, topic: str, *, partition: int) -> asyncio.Future[None]:
        assert batch.closed
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.faults:
            fault = self.faults.pop(0)
            if not self._late:
                raise fault
            acknowledged.set_exception(fault)
        else:
            self.sent.append((topic, partition, batch.records))
            acknowledged.set_result(None)
        return acknowledged

    def values(self, topic: str) -> list[bytes]:
        """The values that a topic got, in order."""
        return [value for name, _, batch in self.sent if name == topic for _, value, _ in batch]
