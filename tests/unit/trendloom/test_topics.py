from __future__ import annotations

import re

import pytest

from trendloom import events
from trendloom.topics import PURCHASES, RECOMMENDATIONS, TOPICS, Topic, prefixed


def test_there_are_four_topics_and_each_message_travels_on_one() -> None:
    assert [topic.name for topic in TOPICS] == ["purchases", "recommendations", "dead-letters", "trends"]
    carried = {topic.message for topic in TOPICS}
    assert carried == {events.Purchase, events.RecommendationList, events.DeadLetter, events.TrendSnapshot}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_is_one_that_kafka_takes(topic: Topic) -> None:
    assert re.fullmatch(r"[a-z-]{1,249}", topic.name)
    assert topic.partitions >= 1
    assert topic.retention_ms >= 7 * 86_400_000
    assert topic.description.endswith(".")


def test_the_log_is_never_compacted_and_lists_are() -> None:
    assert PURCHASES.cleanup == "delete"
    assert "compact" in RECOMMENDATIONS.cleanup


def test_purchases_and_lists_share_their_partitions() -> None:
    assert PURCHASES.partitions == RECOMMENDATIONS.partitions
    assert PURCHASES.key == RECOMMENDATIONS.key == "customer_id"


def test_a_prefix_changes_the_name_alone() -> None:
    other = prefixed(PURCHASES, "b.")
    assert other.name == "b.purchases"
    assert prefixed(other, "", None).partitions == PURCHASES.partitions
    assert prefixed(PURCHASES, "", 3).partitions == 3
    assert PURCHASES.name == "purchases"
