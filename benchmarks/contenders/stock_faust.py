"""Stock Faust, no subclass of anything: ``stream.noack_take``, one call to Redis a batch, ``topic.send`` for each list.

The documented idiom for batches (``take`` itself acknowledges a batch that failed, so its twin that leaves that to the
agent is used); the lists of a batch are sent together and awaited together, then the batch is acknowledged. The
producer batches (linger, large batches), the buffer is large and a rebalance waits for nothing. Swept: ``take`` 100
to 2000; ``within_s`` 0.05, 0.2; ``linger_s`` 0, 0.005, 0.02; ``poll_records`` 500, 5000.
Faust tells nobody when it commits, so journals are dropped once acknowledged.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import faust

from benchmarks.contenders.workshop import Record, Workshop, given_settings, knobs
from launch.assembly import topic_names

KNOBS = {"take": 2000.0, "within_s": 0.2, "linger_s": 0.005, "poll_records": 500.0}


class TopicSends:
    """Publishes by ``topic.send``, a list at a time, and waits for all of them."""

    def __init__(self, topics: dict[str, Any]) -> None:
        self._topics = topics

    async def publish(self, topic: str, records: Sequence[Record], timestamp_ms: int) -> None:
        """Send ``records`` and wait."""
        known = self._topics[topic]
        sent = [await known.send(key=key, value=value, timestamp=timestamp_ms / 1000.0) for key, value in records]
        await asyncio.gather(*sent)


def build() -> Any:
    """Return the app."""
    chosen, settings = knobs(KNOBS), given_settings()
    kafka = settings.kafka
    app = faust.App(
        kafka.group,
        broker=f"kafka://{kafka.bootstrap}",
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        autodiscover=False,
        origin=None,
        web_enabled=False,
        broker_max_poll_records=int(chosen["poll_records"]),
        broker_commit_interval=kafka.commit_interval_s,
        broker_commit_every=10_000,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_linger=chosen["linger_s"],
        producer_max_batch_size=1_000_000,
        stream_buffer_maxsize=16_384,
        stream_wait_empty=False,
    )
    purchases, recommendations, dead_letters, _ = topic_names(settings)
    raw: dict[str, Any] = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    incoming = app.topic(purchases, **raw)
    sends = TopicSends({name: app.topic(name, **raw) for name in (recommendations, dead_letters)})

    @app.agent(incoming, name="purchases", concurrency=1)
    async def refresh(stream: Any) -> None:
        shop = await Workshop.open(settings, sends)
        async for events in stream.noack_take(int(chosen["take"]), within=chosen["within_s"]):
            lanes = defaultdict(list)
            for event in events:
                lanes[event.message.partition].append(event.message)
            for partition, messages in lanes.items():
                lists = await shop.work(purchases, partition, messages)
                await shop.publish(lists)
                shop.committed(lists.partition, lists.last_offset)
            for event in events:
                await stream.ack(event)

    return app


if __name__ == "__main__":
    faust.Worker(build(), loglevel="WARN").execute_from_commandline()
