from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient
from redis.connection import SSLConnection, parse_url

from config.settings import KafkaSettings, RedisSettings
from launch.compose import aiokafka_options, kafka_options, kafka_ssl_context, redis_options, topic_table
from trendloom.errors import SettingsError

LOGIN = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-512",
    "sasl_username": "shop",
    "sasl_password": "pw",
}


def test_a_login_reaches_both_kafka_clients() -> None:
    kafka = KafkaSettings.model_validate({**LOGIN, "bootstrap": "a:1,b:2"})
    wanted = {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "shop",
        "sasl_plain_password": "pw",
    }
    assert kafka_options(kafka).items() >= wanted.items()
    assert aiokafka_options(kafka).items() >= wanted.items()
    assert isinstance(aiokafka_options(kafka)["ssl_context"], ssl.SSLContext)


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
def test_tls_is_asked_for_where_the_protocol_says_so(protocol: str) -> None:
    login = {**LOGIN, "security_protocol": protocol} if "SASL" in protocol else {"security_protocol": protocol}
    kafka = KafkaSettings.model_validate(login)
    tls = protocol.endswith("SSL")
    assert (kafka_ssl_context(kafka) is not None) == tls
    assert ("ssl_cafile" in kafka_options(kafka)) == tls


def test_kafka_python_knows_every_option() -> None:
    assert set(kafka_options(KafkaSettings.model_validate(LOGIN))) <= set(KafkaAdminClient.DEFAULT_CONFIG)


def test_a_certificate_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    with pytest.raises(SettingsError, match="Action: check kafka.ssl_cafile"):
        kafka_ssl_context(KafkaSettings.model_validate({"security_protocol": "SSL", "ssl_cafile": str(broken)}))


def test_redis_gets_its_login_and_tls_files() -> None:
    redis = RedisSettings.model_validate({"url": "rediss://u:pw@h:1/0", "ssl_ca_certs": "ca.pem", "timeout_s": 2})
    assert redis_options(redis) == {
        "socket_timeout": 2.0,
        "socket_connect_timeout": 2.0,
        "username": "u",
        "password": "pw",
        "ssl_ca_certs": "ca.pem",
    }
    from_address = parse_url(redis.url)
    assert from_address.pop("connection_class") is SSLConnection
    assert SSLConnection(**from_address, **redis_options(redis)).ca_certs == "ca.pem"


def test_topics_take_prefix_and_partitions_from_the_settings() -> None:
    table = topic_table(KafkaSettings.model_validate({"topic_prefix": "x.", "partitions": 3}))
    assert [(topic.name, topic.partitions) for topic in table] == [
        ("x.purchases", 3),
        ("x.recommendations", 3),
        ("x.dead-letters", 1),
        ("x.trends", 1),
    ]
