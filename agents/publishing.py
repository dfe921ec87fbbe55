"""Sends records in whole batches, one partition at a time, and returns when the broker has acknowledged all of them.

Partitions follow Kafka's murmur2 of the key, as producers do, so a customer's lists lie where their purchases lie, and
in the order in which they were handed over, also by several who publish at once. A
broker that does not answer is asked again with growing pauses until the budget is spent.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, overload

import numpy as np
import numpy.typing as npt
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from trendloom.errors import BrokerUnavailable
from trendloom.partitions import partitions_of_keys
from trendloom.refresh.lists import Joined

__all__ = ["MOST_BATCH_BYTES", "Packed", "Packer", "Publisher", "Record", "Records", "compiled_packer"]

log = logging.getLogger(__name__)
T = TypeVar("T")

#: (key, value) as bytes.
Record = tuple[bytes, bytes]
#: No batch holds more, a little below what brokers take.
MOST_BATCH_BYTES = 1_000_000
#: So many records are packed in a thread beside the event loop; fewer are packed before a thread would begin.
_BESIDE = 64


@dataclass(frozen=True, eq=False)
class Records(Sequence[Record]):
    """Records whose keys and values (R,) lie apart: values that lie end to end can be packed as they are."""

    keys: Sequence[bytes]
    values: Sequence[bytes]

    def __len__(self) -> int:
        """Return R."""
        return len(self.keys)

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> list[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | list[Record]:
        """Return one record, or some."""
        if isinstance(place, slice):
            return list(zip(self.keys[place], self.values[place], strict=True))
        return self.keys[place], self.values[place]

    def __iter__(self) -> Iterator[Record]:
        """Yield the records in order."""
        return zip(self.keys, self.values, strict=True)


class Packed(Protocol):
    """A batch as it goes into a produce request."""

    @property
    def partition(self) -> int:
        """Where it belongs."""
        ...

    @property
    def records(self) -> int:
        """How many it holds."""
        ...

    @property
    def raw(self) -> memoryview:
        """Its bytes."""
        ...


class Packer(Protocol):
    """Packs records into whole batches: :func:`trendloom.record_batches.record_batches`."""

    def __call__(
        self,
        keys: Sequence[bytes],
        values: bytes,
        ends: npt.NDArray[np.int64],
        partitions: npt.NDArray[np.int32],
        at_ms: int,
        most_bytes: int,
    ) -> Sequence[Packed]:
        """Return the batches, those of a partition in their order."""
        ...


class Publisher:
    """Publishes through an aiokafka producer; ``producer`` is asked for at each send (it exists once started).

    With a ``packer`` records whose values lie end to end bypass the producer's own batches, which take them one by one;
    it knows no compression.
    """

    def __init__(self, producer: Callable[[], Any], *, retry_budget_s: float, packer: Packer | None = None) -> None:
        self._producer = producer
        self._packer = packer
        self._budget_s = retry_budget_s
        self._partitions: dict[str, int] = {}
        self._packing: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._turns: dict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        if topic not in self._partitions:
            found = await self._persist(lambda: self._producer().partitions_for(topic), topic)
            self._partitions[topic] = len(found)
        return self._partitions[topic]

    async def publish(self, topic: str, records: Sequence[Record], timestamp_ms: int) -> None:
        """Send all records and wait until each is acknowledged. Raises BrokerUnavailable when the budget is spent."""
        count = await self.partitions(topic)
        async with self._packing[topic]:  # what is packed beside the event loop is overtaken by nothing
            if self._packer is not None and isinstance(records, Records) and isinstance(records.values, Joined):
                pack = partial(self._pack, self._packer, records.keys, records.values, count, timestamp_ms)
                batches = await asyncio.to_thread(pack) if len(records) >= _BESIDE else pack()
                sending = asyncio.gather(*(self._send_packed(topic, *one) for one in batches.items()))
            else:
                places = partitions_of_keys([key for key, _ in records], count).tolist()
                by_partition: dict[int, list[Record]] = defaultdict(list)
                for place, record in zip(places, records, strict=True):
                    by_partition[place].append(record)
                sending = asyncio.gather(
                    *(self._send_all(topic, partition, some, timestamp_ms) for partition, some in by_partition.items())
                )
        await sending

    @staticmethod
    def _pack(
        packer: Packer, keys: Sequence[bytes], values: Joined, count: int, timestamp_ms: int
    ) -> dict[int, list[Packed]]:
        """Return the batches of each of ``count`` partitions."""
        batches: dict[int, list[Packed]] = defaultdict(list)
        places = partitions_of_keys(keys, count)
        for packed in packer(keys, values.raw, values.ends, places, timestamp_ms, MOST_BATCH_BYTES):
            batches[packed.partition].append(packed)
        return batches

    async def _send_packed(self, topic: str, partition: int, batches: Sequence[Packed]) -> None:
        async with self._turns[topic, partition]:
            for packed in batches:
                await self._persist(partial(self._send_one, topic, packed), topic)

    async def _send_one(self, topic: str, packed: Packed) -> None:
        """Send a batch that is packed in the place of one that the producer would have made."""
        producer = self._producer()
        batch = producer.create_batch()
        batch.close()
        batch._buffer, batch._relative_offset = packed.raw, packed.records  # noqa: SLF001 - aiokafka has no public door to packed batches
        await (await producer.send_batch(batch, topic, partition=packed.partition))

    async def _send_all(self, topic: str, partition: int, records: list[Record], timestamp_ms: int) -> None:
        start = 0
        async with self._turns[topic, partition]:  # whatever has to be sent again, records keep their order
            while start < len(records):
                send = partial(self._send_some, topic, partition, records, start, timestamp_ms)
                start = await self._persist(send, topic)

    async def _send_some(self, topic: str, partition: int, records: list[Record], start: int, timestamp_ms: int) -> int:
        """Send as many records as one producer batch holds; return the place of the next one."""
        producer = self._producer()
        batch = producer.create_batch()
        at = start
        while at < len(records):
            key, value = records[at]
            if batch.append(key=key, value=value, timestamp=timestamp_ms) is None:
                break
            at += 1
        if at == start:
            msg = f"a record of {len(records[at][1])} bytes does not fit into a producer batch"
            raise ValueError(msg)
        batch.close()
        await (await producer.send_batch(batch, topic, partition=partition))
        return at

    async def _persist(self, ask: Callable[[], Awaitable[T]], topic: str) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._budget_s
        pause_s = 0.1
        while True:
            try:
                return await ask()
            except KafkaError as error:
                if not error.retriable and not isinstance(error, KafkaTimeoutError | KafkaConnectionError):
                    raise
                if loop.time() + pause_s > deadline:
                    msg = (
                        f"Kafka does not take records for {topic} ({error}); gave up after {self._budget_s:g} s. "
                        "Action: start it, or correct --kafka; then start again: nothing is lost."
                    )
                    raise BrokerUnavailable(msg) from error
                log.warning("Kafka does not take records for %s (%s); asking again in %.1f s", topic, error, pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, 5.0)


def compiled_packer() -> Packer:
    """Return what packs whole batches, compiled or read from disk; it needs numba."""
    from trendloom.record_batches import record_batches

    record_batches([], b"", np.zeros(1, np.int64), np.zeros(0, np.int32), 0, MOST_BATCH_BYTES)
    return record_batches
