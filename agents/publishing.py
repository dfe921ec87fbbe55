"""Sends records in whole batches, one partition at a time, and returns when the broker has acknowledged all of them.

Partitions follow Kafka's murmur2 of the key, as producers do, so a customer's lists lie where their purchases lie. A
broker that does not answer is asked again with growing pauses until the budget is spent.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache, partial
from typing import Any, TypeVar

from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from aiokafka.partitioner import murmur2

from trendloom.errors import BrokerUnavailable

__all__ = ["Publisher", "Record", "partition_of"]

log = logging.getLogger(__name__)
T = TypeVar("T")

#: (key, value) as bytes.
Record = tuple[bytes, bytes]


@lru_cache(maxsize=262_144)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key, as Kafka's default partitioner chooses it: murmur2 without its sign, modulo.

    >>> partition_of(b"21", 1000)  # murmur2 of "21" is -973932308, as Kafka's own tests say
    340
    """
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


class Publisher:
    """Publishes through an aiokafka producer; ``producer`` is asked for at each send (it exists once started)."""

    def __init__(self, producer: Callable[[], Any], *, retry_budget_s: float) -> None:
        self._producer = producer
        self._budget_s = retry_budget_s
        self._partitions: dict[str, int] = {}

    async def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        if topic not in self._partitions:
            found = await self._persist(lambda: self._producer().partitions_for(topic), topic)
            self._partitions[topic] = len(found)
        return self._partitions[topic]

    async def publish(self, topic: str, records: Sequence[Record], timestamp_ms: int) -> None:
        """Send all records and wait until each is acknowledged. Raises BrokerUnavailable when the budget is spent."""
        count = await self.partitions(topic)
        by_partition: dict[int, list[Record]] = defaultdict(list)
        for record in records:
            by_partition[partition_of(record[0], count)].append(record)
        await asyncio.gather(
            *(self._send_all(topic, partition, some, timestamp_ms) for partition, some in by_partition.items())
        )

    async def _send_all(self, topic: str, partition: int, records: list[Record], timestamp_ms: int) -> None:
        start = 0
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
