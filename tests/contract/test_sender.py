"""The Kafka sender against real brokers: what it hands over arrives, keyed, in order, in the right partition."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from config.settings import KafkaSettings
from launch.compose import topic_table
from launch.embedded import start_broker
from launch.processes import Processes
from launch.topic_admin import create_topics, open_admin
from producers.sender import KafkaSender
from producers.synthetic import Simulation
from producers.wares import Wares
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.errors import BrokerUnavailable
from trendloom.events import SENT_AT_HEADER, Purchase, decode_purchase

NOW_MS = 1_600_000_000_000


def _purchases(number: int) -> list[Purchase]:
    simulation = Simulation(Wares.of(random_catalogue(80, np.random.default_rng(2))), {}, num_customers=40)
    return [simulation.purchase(NOW_MS + 1000 * place) for place in range(number)]


def _topic(bootstrap: str, prefix: str) -> str:
    topics = topic_table(KafkaSettings(bootstrap=bootstrap, topic_prefix=prefix))[:1]
    with open_admin({"bootstrap_servers": [bootstrap]}) as admin:
        create_topics(admin, topics)
    return topics[0].name


def _send_all(sender: KafkaSender, purchases: list[Purchase]) -> None:
    for purchase in purchases:
        sender.send(purchase, sent_at_ms=NOW_MS)
    sender.flush()


@pytest.fixture(
    params=[
        pytest.param("embedded_broker", marks=pytest.mark.broker),
        pytest.param("apache_kafka", marks=pytest.mark.kafka),
    ]
)
def bootstrap(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def test_every_purchase_arrives_once_keyed_and_in_its_customers_order(
    bootstrap: str, fresh_prefix: Callable[[], str]
) -> None:
    topic = _topic(bootstrap, fresh_prefix())
    purchases = _purchases(3000)
    sender = KafkaSender({"bootstrap_servers": [bootstrap]}, topic=topic, max_in_flight=500)
    with closing(sender):
        for place, purchase in enumerate(purchases):
            sender.send(purchase, sent_at_ms=NOW_MS + place)
            assert sender.sent - sender.acknowledged <= 500
        sender.flush()
        assert (sender.sent, sender.acknowledged, sender.failed) == (3000, 3000, 0)
        partition_of = {purchase.customer_id: sender.partition_of(purchase.customer_id) for purchase in purchases}
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")) as consumer:
        consumer.assign([TopicPartition(topic, number) for number in range(8)])
        found: dict[str, list[Purchase]] = defaultdict(list)
        sent_at: dict[uuid.UUID, int] = {}
        while len(sent_at) < 3000:
            for records in consumer.poll(timeout_ms=20_000).values():
                for record in records:
                    purchase = decode_purchase(record.value, now_ms=NOW_MS + 10**8)
                    assert record.key == purchase.customer_id.encode()
                    assert record.partition == partition_of[purchase.customer_id]
                    assert [name for name, _ in record.headers] == [SENT_AT_HEADER]
                    sent_at[purchase.event_id] = int(record.headers[0][1])
                    found[purchase.customer_id].append(purchase)
    expected: dict[str, list[Purchase]] = defaultdict(list)
    for purchase in purchases:
        expected[purchase.customer_id].append(purchase)
    assert found == expected
    assert sent_at == {purchase.event_id: NOW_MS + place for place, purchase in enumerate(purchases)}


def test_customers_lie_where_kafkas_own_partitioner_puts_them(bootstrap: str, fresh_prefix: Callable[[], str]) -> None:
    topic = _topic(bootstrap, fresh_prefix())
    customers = [f"kundin-{number}-ö" for number in range(40)]
    with closing(KafkaSender({"bootstrap_servers": [bootstrap]}, topic=topic)) as sender:
        ours = [sender.partition_of(customer) for customer in customers]
    with closing(KafkaProducer(bootstrap_servers=bootstrap)) as producer:
        sent = [producer.send(topic, b"x", key=customer.encode()) for customer in customers]
        theirs = [future.get(timeout=20).partition for future in sent]
    assert ours == theirs
    assert len(set(ours)) > 4


def test_a_topic_that_is_not_there_is_named_with_what_to_do(bootstrap: str, fresh_prefix: Callable[[], str]) -> None:
    name = fresh_prefix() + "nowhere"
    with pytest.raises(BrokerUnavailable, match=r"nowhere.*Action: trendloom topics create"):
        KafkaSender({"bootstrap_servers": [bootstrap]}, topic=name, give_up_after_s=3.0)


@pytest.mark.broker
def test_a_broker_that_goes_away_is_noticed_and_what_is_safe_is_known() -> None:
    purchases = _purchases(400)
    with Processes() as own:
        broker = start_broker(own)
        topic = _topic(broker.address, "gone.")
        sender = KafkaSender({"bootstrap_servers": [broker.address]}, topic=topic, give_up_after_s=2.0)
        with closing(sender):
            _send_all(sender, purchases[:200])
            own.close()
            with pytest.raises(BrokerUnavailable, match=r"200 of \d+ sent are safe"):
                _send_all(sender, purchases[200:])
            assert sender.acknowledged == 200
