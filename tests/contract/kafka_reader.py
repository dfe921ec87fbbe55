"""Readers of a topic through Faust, over its stock transport or over ours, and what the broker says of their group."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from faust.serializers.schemas import Schema
from faust.types import TP
from kafka import KafkaAdminClient
from mode.supervisors import CrashingSupervisor

from agents.batch_transport import BatchSchema, BatchTransport, StartOffset

PATIENCE_S = 30.0

#: Three records a fetch: a dozen records are several batches.
AT_ONCE = 3


class Record(NamedTuple):
    """One record as an agent saw it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    at_ms: int


@dataclass
class Taken:
    """What one event of the stream held: one record over the stock transport, a batch of them over ours."""

    records: list[Record]
    event: Any

    def ack(self) -> None:
        self.event.ack()


class _App(faust.App):
    """An app that makes no folders where tests are run."""

    def _create_directories(self) -> None:
        pass


class Reader:
    """A Faust app with one agent, which keeps what it gets and acknowledges it where ``acks`` says so."""

    def __init__(
        self,
        transport: str,
        topic: Topic,
        *,
        acks: Callable[[Record], bool] = lambda _: True,
        start_offset: StartOffset | None = None,
        commit_every: int | None = None,
        queue: int = 8,
        fetch_bytes: int = 1 << 20,
    ) -> None:
        self.topic = topic
        self.acks = acks
        self.taken: list[Taken] = []
        self.committed: list[tuple[int, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._news = asyncio.Event()
        self.app = app = _App(
            topic.group,
            broker=f"kafka://{topic.broker}",
            store="memory://",
            topic_disable_leader=True,
            topic_allow_declare=False,
            autodiscover=False,
            origin=None,
            web_enabled=False,
            broker_max_poll_records=AT_ONCE,
            consumer_max_fetch_size=fetch_bytes,
            broker_commit_interval=600.0,  # a test says when
            broker_commit_every=commit_every,
            broker_heartbeat_interval=0.5,
            broker_session_timeout=6.0,
            consumer_auto_offset_reset="earliest",
            stream_buffer_maxsize=queue,
            stream_wait_empty=False,
        )
        key_and_value: Any = {"key_type": bytes, "value_type": bytes}
        schema: Any = Schema(**key_and_value, key_serializer="raw", value_serializer="raw")
        if transport == "ours":
            schema = BatchSchema(**key_and_value)
            app.transport = BatchTransport(
                app.conf.broker_consumer,
                app,
                start_offset=start_offset,
                on_commit=lambda tp, offset: self.committed.append((tp.partition, offset)),
            )
        self.ready = 0

        @app.agent(app.topic(topic.name, schema=schema), concurrency=1, supervisor_strategy=CrashingSupervisor)
        async def read(stream: Any) -> None:
            async for event in stream.noack().events():
                await self.gate.wait()
                taken = Taken(_records(event), event)
                self.taken.append(taken)
                if all(self.acks(record) for record in taken.records):
                    taken.ack()
                self._news.set()

        @app.on_rebalance_complete.connect
        async def assigned(*_: Any, **__: Any) -> None:
            self.ready += 1
            self._news.set()

    @property
    def consumer(self) -> Any:
        return self.app.consumer

    @property
    def seen(self) -> list[Record]:
        return [record for taken in self.taken for record in taken.records]

    def offsets(self, partition: int = 0) -> list[int]:
        return [record.offset for record in self.seen if record.partition == partition]

    async def read(self) -> int:
        """Return how many records were taken out of aiokafka, of a topic that is read from its beginning."""
        return sum([await self.consumer.position(self.topic.tp(n)) for n in range(self.topic.width)])

    def ready_in_aiokafka(self) -> int:
        """Return of how many partitions aiokafka holds a fetch that nobody took: it fetches no more of these."""
        return len(self.consumer._thread._consumer._fetcher._records)

    def partitions(self) -> set[int]:
        return {tp.partition for tp in self.consumer.assignment()}

    async def until(self, true: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Return once it is true; looks whenever this reader got something or was assigned something."""
        deadline = asyncio.get_running_loop().time() + patience_s
        while not true():
            assert not self.app.crashed, self.app.crash_reason
            left_s = deadline - asyncio.get_running_loop().time()
            assert left_s > 0, f"{self.partitions()}: {[record[:2] for record in self.seen]}"
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), min(left_s, 0.25))
            except TimeoutError:
                continue

    async def commit(self) -> dict[int, int]:
        """Commit what may be committed, and return what the broker then has."""
        await self.consumer.commit()
        return await self.topic.committed()


@asynccontextmanager
async def reading(reader: Reader, partitions: int | None = None) -> AsyncIterator[Reader]:
    """Run a reader, from when it has its first partitions (if any are told, so many)."""
    await reader.app.start()
    try:
        await reader.until(lambda: reader.ready > 0 and len(reader.partitions()) == (partitions or reader.topic.width))
        yield reader
    finally:
        await reader.app.stop()


class Topic:
    """A small topic with a group of its own."""

    def __init__(self, broker: str, width: int = 1) -> None:
        self.broker, self.width = broker, width
        self.name, self.group = f"t{uuid.uuid4().hex[:8]}", f"g{uuid.uuid4().hex[:8]}"
        self._serial = itertools.count()
        admin = KafkaAdminClient(bootstrap_servers=broker)
        try:
            admin.create_topics({self.name: {"num_partitions": width, "replication_factor": 1}}, raise_errors=True)
        finally:
            admin.close()

    def tp(self, partition: int = 0) -> TP:
        return TP(self.name, partition)

    async def send(
        self, count: int, partitions: Sequence[int] | None = None, *, padding: bytes = b"", **settings: Any
    ) -> list[Record]:
        """Send so many records to each of these partitions (all), in turn; return them as they should be read."""
        sent: list[tuple[Awaitable[Any], bytes, bytes, list[tuple[str, bytes]], int]] = []
        producer = AIOKafkaProducer(bootstrap_servers=self.broker, **settings)
        await producer.start()
        try:
            for _ in range(count):
                for partition in range(self.width) if partitions is None else partitions:
                    number = next(self._serial)
                    key, value, headers = b"k%d" % (number % 7), b"value %d" % number + padding, [("n", b"%d" % number)]
                    at_ms = 1_600_000_000_000 + number
                    place = await producer.send(
                        self.name, value, key=key, partition=partition, timestamp_ms=at_ms, headers=headers
                    )
                    sent.append((place, key, value, headers, at_ms))
            records = []
            for place, key, value, headers, at_ms in sent:
                where = await place
                records.append(Record(where.partition, where.offset, key, value, tuple(headers), at_ms))
            return records
        finally:
            await producer.stop()

    async def committed(self) -> dict[int, int]:
        """Return the group's offsets, as the broker has them; partitions without one are left out."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.broker, group_id=self.group, enable_auto_commit=False)
        await consumer.start()
        try:
            found = {n: await consumer.committed(TopicPartition(self.name, n)) for n in range(self.width)}
        finally:
            await consumer.stop()
        return {partition: offset for partition, offset in found.items() if offset is not None}


def _records(event: Any) -> list[Record]:
    message = event.message
    if isinstance(event.value, bytes):  # the stock transport
        headers = message.headers.items() if isinstance(message.headers, dict) else message.headers
        at_ms = round(message.timestamp * 1000)
        return [Record(message.partition, message.offset, message.key, message.value, tuple(headers), at_ms)]
    return [
        Record(batch.tp.partition, found.offset, found.key, found.value, tuple(found.headers), found.timestamp)
        for batch in event.value
        for found in batch.records
    ]
