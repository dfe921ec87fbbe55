"""The stage: Apache Kafka and Redis on this machine, topics made anew for each run, and a log written beforehand.

Read next: :mod:`benchmarks.drain` for what is measured on it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import redis
from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer, TopicPartition

from benchmarks.processes_seen import forget_peak_memory
from benchmarks.seeding import seed_customers
from benchmarks.workload import Log, Sent
from config.settings import (
    CatalogueSettings,
    KafkaSettings,
    ListsSettings,
    RedisSettings,
    Settings,
    StateSettings,
    WorkerSettings,
)
from launch.compose import kafka_options, topic_table
from launch.embedded import Engine, start_valkey
from launch.processes import Processes
from launch.real_engines import apache_kafka_jars, start_apache_kafka, start_redis_server
from launch.topic_admin import broker_version, create_topics, open_admin
from trendloom.errors import InputError
from trendloom.events import SENT_AT_HEADER
from trendloom.partitions import partitions_of_keys

__all__ = ["Ends", "Stage", "fill", "state_settings"]

#: How long a store may take to drop all that it holds.
_EMPTIED_S = 300.0

#: As large as the batches that this project's own producers send.
_BATCH_BYTES = 131_072
_IN_FLIGHT = 16


def state_settings(preset: str) -> StateSettings:
    """Return the state's settings for a preset: ``paper`` looks at no co-purchases, so none are kept for it.

    >>> state_settings("paper").co_purchase_window, state_settings("balanced") == StateSettings()
    (0, True)
    """
    return StateSettings(co_purchase_window=0) if preset == "paper" else StateSettings()


class Stage:
    """Both engines, for as long as the block lasts. ``store`` is ``redis`` (the system's) or ``valkey`` (the packaged).

    Raises :class:`InputError` where Apache Kafka's jars are missing.
    """

    def __init__(self, *, store: str | None = None) -> None:
        jars = apache_kafka_jars()
        if jars is None:
            raise InputError("The benchmarks need Apache Kafka. Action: run `make kafka` (java and mvn are needed).")
        self.jars = jars
        self.processes = Processes()
        try:
            self.kafka: Engine = start_apache_kafka(self.processes, jars)
            chosen = store or ("redis" if shutil.which("redis-server") else "valkey")
            start = start_redis_server if chosen == "redis" else start_valkey
            self.store: Engine = start(self.processes)
        except BaseException:
            self.processes.close()
            raise

    def __enter__(self) -> Self:
        """Return itself; the engines end with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the engines."""
        self.processes.close()

    def settings(
        self,
        *,
        run: str,
        catalogue: Path,
        preset: str,
        partitions: int,
        max_batch: int,
        health_port: int,
        session_timeout_s: float = 30.0,
    ) -> Settings:
        """Return the settings that every contender of a run gets; ``run`` becomes the topics' prefix and the group."""
        return Settings(
            kafka=KafkaSettings(
                bootstrap=self.kafka.address,
                topic_prefix=f"{run}.",
                group=run,
                partitions=partitions,
                max_batch=max_batch,
                session_timeout_s=session_timeout_s,
            ),
            redis=RedisSettings(url=self.store.address),
            state=state_settings(preset),
            lists=ListsSettings(preset=preset),
            catalogue=CatalogueSettings(directory=str(catalogue.resolve())),
            worker=WorkerSettings(health_port=health_port),
        )

    def prepare(self, settings: Settings, log: Log, *, seeded_customers: int = 0) -> None:
        """Empty the store, put customers with full histories into it, make the run's topics and write the log."""
        with redis.Redis.from_url(self.store.address, socket_timeout=_EMPTIED_S) as client:
            client.flushall()  # ten million customers take their time
        for engine in (self.kafka, self.store):
            forget_peak_memory(engine.process.pid)
        if seeded_customers:
            seed_customers(self.store.address, seeded_customers, log.items, settings)
        with redis.Redis.from_url(self.store.address) as client:
            client.config_resetstat()
        with open_admin(kafka_options(settings.kafka)) as admin:
            create_topics(admin, topic_table(settings.kafka))
        purchases = topic_table(settings.kafka)[0]
        asyncio.run(fill(settings.kafka.bootstrap, purchases.name, purchases.partitions, log.records))

    def clear(self, settings: Settings) -> None:
        """Delete the run's topics."""
        with open_admin(kafka_options(settings.kafka)) as admin:
            admin.delete_topics([topic.name for topic in topic_table(settings.kafka)])

    def command_costs(self, lists: int, most: int = 8) -> dict[str, dict[str, float]]:
        """Return the store's dearest commands since ``prepare``: calls and µs a list; a script's are within its own."""
        with redis.Redis.from_url(self.store.address) as client:
            told: dict[str, Any] = client.info("commandstats")
        dearest = sorted(told.items(), key=lambda entry: -entry[1]["usec"])[:most]
        return {
            name.removeprefix("cmdstat_"): {
                "calls": round(cost["calls"] / lists, 3),
                "us": round(cost["usec"] / lists, 2),
            }
            for name, cost in dearest
        }

    def versions(self) -> dict[str, str]:
        """Return the versions of both engines."""
        kafka = next(self.jars.glob("kafka_2.13-*.jar")).stem.rpartition("-")[2]
        with redis.Redis.from_url(self.store.address) as client:
            told: dict[str, Any] = client.info("server")
        store = f"Valkey {told['valkey_version']}" if "valkey_version" in told else f"Redis {told['redis_version']}"
        with open_admin({"bootstrap_servers": [self.kafka.address]}) as admin:
            return {"broker": f"Apache Kafka {kafka}", "protocol": broker_version(admin), "store": store}


class Ends:
    """How many records a topic holds, and how far a group has committed; one connection, asked often."""

    def __init__(self, settings: Settings) -> None:
        names = [(topic.name, topic.partitions) for topic in topic_table(settings.kafka)]
        self._purchases, self._lists, self._letters, _ = (
            [TopicPartition(name, number) for number in range(partitions)] for name, partitions in names
        )
        self._consumer = KafkaConsumer(
            **kafka_options(settings.kafka),
            group_id=settings.kafka.group,
            enable_auto_commit=False,
            metrics_enabled=False,
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close(autocommit=False)

    def lists(self) -> int:
        """Return how many lists are published."""
        return sum(self._consumer.end_offsets(self._lists).values())

    def dead_letters(self) -> int:
        """Return how many records were set aside."""
        return sum(self._consumer.end_offsets(self._letters).values())

    def committed(self) -> int:
        """Return how many purchases the group has committed, over all partitions."""
        return sum(self._consumer.committed(partition) or 0 for partition in self._purchases)

    def first_lists(self) -> list[bytes]:
        """Return the first list of each partition that has one."""
        found = []
        self._consumer.assign(self._lists)
        for partition in self._lists:
            self._consumer.seek(partition, 0)
        for _ in range(20):
            for records in self._consumer.poll(timeout_ms=500, max_records=200).values():
                found.append(records[0].value)
                self._consumer.pause(TopicPartition(records[0].topic, records[0].partition))
            if len(self._consumer.paused()) == len(self._lists):
                break
        return found


async def fill(bootstrap: str, topic: str, partitions: int, records: Sequence[Sent]) -> None:
    """Write records to a topic as fast as the broker takes them, in batches, each in its customer's partition."""
    lanes: list[list[Sent]] = [[] for _ in range(partitions)]
    places = partitions_of_keys([record.key for record in records], partitions).tolist()
    for place, record in zip(places, records, strict=True):
        lanes[place].append(record)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=_BATCH_BYTES, acks="all")
    await producer.start()
    try:
        await asyncio.gather(*(_fill_lane(producer, topic, number, lane) for number, lane in enumerate(lanes)))
    finally:
        await producer.stop()


async def _fill_lane(producer: Any, topic: str, partition: int, lane: list[Sent]) -> None:
    waiting: list[Any] = []
    at = 0
    while at < len(lane):
        batch = producer.create_batch()
        while at < len(lane):
            key, value, at_ms = lane[at]
            headers = [(SENT_AT_HEADER, b"%d" % at_ms)]
            if batch.append(key=key, value=value, timestamp=at_ms, headers=headers) is None:
                break
            at += 1
        batch.close()
        waiting.append(await producer.send_batch(batch, topic, partition=partition))
        if len(waiting) >= _IN_FLIGHT:
            await waiting.pop(0)
    for answer in waiting:
        await answer
