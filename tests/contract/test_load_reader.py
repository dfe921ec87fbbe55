"""The load test's reader against real brokers: it reads its own run's lists, and none from before unless asked to."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import pytest
from kafka import KafkaProducer

from config.settings import KafkaSettings
from launch.compose import topic_table
from launch.load_reader import LoadReader
from launch.topic_admin import create_topics, open_admin
from trendloom.verify.load_check import LoadCheck

PARTITIONS = 4
OLD = 4_000
RUN = b"7f8de1cf-93fc-4b4f-9d3d-"


@pytest.fixture(
    params=[
        pytest.param("embedded_broker", marks=pytest.mark.broker),
        pytest.param("apache_kafka", marks=pytest.mark.kafka),
    ]
)
def kafka(request: pytest.FixtureRequest, fresh_prefix: Callable[[], str]) -> KafkaSettings:
    bootstrap = str(request.getfixturevalue(request.param))
    settings = KafkaSettings(bootstrap=bootstrap, topic_prefix=fresh_prefix(), partitions=PARTITIONS)
    with open_admin({"bootstrap_servers": [bootstrap]}) as admin:
        create_topics(admin, topic_table(settings))
    return settings


def _lists(run: bytes, count: int) -> Iterator[bytes]:
    for number in range(count):
        yield (
            b'{"schema_version":1,"customer_id":"c%d","version":{"epoch":1,"number":1},"cause":{"event_id":"%s%012x",'
            b'"item_id":"tee"},"sent_at":1000,"made_at":1004,"entries":[]}' % (number, run, number)
        )


def _publish(kafka: KafkaSettings, topic: str, values: Iterator[bytes]) -> None:
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")) as producer:
        for number, value in enumerate(values):
            sent = producer.send(topic, value, key=b"c%d" % number, partition=number % PARTITIONS)
        producer.flush(30)
        assert sent.get(30)


@pytest.mark.parametrize("from_beginning", [False, True])
def test_lists_of_earlier_runs_are_read_only_where_asked(
    kafka: KafkaSettings, request: pytest.FixtureRequest, *, from_beginning: bool
) -> None:
    if "embedded" in request.node.name and not from_beginning:
        pytest.skip("The embedded broker says that a log ends where its last batch begins; runs on it read it all.")
    _, lists, letters, *_ = (topic.name for topic in topic_table(kafka))
    _publish(kafka, lists, _lists(uuid.uuid4().bytes.hex()[:24].encode(), OLD))
    make_check = partial(LoadCheck, RUN, [10])
    with LoadReader(kafka, lists, letters, make_check=make_check, from_beginning=from_beginning) as reader:
        _publish(kafka, lists, _lists(RUN, 10))
        while reader.look().listed < 10:
            assert reader._process.is_alive()
        check = reader.finish()
    assert (check.listed, check.foreign_lists) == (10, OLD if from_beginning else 0)
