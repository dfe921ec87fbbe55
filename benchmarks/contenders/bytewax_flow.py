"""Bytewax: its Kafka source, the work as one ``flat_map_batch`` (its operator for whole batches), its Kafka sink.

Bytewax keeps its place in snapshots of its own and never commits to the consumer group, so this job lacks the commit;
snapshots are off here, which favours it. Its sink flushes every batch that it is given.
Swept: ``batch`` 250 to 4000; ``linger_ms`` 0, 5.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import bytewax.operators as op  # type: ignore[import-not-found,unused-ignore]
from bytewax.connectors.kafka import (  # type: ignore[import-not-found,unused-ignore]
    KafkaSink,
    KafkaSinkMessage,
    KafkaSource,
    KafkaSourceMessage,
)
from bytewax.dataflow import Dataflow  # type: ignore[import-not-found,unused-ignore]
from confluent_kafka import Producer  # type: ignore[import-not-found,unused-ignore]

from benchmarks.contenders.workshop import Lists, Record, Workshop, given_settings, knobs

KNOBS = {"batch": 4000.0, "linger_ms": 0.0}


class DeadLetterSends:
    """Publishes dead letters, the only records that do not go through the flow's own sink."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "partitioner": "murmur2"})

    async def publish(self, topic: str, records: Sequence[Record], timestamp_ms: int) -> None:
        """Send ``records`` and wait."""
        for key, value in records:
            self._producer.produce(topic, value, key, timestamp=timestamp_ms)
        self._producer.flush()


def build_flow() -> Dataflow:
    """Return the dataflow."""
    chosen, settings = knobs(KNOBS), given_settings()
    brokers = [settings.kafka.bootstrap]
    loop = asyncio.new_event_loop()
    shop = loop.run_until_complete(Workshop.open(settings, DeadLetterSends(brokers[0])))
    purchases, recommendations, *_ = shop.names
    before: list[Lists] = []

    def refresh(batch: list[KafkaSourceMessage]) -> list[Any]:
        for lists in before:  # the sink has flushed the batch before this one
            shop.committed(lists.partition, lists.last_offset)
        before.clear()
        lanes = defaultdict(list)
        for message in batch:
            lanes[message.partition].append(message)
        out: list[Any] = []
        for partition, messages in lanes.items():
            lists = loop.run_until_complete(shop.work(purchases, partition, messages))
            out += [KafkaSinkMessage(key, value) for key, value in lists.records]
            before.append(lists._replace(records=[]))
        return out

    flow = Dataflow("trendloom")
    fetch = {"fetch.wait.max.ms": str(settings.kafka.fetch_max_wait_ms)}
    source = KafkaSource(brokers, [purchases], batch_size=int(chosen["batch"]), add_config=fetch)
    sink = KafkaSink(
        brokers,
        recommendations,
        add_config={
            "acks": "all",
            "partitioner": "murmur2",
            "linger.ms": str(chosen["linger_ms"]),
            "batch.size": "1000000",
        },
    )
    op.output("lists", op.flat_map_batch("refresh", op.input("purchases", flow, source), refresh), sink)
    return flow
