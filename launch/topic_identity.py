"""Before a worker starts: wait until Kafka answers and the topics are there, and see that the log is still the same log.

A topic that was deleted and made again begins at offset 0, where the state's fences mean nothing; its id tells. Brokers
without topic ids cannot be checked this way, which ``trendloom doctor`` says.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from config.settings import Settings
from launch.compose import kafka_options, topic_table
from trendloom.errors import BrokerUnavailable, TopicRecreated
from trendloom.state.on_redis import RedisStore

__all__ = ["check_topic", "described_topics", "topic_id", "wait_for_topics"]

log = logging.getLogger(__name__)

_NO_ID = str(uuid.UUID(int=0))


async def check_topic(settings: Settings, store: RedisStore, name: str) -> None:
    """Wait for the topics, then raise TopicRecreated if ``name`` is not the topic that the state was made from."""
    described = await asyncio.to_thread(wait_for_topics, settings)
    current = topic_id(described[name])
    if current is None:
        log.info("this broker gives no topic ids: a topic made anew cannot be recognised")
        return
    stored = (await store.topic_ids({name: current}))[name]
    if stored != current:
        msg = (
            f"The topic {name} was deleted and made again (its id was {stored}, it is {current}): the state belongs to a "
            "log that is gone. Action: run `trendloom state rebuild`."
        )
        raise TopicRecreated(msg)


def wait_for_topics(settings: Settings) -> dict[str, Any]:
    """Return the description of every topic of the table, waiting until all are there.

    Raises BrokerUnavailable when the retry budget is spent.
    """
    names = [topic.name for topic in topic_table(settings.kafka)]
    deadline = time.monotonic() + settings.worker.retry_budget_s
    pause_s = 0.2
    while True:
        try:
            described = described_topics(settings)
            missing = [name for name in names if name not in described]
            if not missing:
                return described
            problem = f"the topics {', '.join(missing)} are missing. Action: run `trendloom topics create`"
        except KafkaError as error:
            problem = f"Kafka at {settings.kafka.bootstrap} does not answer ({error}). Action: start it, or correct --kafka"
        if time.monotonic() + pause_s > deadline:
            raise BrokerUnavailable(f"{problem[0].upper()}{problem[1:]}.")
        log.warning("%s; asking again in %.1f s", problem, pause_s)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 5.0)


def described_topics(settings: Settings) -> dict[str, Any]:
    """Return what the broker says of each topic that it has, by name."""
    admin = KafkaAdminClient(**kafka_options(settings.kafka), request_timeout_ms=10_000)
    try:
        return {topic["name"]: topic for topic in admin.describe_topics() if not topic.get("error_code")}
    finally:
        admin.close()


def topic_id(description: dict[str, Any]) -> str | None:
    """Return a topic's id as text; None where the broker gives none."""
    given = description.get("topic_id")
    return None if given is None or str(given) == _NO_ID else str(given)
