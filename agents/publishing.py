"""Sends records in whole batches, one partition at a time, and returns when the broker has acknowledged all of them.

Partitions follow Kafka's murmur2 of the key, as producers do, so a customer's lists lie where their purchases lie, and
in the order in which they were handed over, also by several who publish at once. A
broker that does not answer is asked again with growing pauses until the budget is spent.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from trendloom.errors import BrokerUnavailable
from trendloom.partitions import partitions_of_keys

__all__ = ["Publisher", "Record"]

log = logging.getLogger(__name__)
T = TypeVar("T")

#: (key, value) as bytes.
Record = tuple[bytes, bytes]


class Publisher:
    """Publishes through an aiokafka producer; ``producer`` is asked for at each send (it exists once started)."""

    def __init__(self, producer: Callable[[], Any], *, retry_budget_s: float) -> None:
        self._producer = producer
        self._budget_s = retry_budget_s
        self._partitions: dict[str, int] = {}
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
        places = partitions_of_keys([key for key, _ in records], count).tolist()
        by_partition: dict[int, list[Record]] = defaultdict(list)
        for place, record in zip(places, records, strict=True):
            by_partition[place].append(record)
        await asyncio.gather(
            *(self._send_all(topic, partition, some, timestamp_ms) for partition, some in by_partition.items())
        )

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
