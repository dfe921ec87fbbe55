"""Before a worker starts: wait until Kafka answers and has the topics, and see that the log is still the same log.

A topic that was deleted and made again begins at offset 0, where the state's fences mean nothing; its id tells. Brokers
without topic ids cannot be checked this way, which ``trendloom doctor`` says.
"""

from __future__ import annotations

import asyncio
import logging
import time

from config.settings import Settings
from launch.compose import kafka_options, topic_table
from launch.topic_admin import TopicState, open_admin, topic_states
from trendloom.errors import BrokerUnavailable, TopicRecreated
from trendloom.state.store import Store

__all__ = ["check_topic", "wait_for_topics"]

log = logging.getLogger(__name__)

_NO_ID = "00000000-0000-0000-0000-000000000000"


async def check_topic(settings: Settings, store: Store, name: str) -> None:
    """Wait for the topics, then raise TopicRecreated if ``name`` is not the topic that the state was made from."""
    states = await asyncio.to_thread(wait_for_topics, settings)
    current = next(state.topic_id for state in states if state.wanted.name == name)
    if current is None or current == _NO_ID:
        log.info("this broker gives no topic ids: a topic made anew cannot be recognised")
        return
    stored = (await store.topic_ids({name: current}))[name]
    if stored != current:
        raise TopicRecreated(
            f"The topic {name} was deleted and made again (its id was {stored}, it is {current}): the state belongs to "
            "a log that is gone. Action: run `trendloom state rebuild`."
        )


def wait_for_topics(settings: Settings) -> list[TopicState]:
    """Return every topic of the table as the brokers have it, waiting until all are there.

    Raises BrokerUnavailable when the retry budget is spent.
    """
    deadline = time.monotonic() + settings.worker.retry_budget_s
    pause_s = 0.2
    while True:
        try:
            with open_admin(kafka_options(settings.kafka), timeout_s=10.0) as admin:
                states = topic_states(admin, topic_table(settings.kafka))
            missing = [state.wanted.name for state in states if not state.exists]
            if not missing:
                return states
            problem = f"The topics {', '.join(missing)} do not exist. Action: run `trendloom topics create`."
        except BrokerUnavailable as error:
            problem = str(error)
        if time.monotonic() + pause_s > deadline:
            raise BrokerUnavailable(problem)
        log.warning("%s Asking again in %.1f s.", problem, pause_s)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 5.0)
