"""Settings turned into the plain values that everything else is handed: client options, topics.

Only ``launch`` and ``config`` know :class:`~config.settings.Settings`; what comes out here are strings, numbers and
dictionaries of keyword arguments. It opens no connection.
"""

from __future__ import annotations

import ssl
from typing import Any

from config.settings import KafkaSettings, RedisSettings
from trendloom.errors import SettingsError
from trendloom.topics import PURCHASES, RECOMMENDATIONS, TOPICS, Topic, prefixed

__all__ = ["aiokafka_options", "kafka_options", "kafka_ssl_context", "redis_options", "topic_table"]


def kafka_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Return keyword arguments for any client of kafka-python: addresses, login and TLS.

    >>> kafka_options(KafkaSettings(bootstrap="a:9092,b:9092"))["bootstrap_servers"]
    ['a:9092', 'b:9092']
    """
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap.split(","),
        "security_protocol": kafka.security_protocol,
    }
    if kafka.sasl_mechanism:
        options |= _login(kafka)
    if "SSL" in kafka.security_protocol:
        options |= {
            "ssl_cafile": kafka.ssl_cafile or None,
            "ssl_certfile": kafka.ssl_certfile or None,
            "ssl_keyfile": kafka.ssl_keyfile or None,
            "ssl_password": kafka.ssl_password.get_secret_value() or None,
        }
    return options


def aiokafka_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Return keyword arguments for any client of aiokafka: addresses, login and TLS.

    >>> sorted(aiokafka_options(KafkaSettings()))
    ['bootstrap_servers', 'security_protocol']
    """
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap.split(","),
        "security_protocol": kafka.security_protocol,
    }
    if kafka.sasl_mechanism:
        options |= _login(kafka)
    context = kafka_ssl_context(kafka)
    if context is not None:
        options["ssl_context"] = context
    return options


def kafka_ssl_context(kafka: KafkaSettings) -> ssl.SSLContext | None:
    """Return the TLS context to speak to Kafka with, or None where TLS is not asked for.

    Raises :class:`~trendloom.errors.SettingsError` if a file of it cannot be used.
    """
    if "SSL" not in kafka.security_protocol:
        return None
    try:
        context = ssl.create_default_context(cafile=kafka.ssl_cafile or None)
        if kafka.ssl_certfile:
            password = kafka.ssl_password.get_secret_value() or None
            context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile, password)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"The TLS files for Kafka cannot be used: {error}. Action: check kafka.ssl_cafile, ssl_certfile, "
            "ssl_keyfile and ssl_password."
        ) from None
    return context


def redis_options(redis: RedisSettings) -> dict[str, Any]:
    """Return keyword arguments beside the address for ``Redis.from_url`` and ``RedisCluster.from_url``.

    >>> redis_options(RedisSettings(timeout_s=2))
    {'socket_timeout': 2.0, 'socket_connect_timeout': 2.0}
    """
    options: dict[str, Any] = {"socket_timeout": redis.timeout_s, "socket_connect_timeout": redis.timeout_s}
    if redis.username:
        options["username"] = redis.username
    if redis.password.get_secret_value():
        options["password"] = redis.password.get_secret_value()
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        if getattr(redis, name):
            options[name] = getattr(redis, name)
    return options


def topic_table(kafka: KafkaSettings) -> tuple[Topic, ...]:
    """Return the topics under their names and with their partitions as set; order as in ``TOPICS``.

    >>> [topic.partitions for topic in topic_table(KafkaSettings(partitions=3))]
    [3, 3, 1, 1]
    """
    scaled = (PURCHASES, RECOMMENDATIONS)
    return tuple(prefixed(topic, kafka.topic_prefix, kafka.partitions if topic in scaled else None) for topic in TOPICS)


def _login(kafka: KafkaSettings) -> dict[str, Any]:
    return {
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.sasl_username,
        "sasl_plain_password": kafka.sasl_password.get_secret_value(),
    }
