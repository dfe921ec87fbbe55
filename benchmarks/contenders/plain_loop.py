"""A plain aiokafka loop around the same work functions: what a worker would cost if Faust cost nothing.

``getmany``, one batch of one partition at a time; while a batch's lists are on their way to the broker the next batch
is applied. Lists go out as whole producer batches (``create_batch`` / ``send_batch``, through our own publisher), and
offsets are committed after acknowledgement, as often as our worker commits. Swept: ``max_records`` 250 to 2000.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents.publishing import Publisher
from benchmarks.contenders.workshop import Lists, Workshop, given_settings, knobs

KNOBS = {"max_records": 500.0}


async def main() -> None:
    """Run until killed."""
    chosen, settings = knobs(KNOBS), given_settings()
    kafka = settings.kafka
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", max_batch_size=1_000_000)
    shop = await Workshop.open(settings, Publisher(lambda: producer, retry_budget_s=60.0))
    consumer = AIOKafkaConsumer(
        shop.names[0],
        bootstrap_servers=kafka.bootstrap,
        group_id=kafka.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=kafka.fetch_max_wait_ms,
    )
    await producer.start()
    await consumer.start()
    loop = Loop(shop, consumer, kafka.commit_interval_s)
    while True:
        fetched = await consumer.getmany(timeout_ms=200, max_records=int(chosen["max_records"]))
        for place, records in fetched.items():
            await loop.take(place.topic, place.partition, records)
        if not fetched:
            await loop.settle()
        await loop.commit_now_and_then()


class Loop:
    """One batch being published behind the one being applied, and what is ready to commit."""

    def __init__(self, shop: Workshop, consumer: Any, commit_interval_s: float) -> None:
        self._shop = shop
        self._consumer = consumer
        self._interval_s = commit_interval_s
        self._committed_at_s = time.monotonic()
        self._under_way: tuple[asyncio.Task[None], Lists] | None = None
        self._ready: dict[Any, int] = {}

    async def take(self, topic: str, partition: int, records: Any) -> None:
        """Apply and score a batch; then wait for the batch before, and send this one."""
        lists = await self._shop.work(topic, partition, records)
        await self.settle()
        self._under_way = asyncio.create_task(self._shop.publish(lists)), lists

    async def settle(self) -> None:
        """Wait until the batch that is being published is acknowledged."""
        if self._under_way is not None:
            task, lists = self._under_way
            self._under_way = None
            await task
            self._ready[lists.partition] = lists.last_offset

    async def commit_now_and_then(self) -> None:
        """Commit what is acknowledged, if it is time."""
        if self._ready and time.monotonic() - self._committed_at_s >= self._interval_s:
            ready, self._ready = self._ready, {}
            await self._consumer.commit({TopicPartition(*place): last + 1 for place, last in ready.items()})
            for place, last in ready.items():
                self._shop.committed(place, last)
            self._committed_at_s = time.monotonic()


if __name__ == "__main__":
    asyncio.run(main())
