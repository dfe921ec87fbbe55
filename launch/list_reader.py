"""Reads what a run publishes (lists, dead letters, trends) in a thread, and hands each record to the checks and views.

It is an ordinary foreign consumer: it belongs to no group, commits nothing, and never asks for end offsets of an
embedded broker. Read next: :mod:`trendloom.verify.stream_check`, :mod:`launch.run`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import orjson
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from dashboard.feed import Feed
from trendloom.errors import BrokerUnavailable
from trendloom.verify.stream_check import StreamCheck

__all__ = ["ListReader"]

_POLL_MS = 50
_JOIN_S = 10.0


class ListReader:
    """Reads three topics, from now on or from their beginning, until closed; a context manager.

    ``options`` are keyword arguments for kafka-python; ``on_list`` (if given) also gets every decoded list.
    Raises :class:`BrokerUnavailable` if the broker does not answer.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        check: StreamCheck,
        feed: Feed,
        *,
        recommendations: str,
        dead_letters: str,
        trends: str,
        from_beginning: bool,
        on_list: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._check, self._feed, self._on_list = check, feed, on_list
        self._recommendations, self._dead_letters = recommendations, dead_letters
        #: When the last list came, on the monotonic clock; 0 before the first.
        self.last_list_at_s = 0.0
        self._ended = threading.Event()
        self._fault: BaseException | None = None
        try:
            self._consumer = KafkaConsumer(
                **options,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=_POLL_MS,
                max_poll_records=2000,
                metrics_enabled=False,
            )
            partitions = [
                TopicPartition(topic, number)
                for topic in (recommendations, dead_letters, trends)
                for number in sorted(self._consumer.partitions_for_topic(topic) or ())
            ]
            self._consumer.assign(partitions)
            if from_beginning:
                self._consumer.seek_to_beginning(*partitions)
            else:
                self._consumer.seek_to_end(*partitions)
            for partition in partitions:
                self._consumer.position(partition)  # settled before the first purchase is sent
        except KafkaError as error:
            raise BrokerUnavailable(f"The lists cannot be read: {error}. Action: see that the broker runs.") from error
        self._thread = threading.Thread(target=self._read, name="list-reader", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return itself; reading ends with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop reading."""
        self.close()

    def close(self) -> None:
        """Stop reading and let go of the connection; may be called twice."""
        self._ended.set()
        self._thread.join(_JOIN_S)
        self._consumer.close(autocommit=False)

    def raise_if_failed(self) -> None:
        """Raise what ended the reading thread, if something did."""
        if self._fault is not None:
            raise self._fault

    def _read(self) -> None:
        try:
            while not self._ended.is_set():
                fetched = self._consumer.poll(timeout_ms=_POLL_MS)
                received_ms = time.time() * 1000.0
                for partition, records in fetched.items():
                    for record in records:
                        self._take(partition.topic, record.value, received_ms)
        except KafkaError as error:
            self._fault = BrokerUnavailable(f"The lists cannot be read: {error}. Action: see that the broker runs.")
        except BaseException as error:  # noqa: BLE001 - kept whole, and raised in the run's own thread
            self._fault = error

    def _take(self, topic: str, value: bytes | None, received_ms: float) -> None:
        if value is None:
            return  # a tombstone
        if topic == self._recommendations:
            found = self._check.take_list(value, received_ms)
            self._feed.list_published(found, received_ms)
            self.last_list_at_s = time.monotonic()
            if self._on_list is not None:
                self._on_list(found)
        elif topic == self._dead_letters:
            self._check.take_dead_letter(value)
            self._feed.dead_letter()
        else:
            self._feed.rising(orjson.loads(value))
