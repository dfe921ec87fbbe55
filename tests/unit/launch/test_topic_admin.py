from __future__ import annotations

import uuid
from typing import Any

import pytest
from kafka.errors import KafkaConnectionError

from launch.topic_admin import TopicState, create_topics, open_admin, topic_states
from trendloom.errors import BrokerUnavailable
from trendloom.topics import PURCHASES, RECOMMENDATIONS, TOPICS


class RememberingAdmin:
    """What brokers answer, from a dictionary of topics; ``refuses`` is the error of every creation."""

    def __init__(self, *, tells_rules: bool = True, refuses: int = 0) -> None:
        self.topics: dict[str, dict[str, Any]] = {}
        self.tells_rules = tells_rules
        self.refuses = refuses

    def create_topics(self, wanted: dict[str, Any], **_: Any) -> dict[str, Any]:
        answers = []
        for name, options in wanted.items():
            code = self.refuses or (36 if name in self.topics else 0)
            if code == 0:
                self.topics[name] = options
            answers.append({"name": name, "error_code": code, "error_message": "No."})
        return {"topics": answers}

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "error_code": 0 if name in self.topics else 3,
                "topic_id": uuid.UUID(int=1) if name in self.topics else None,
                "partitions": [{}] * self.topics.get(name, {}).get("num_partitions", 0),
            }
            for name in names
        ]

    def describe_configs(self, resources: list[Any], **_: Any) -> dict[str, Any]:
        if not self.tells_rules:
            raise KafkaConnectionError("socket disconnected")
        return {
            "topic": {
                resource.name: {key: {"value": value} for key, value in self.topics[resource.name]["configs"].items()}
                for resource in resources
            }
        }


def test_topics_are_created_once_and_are_then_as_they_should_be() -> None:
    admin: Any = RememberingAdmin()
    assert [state.differences() for state in topic_states(admin, TOPICS)] == [["it does not exist"]] * 4
    assert create_topics(admin, TOPICS) == [topic.name for topic in TOPICS]
    assert create_topics(admin, TOPICS) == []
    states = topic_states(admin, TOPICS)
    assert [state.differences() for state in states] == [[]] * 4
    assert states[0] == TopicState(
        PURCHASES,
        exists=True,
        partitions=8,
        topic_id=str(uuid.UUID(int=1)),
        cleanup="delete",
        retention_ms=2_592_000_000,
    )


def test_a_broker_that_does_not_tell_rules_is_no_fault() -> None:
    admin: Any = RememberingAdmin(tells_rules=False)
    create_topics(admin, [PURCHASES])
    (state,) = topic_states(admin, [PURCHASES])
    assert state.differences() == []
    assert state.cleanup is None


def test_a_refusal_is_said_with_the_brokers_reason() -> None:
    admin: Any = RememberingAdmin(refuses=38)
    with pytest.raises(BrokerUnavailable, match="refuses the topic purchases: No. Action: "):
        create_topics(admin, [PURCHASES])


def test_every_difference_is_named() -> None:
    wrong = TopicState(PURCHASES, exists=True, partitions=4, cleanup="compact", retention_ms=1_000)
    assert len(wrong.differences()) == 3
    longer = TopicState(PURCHASES, exists=True, partitions=8, cleanup="delete", retention_ms=10**15)
    forever = TopicState(PURCHASES, exists=True, partitions=8, cleanup="delete", retention_ms=-1)
    turned = TopicState(RECOMMENDATIONS, exists=True, partitions=8, cleanup="delete,compact")
    assert longer.differences() == forever.differences() == turned.differences() == []


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no-port", "host:name"])
def test_no_broker_is_an_error_that_says_where(address: str) -> None:
    with (
        pytest.raises(BrokerUnavailable, match=f"No Kafka broker answers at {address} "),
        open_admin({"bootstrap_servers": [address]}, timeout_s=0.2),
    ):
        pytest.fail("nothing can listen there")
