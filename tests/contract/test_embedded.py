"""Engines keep what they promise, embedded and real: they answer when they are returned, and end with the run."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import redis
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from config.settings import KafkaSettings
from launch.compose import topic_table
from launch.embedded import Engines, start_valkey
from launch.processes import Processes
from launch.readiness import answers_kafka
from launch.real_engines import start_redis_cluster
from launch.topic_admin import create_topics, open_admin
from trendloom.errors import BrokerUnavailable, InputError, StoreUnavailable


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _round_trip(bootstrap: str, prefix: str) -> list[bytes]:
    topics = topic_table(KafkaSettings(bootstrap=bootstrap, topic_prefix=prefix))
    with open_admin({"bootstrap_servers": [bootstrap]}) as admin:
        assert sorted(create_topics(admin, topics)) == sorted(topic.name for topic in topics)
        assert create_topics(admin, topics) == []
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    producer.send(topics[0].name, b"hello", key=b"c1", partition=3).get(timeout=20)
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=20_000)
    consumer.assign([TopicPartition(topics[0].name, 3)])
    found = [next(consumer).value]
    consumer.close()
    return found


@pytest.mark.broker
@pytest.mark.redis
def test_embedded_engines_work_and_end() -> None:
    with Engines() as engines:
        directory = engines.processes.directory
        assert _round_trip(engines.kafka_bootstrap, "t-") == [b"hello"]
        client = redis.Redis.from_url(engines.redis_url)
        assert client.set("a", 1)
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert client.config_get("save")["save"] == ""
        assert client.config_get("appendonly")["appendonly"] == "no"
        assert client.config_get("bind")["bind"] == "127.0.0.1"
        client.close()
        redis_address = engines.redis_url.removeprefix("redis://").removesuffix("/0")
        assert _listens(redis_address)
    assert not _listens(engines.kafka_bootstrap)
    assert not _listens(redis_address)
    assert not directory.exists()


@pytest.mark.redis
def test_given_engines_are_used_as_they_are(valkey_url: str) -> None:
    with Engines(kafka="somewhere:9092", redis_url=valkey_url) as engines:
        assert (engines.kafka_bootstrap, engines.redis_url) == ("somewhere:9092", valkey_url)
    assert redis.Redis.from_url(valkey_url, single_connection_client=True).ping()


@pytest.mark.broker
def test_another_broker_on_the_port_is_not_taken_for_ours(embedded_broker: str) -> None:
    assert answers_kafka(embedded_broker)
    assert not answers_kafka(embedded_broker, cluster_id="another")


def test_a_broker_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "tansu"
    broken.write_text("#!/bin/sh\necho no room for a broker\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CALF_TANSU_BIN", str(broken))
    with pytest.raises(BrokerUnavailable, match=r"(?s)no room for a broker.*Action:"):
        Engines(redis_url="redis://127.0.0.1:1/0")


def test_a_store_that_cannot_start_says_why() -> None:
    with Processes() as processes, pytest.raises(StoreUnavailable, match="Action:"):
        start_valkey(processes, binary="/bin/false")


@pytest.mark.redis
def test_the_systems_redis_answers(redis_server_url: str) -> None:
    client = redis.Redis.from_url(redis_server_url)
    assert "redis_version" in client.info("server")
    assert client.dbsize() == 0
    client.close()


@pytest.mark.redis
@pytest.mark.slow
def test_a_cluster_is_whole_when_it_is_returned(redis_cluster: list[str]) -> None:
    assert len(redis_cluster) == 6
    client: Any = redis.RedisCluster.from_url(redis_cluster[0])
    for number in range(50):
        client.set(f"k{number}", number)
    assert [int(client.get(f"k{number}") or -1) for number in range(50)] == list(range(50))
    client.disconnect_connection_pools()
    client.close()


def test_a_cluster_needs_halves() -> None:
    with Processes() as processes, pytest.raises(InputError, match="2, 4, 6"):
        start_redis_cluster(processes, nodes=3)


@pytest.mark.kafka
@pytest.mark.slow
def test_apache_kafka_works(apache_kafka: str) -> None:
    assert _round_trip(apache_kafka, f"t{os.getpid()}-") == [b"hello"]
