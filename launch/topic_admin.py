"""The topics as the brokers have them: created where they are missing, compared with what the topic table asks for.

It works through kafka-python's admin client and never deletes or changes a topic that exists. Read next:
:mod:`trendloom.topics` for the table, ``launch/commands/topics.py`` for the command.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError

from trendloom.errors import BrokerUnavailable
from trendloom.topics import Topic

__all__ = ["TopicState", "broker_version", "create_topics", "open_admin", "topic_states"]

_ALREADY_EXISTS = 36  # Kafka's error code
_POLICY, _RETENTION = "cleanup.policy", "retention.ms"


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the brokers have it; ``None`` is what this broker does not tell."""

    wanted: Topic
    exists: bool
    partitions: int = 0
    topic_id: str | None = None
    cleanup: str | None = None
    retention_ms: int | None = None

    def differences(self) -> list[str]:
        """Return what differs from the topic table, a sentence each; empty if nothing does.

        >>> from trendloom.topics import PURCHASES
        >>> TopicState(PURCHASES, exists=True, partitions=4).differences()
        ['it has 4 partitions, the settings ask for 8']
        """
        if not self.exists:
            return ["it does not exist"]
        found = []
        if self.partitions != self.wanted.partitions:
            found.append(f"it has {self.partitions} partitions, the settings ask for {self.wanted.partitions}")
        if self.cleanup is not None and set(self.cleanup.split(",")) != set(self.wanted.cleanup.split(",")):
            found.append(f"its cleanup policy is {self.cleanup}, it should be {self.wanted.cleanup}")
        if self.retention_ms is not None and 0 <= self.retention_ms < self.wanted.retention_ms:
            found.append(f"it keeps records {self.retention_ms} ms, it should keep them {self.wanted.retention_ms} ms")
        return found


@contextmanager
def open_admin(options: Mapping[str, Any], *, timeout_s: float = 5.0) -> Iterator[KafkaAdminClient]:
    """Yield an admin client; ``options`` are those of :func:`launch.compose.kafka_options`.

    Raises :class:`~trendloom.errors.BrokerUnavailable` if no broker answers in ``timeout_s`` or the talk breaks off.
    """
    place = ",".join(options["bootstrap_servers"])
    _someone_listens(options["bootstrap_servers"], timeout_s)
    timeout_ms = int(timeout_s * 1000)
    try:
        admin = KafkaAdminClient(**options, bootstrap_timeout_ms=timeout_ms, request_timeout_ms=timeout_ms)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(
            f"No Kafka broker answers at {place} ({error}). Action: start it, or correct --kafka or the settings."
        ) from None
    try:
        yield admin
    except KafkaError as error:
        raise BrokerUnavailable(f"Kafka at {place} broke off: {error}. Action: see the broker's log.") from None
    finally:
        admin.close()


def broker_version(admin: KafkaAdminClient) -> str:
    """Return the version that the first broker's protocol amounts to, such as ``4.1``; the newest known at least."""
    broker = admin.describe_cluster()["brokers"][0]["broker_id"]
    return ".".join(str(part) for part in admin.get_broker_version_data(broker).broker_version)


def create_topics(admin: KafkaAdminClient, topics: Sequence[Topic], *, replication_factor: int = 1) -> list[str]:
    """Create the topics that do not exist and return their names; those that exist stay as they are.

    Raises :class:`~trendloom.errors.BrokerUnavailable` with the broker's own reason if it refuses one.
    """
    wanted = {
        topic.name: {
            "num_partitions": topic.partitions,
            "replication_factor": replication_factor,
            "configs": {_POLICY: topic.cleanup, _RETENTION: str(topic.retention_ms)},
        }
        for topic in topics
    }
    answer = admin.create_topics(wanted, timeout_ms=15_000, raise_errors=False)
    created = []
    for topic in answer["topics"]:
        if topic["error_code"] == 0:
            created.append(topic["name"])
        elif topic["error_code"] != _ALREADY_EXISTS:
            raise BrokerUnavailable(
                f"The broker refuses the topic {topic['name']}: {topic['error_message']} Action: correct the settings "
                "(kafka.replication_factor, kafka.partitions, kafka.topic_prefix) or the broker."
            )
    return created


def topic_states(admin: KafkaAdminClient, topics: Sequence[Topic]) -> list[TopicState]:
    """Return each topic as the brokers have it, in the order given."""
    described = {found["name"]: found for found in admin.describe_topics([topic.name for topic in topics])}
    existing = [topic.name for topic in topics if described.get(topic.name, {}).get("error_code") == 0]
    rules = _rules(admin, existing)
    states = []
    for topic in topics:
        if topic.name not in existing:
            states.append(TopicState(topic, exists=False))
            continue
        found, rule = described[topic.name], rules.get(topic.name, {})
        retention = rule.get(_RETENTION, {}).get("value")
        states.append(
            TopicState(
                topic,
                exists=True,
                partitions=len(found["partitions"]),
                topic_id=str(found["topic_id"]) if found.get("topic_id") else None,
                cleanup=rule.get(_POLICY, {}).get("value"),
                retention_ms=None if retention is None else int(retention),
            )
        )
    return states


def _someone_listens(addresses: Sequence[str], timeout_s: float) -> None:
    """Raise at once where nobody listens: the admin client itself would try until its time is up, and leak a socket."""
    reason: OSError | ValueError | None = None
    for address in addresses:
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout_s).close()
        except (OSError, ValueError) as error:
            reason = error
        else:
            return
    raise BrokerUnavailable(
        f"No Kafka broker answers at {','.join(addresses)} ({reason}). Action: start it, or correct --kafka."
    )


def _rules(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, Any]:
    """Return the topics' cleanup policy and retention, or nothing from a broker that does not tell (Tansu hangs up)."""
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, {_POLICY: None, _RETENTION: None}) for name in names]
    try:
        answer = admin.describe_configs(resources, config_filter="all")
    except KafkaError:
        return {}
    found: dict[str, Any] = answer.get("topic", {})
    return found
