"""A plain aiokafka program around the same work functions: what a worker would cost if Faust cost nothing.

Four tasks in a row, as our worker has four agents: one takes and decodes a batch of one partition, one begins to apply
it, one scores it while the store is still at work, one waits for the broker's acknowledgement of up to four batches
and commits as often as our worker does. Lists go out as whole producer batches (``create_batch`` / ``send_batch``,
through our own publisher). Swept: ``max_records`` 250 to 4000.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents.publishing import Publisher, compiled_packer
from agents.purchases import Decoded
from benchmarks.contenders.workshop import Begun, Lists, Workshop, given_settings, knobs

KNOBS = {"max_records": 2000.0}
#: Most records of one ``getmany``, in batches: as many as our worker's transport takes at once.
_AHEAD = 8
#: Most batches of lists on their way to the broker, as in our worker.
_PUBLISHING = 4


async def main() -> None:
    """Run until killed."""
    chosen, settings = knobs(KNOBS), given_settings()
    kafka = settings.kafka
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", max_batch_size=1_000_000)
    shop = await Workshop.open(settings, Publisher(lambda: producer, retry_budget_s=60.0, packer=compiled_packer()))
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
    await Row(shop, consumer, int(chosen["max_records"]), kafka.commit_interval_s).run()


class Row:
    """Four tasks with short queues between them; the first fault of any ends the program."""

    def __init__(self, shop: Workshop, consumer: Any, max_records: int, commit_interval_s: float) -> None:
        self._shop = shop
        self._consumer = consumer
        self._max_records = max_records
        self._interval_s = commit_interval_s
        self._decoded: asyncio.Queue[Decoded] = asyncio.Queue(1)
        self._applied: asyncio.Queue[Begun] = asyncio.Queue(1)
        self._published: asyncio.Queue[tuple[asyncio.Task[None], Lists]] = asyncio.Queue(_PUBLISHING)
        self._ready: dict[Any, int] = {}

    async def run(self) -> None:
        """Run all tasks; raises what the first of them raises."""
        async with asyncio.TaskGroup() as tasks:
            for task in (self._take(), self._apply(), self._score(), self._acknowledge(), self._commit()):
                tasks.create_task(task)

    async def _take(self) -> None:
        while True:
            fetched = await self._consumer.getmany(timeout_ms=200, max_records=_AHEAD * self._max_records)
            for place, records in fetched.items():
                for batch in self._batches(records):
                    await self._decoded.put(await self._shop.decode(place.topic, place.partition, batch))

    def _batches(self, records: Sequence[Any]) -> list[Sequence[Any]]:
        return [records[at : at + self._max_records] for at in range(0, len(records), self._max_records)]

    async def _apply(self) -> None:
        while True:
            begun = await self._shop.begin(await self._decoded.get())
            await self._applied.put(begun)
            await self._shop.written(begun)

    async def _score(self) -> None:
        while True:
            lists = await self._shop.score(await self._applied.get())
            publishing = asyncio.create_task(self._shop.publish(lists))
            await self._published.put((publishing, lists._replace(records=[])))

    async def _acknowledge(self) -> None:
        while True:
            publishing, lists = await self._published.get()
            await publishing
            self._ready[lists.partition] = lists.last_offset

    async def _commit(self) -> None:
        while True:
            began_s = time.monotonic()
            ready, self._ready = self._ready, {}
            if ready:
                await self._consumer.commit({TopicPartition(*place): last + 1 for place, last in ready.items()})
                for place, last in ready.items():
                    self._shop.committed(place, last)
            await asyncio.sleep(max(self._interval_s - (time.monotonic() - began_s), 0.0))


if __name__ == "__main__":
    asyncio.run(main())
