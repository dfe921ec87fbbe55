"""The load test's sender against real brokers: everything arrives once, keyed, where Kafka would put it."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.partitioner.default import murmur2

from config.settings import KafkaSettings
from launch.compose import topic_table
from launch.topic_admin import create_topics, open_admin
from producers.load import LoadSender, StepSending
from producers.load_records import LoadRecords
from producers.load_schedule import LoadStep
from trendloom.errors import BrokerUnavailable
from trendloom.events import Purchase, decode_purchase

NOW_MS = 1_600_000_000_000.0
PARTITIONS = 3
COMPILED = pytest.mark.skipif(find_spec("numba") is None, reason="the extra fast is not installed")


@pytest.fixture(
    params=[
        pytest.param("embedded_broker", marks=pytest.mark.broker),
        pytest.param("apache_kafka", marks=pytest.mark.kafka),
    ]
)
def bootstrap(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def _records(partitions: int) -> LoadRecords:
    return LoadRecords(["tee", "coat"], customers=40, exponent=1.0, seed=1, run=uuid.UUID(int=9), partitions=partitions)


class Ticking:
    """A clock that moves by ``step_ms`` whenever it is looked at."""

    def __init__(self, step_ms: float) -> None:
        self.at_ms, self._step_ms = NOW_MS, step_ms

    def __call__(self) -> float:
        self.at_ms += self._step_ms
        return self.at_ms


async def _send(
    bootstrap: str, topic: str, most: int, *, idempotent: bool = False, packed: bool = False
) -> tuple[LoadSender, StepSending]:
    clock = Ticking(50.0)
    options = {"bootstrap_servers": [bootstrap]}
    async with LoadSender(
        options, topic, _records, max_in_flight=most, idempotent=idempotent, packed=packed, clock_ms=clock
    ) as sender:
        await sender.drain(0, 1_000)
        sending = StepSending(clock.at_ms)
        await sender.run_step(LoadStep(first=1_000, rate_per_s=1_000.0, duration_s=2.0), sending, lambda: False)
        await sender.flush()
        return sender, sending


@pytest.mark.parametrize("packed", [False, pytest.param(True, marks=COMPILED)], ids=["appended", "packed"])
@pytest.mark.parametrize("most", [200_000, 30])
def test_everything_arrives_once_whatever_memory_there_is(
    bootstrap: str, fresh_prefix: Callable[[], str], request: pytest.FixtureRequest, *, most: int, packed: bool
) -> None:
    (topic, *_) = topic_table(KafkaSettings(bootstrap=bootstrap, topic_prefix=fresh_prefix(), partitions=PARTITIONS))
    with open_admin({"bootstrap_servers": [bootstrap]}) as admin:
        create_topics(admin, [topic])
    idempotent = "apache_kafka" in request.node.name  # the embedded broker numbers no producers
    sender, sending = asyncio.run(_send(bootstrap, topic.name, most, idempotent=idempotent, packed=packed))
    assert sender.idempotent == idempotent
    assert (sender.handed_over, sender.acknowledged, sending.handed_over) == (3_000, 3_000, 2_000)
    assert sender.partitions == PARTITIONS
    assert (sending.held_back > 0) == (most == 30), "what does not fit into memory is held back, and told"

    places = [TopicPartition(topic.name, number) for number in range(PARTITIONS)]
    found: dict[int, list[Purchase]] = defaultdict(list)
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)) as consumer:
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        while sum(map(len, found.values())) < 3_000:
            for place, records in consumer.poll(timeout_ms=5_000).items():
                for record in records:
                    purchase = decode_purchase(record.value, int(NOW_MS) + 10**9)
                    assert record.key == purchase.customer_id.encode()
                    assert (murmur2(record.key) & 0x7FFFFFFF) % PARTITIONS == place.partition
                    assert dict(record.headers)["sent_at"] == b"%d" % purchase.occurred_at
                    assert record.timestamp == purchase.occurred_at
                    found[place.partition].append(purchase)
    for some in found.values():
        numbers = [purchase.event_id.int & 0xFFFF_FFFF_FFFF for purchase in some]
        assert numbers == sorted(set(numbers))
    times = sorted((p.event_id.int & 0xFFFF_FFFF_FFFF, p.occurred_at) for some in found.values() for p in some)
    assert [number for number, _ in times] == list(range(3_000))
    intended = [at_ms for number, at_ms in times if number >= 1_000]
    assert intended == [int(sending.start_ms) + n for n in range(2_000)], "intended times never slip"


@pytest.mark.broker
def test_no_broker_is_a_sentence() -> None:
    with pytest.raises(BrokerUnavailable, match="does not answer.* Action: "):
        asyncio.run(_send("127.0.0.1:1", "purchases", 10))
