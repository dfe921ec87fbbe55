"""Quix Streams with a batching sink, as its pages recommend for destinations where writing each message is not optimal.

A ``BatchingSink`` gets each partition's records at a checkpoint; there they are worked on in steps of ``step`` with
our functions, their lists go out through confluent-kafka's producer (delivery reports only for errors, flushed once a
checkpoint), then Quix commits: after acknowledgement. Values stay bytes, there is no state store and no changelog.
Swept: ``commit_every`` 500 to 20000; ``commit_interval_s`` 0.25, 1, 5; ``step`` 500, 2000; ``linger_ms`` 5, 20.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Producer  # type: ignore[import-not-found,unused-ignore]
from quixstreams import Application  # type: ignore[import-not-found,unused-ignore]
from quixstreams.sinks import BatchingSink, SinkBatch  # type: ignore[import-not-found,unused-ignore]

from benchmarks.contenders.workshop import Lists, Record, Taken, Workshop, given_settings, knobs
from launch.assembly import topic_names

KNOBS = {"commit_every": 20_000.0, "commit_interval_s": 1.0, "step": 2000.0, "linger_ms": 20.0}


class ConfluentSends:
    """Hands records to librdkafka; ``flush`` waits for the acknowledgement of all and raises what went wrong."""

    def __init__(self, bootstrap: str, linger_ms: float) -> None:
        self._faults: list[Any] = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "partitioner": "murmur2",
                "linger.ms": linger_ms,
                "batch.size": 1_000_000,
                "queue.buffering.max.messages": 500_000,
                "queue.buffering.max.kbytes": 1_000_000,
                "delivery.report.only.error": True,
            }
        )

    async def publish(self, topic: str, records: Sequence[Record], timestamp_ms: int) -> None:
        """Hand ``records`` over; they are acknowledged at the next flush, before Quix commits."""
        produce = self._producer.produce
        for key, value in records:
            produce(topic, value, key, on_delivery=self._note, timestamp=timestamp_ms)
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait for all acknowledgements."""
        left = self._producer.flush()
        if left or self._faults:
            msg = f"{left} lists were not acknowledged: {self._faults[:1]}"
            raise RuntimeError(msg)

    def _note(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._faults.append(error)


class ListsSink(BatchingSink):  # type: ignore[misc,unused-ignore]
    """Works on a checkpoint's records, a partition at a time."""

    def __init__(self, step: int, linger_ms: float) -> None:
        super().__init__()
        self._step = step
        self._loop = asyncio.new_event_loop()
        settings = given_settings()
        self._sends = ConfluentSends(settings.kafka.bootstrap, linger_ms)
        self._shop = self._loop.run_until_complete(Workshop.open(settings, self._sends))
        self._before: list[Lists] = []
        self._now: list[Lists] = []

    def write(self, batch: SinkBatch) -> None:
        """Work on one partition's records."""
        topic, partition = batch.topic, batch.partition
        for chunk in batch.iter_chunks(n=self._step):
            records = [
                Taken(
                    batch.topic, batch.partition, item.offset, item.timestamp, item.key, item.value, item.headers or ()
                )
                for item in chunk
            ]
            self._now.append(self._loop.run_until_complete(self._work(topic, partition, records)))

    def flush(self) -> None:
        """Work on all that was collected, then wait until every list is acknowledged."""
        for lists in self._before:  # Quix has committed the checkpoint before this one
            self._shop.committed(lists.partition, lists.last_offset)
        self._now = []
        super().flush()
        self._sends.flush()
        self._before = [lists._replace(records=[]) for lists in self._now]

    async def _work(self, topic: str, partition: int, records: list[Taken]) -> Lists:
        lists = await self._shop.work(topic, partition, records)
        await self._shop.publish(lists)
        return lists


def main() -> None:
    """Run until killed."""
    chosen, settings = knobs(KNOBS), given_settings()
    kafka = settings.kafka
    app = Application(
        broker_address=kafka.bootstrap,
        consumer_group=kafka.group,
        auto_offset_reset="earliest",
        commit_interval=chosen["commit_interval_s"],
        commit_every=int(chosen["commit_every"]),
        auto_create_topics=False,
        use_changelog_topics=False,
        consumer_extra_config={"fetch.wait.max.ms": kafka.fetch_max_wait_ms},
        loglevel="WARNING",
    )
    topic = app.topic(topic_names(settings)[0], value_deserializer="bytes", key_deserializer="bytes")
    app.dataframe(topic).sink(ListsSink(int(chosen["step"]), chosen["linger_ms"]))
    app.run()


if __name__ == "__main__":
    main()
