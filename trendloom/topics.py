"""The topic table: what each topic carries, how it is keyed, and how long it is kept.

This is the one place for a topic's name, partitions, retention and cleanup policy; the AsyncAPI document is generated
from it and from the models in :mod:`trendloom.events`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import BaseModel

from trendloom.events import DeadLetter, Purchase, RecommendationList, TrendSnapshot

__all__ = ["DEAD_LETTERS", "PURCHASES", "RECOMMENDATIONS", "TOPICS", "TRENDS", "Topic", "prefixed"]

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: ``partitions`` and ``retention_ms`` are what ``trendloom topics create`` asks for."""

    name: str
    message: type[BaseModel]
    key: str
    partitions: int
    retention_ms: int
    cleanup: Literal["delete", "compact", "compact,delete"]
    description: str


PURCHASES = Topic(
    name="purchases",
    message=Purchase,
    key="customer_id",
    partitions=8,
    retention_ms=30 * _DAY_MS,
    # never compacted: the log is what the state is made from, and every offset counts
    cleanup="delete",
    description="What was bought, by whom, when. Everything else is computed from this topic.",
)
RECOMMENDATIONS = Topic(
    name="recommendations",
    message=RecommendationList,
    key="customer_id",
    partitions=8,
    retention_ms=7 * _DAY_MS,
    # compacted: whoever comes late still gets every customer's latest list
    cleanup="compact,delete",
    description="A customer's refreshed top-k list, once for each purchase; the greatest version is the right one.",
)
DEAD_LETTERS = Topic(
    name="dead-letters",
    message=DeadLetter,
    key="topic-partition-offset",
    partitions=1,
    retention_ms=30 * _DAY_MS,
    cleanup="delete",
    description="Records that could not be used, with payload, position and a reason to act on.",
)
TRENDS = Topic(
    name="trends",
    message=TrendSnapshot,
    key="window_end",
    partitions=1,
    retention_ms=7 * _DAY_MS,
    cleanup="delete",
    description="A periodic snapshot of the items that are rising.",
)
TOPICS: tuple[Topic, ...] = (PURCHASES, RECOMMENDATIONS, DEAD_LETTERS, TRENDS)


def prefixed(topic: Topic, prefix: str, partitions: int | None = None) -> Topic:
    """Return the topic under another name (several Trendlooms on one Kafka), perhaps with other partitions.

    >>> prefixed(TRENDS, "shop-a.").name
    'shop-a.trends'
    """
    return replace(topic, name=prefix + topic.name, partitions=partitions or topic.partitions)
