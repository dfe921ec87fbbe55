"""The one place that serialises purchases, keys them by customer and sends them; every producer goes through here.

:class:`Sender` is what producers see, :class:`KafkaSender` is the real one (kafka-python), :class:`RecordingSender`
keeps what it is given. Read next: ``producers/synthetic.py`` and ``producers/replay.py``: what is sent, and when.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from trendloom.errors import BrokerUnavailable
from trendloom.events import SENT_AT_HEADER, Purchase, encode

__all__ = ["KafkaSender", "RecordingSender", "Sender", "SentRecord"]

#: A record may wait this long for others of its partition: large batches when sending fast, no visible delay.
LINGER_MS = 5
#: Bytes of a batch; about 400 purchases.
BATCH_BYTES = 131_072
#: A topic that was just made may take so long to be known to all brokers.
_TOPIC_APPEARS_S = 5.0
#: Partitions of customers are remembered (murmur2 in Python costs more than the rest of a send), for so many at most.
_REMEMBERED_CUSTOMERS = 500_000


class Sender(Protocol):
    """Where purchases go. Sends are acknowledged in their own time; ``flush`` waits for all of them."""

    @property
    def sent(self) -> int:
        """Purchases handed over so far."""

    @property
    def acknowledged(self) -> int:
        """How many of the first purchases handed over are acknowledged, without a gap: a place to resume from."""

    @property
    def failed(self) -> int:
        """Purchases that were given up."""

    def send(self, purchase: Purchase, *, sent_at_ms: int) -> None:
        """Hand over a purchase; ``sent_at_ms`` is when it was meant to be sent, ms since the epoch."""

    def flush(self) -> None:
        """Wait until everything is acknowledged; raises :class:`BrokerUnavailable` if something was given up."""


class KafkaSender:
    """Sends to a topic of Kafka: acknowledged by all replicas, idempotent, in order for each customer.

    ``options`` are keyword arguments of kafka-python's producer (addresses, login, TLS); at most ``max_in_flight``
    purchases wait for their acknowledgement; then ``send`` blocks. A purchase that is not acknowledged within
    ``give_up_after_s`` raises :class:`BrokerUnavailable` from ``send`` or ``flush``, and the run is over: what was
    handed over after it may or may not have arrived. Not for several threads.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        topic: str = "purchases",
        max_in_flight: int = 20_000,
        give_up_after_s: float = 60.0,
        compression: Literal["none", "gzip"] = "none",
    ) -> None:
        from kafka import KafkaProducer
        from kafka.errors import KafkaError
        from kafka.partitioner.default import murmur2

        self._kafka_error: type[Exception] = KafkaError
        self._murmur2 = murmur2
        self._where = ",".join(options["bootstrap_servers"])
        self._topic = topic
        self._max_in_flight = max_in_flight
        self._give_up_after_s = give_up_after_s
        self._waiting: deque[Any] = deque()  # futures, in the order of sending
        self._partitions: dict[str, int] = {}
        self.sent = 0
        self.acknowledged = 0
        self.failed = 0
        timeout_ms = max(1, int(give_up_after_s * 1000))
        self._wait_for_broker(options["bootstrap_servers"])
        try:
            self._partition_numbers = self._find_partitions(options)
            self._producer = KafkaProducer(
                **options,
                acks="all",
                enable_idempotence=True,
                compression_type=None if compression == "none" else compression,
                linger_ms=LINGER_MS,
                batch_size=BATCH_BYTES,
                max_request_size=4 << 20,
                delivery_timeout_ms=timeout_ms + LINGER_MS,
                request_timeout_ms=min(30_000, timeout_ms),
                max_block_ms=timeout_ms,
                bootstrap_timeout_ms=timeout_ms,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        except KafkaError as error:
            raise BrokerUnavailable(
                f"Kafka at {self._where} does not answer ({error}). Action: start it, or correct --kafka."
            ) from error

    def partition_of(self, customer_id: str) -> int:
        """Return the partition of a customer: Kafka's murmur2 of the id in UTF-8, as its Java client has it."""
        partition = self._partitions.get(customer_id)
        if partition is None:
            hashed = self._murmur2(customer_id.encode()) & 0x7FFFFFFF
            partition = self._partition_numbers[hashed % len(self._partition_numbers)]
            if len(self._partitions) >= _REMEMBERED_CUSTOMERS:
                self._partitions.clear()
            self._partitions[customer_id] = partition
        return partition

    def send(self, purchase: Purchase, *, sent_at_ms: int) -> None:
        """Hand over a purchase; blocks while too many are in flight."""
        customer = purchase.customer_id
        try:
            future = self._producer.send(
                self._topic,
                encode(purchase),
                customer.encode(),
                [(SENT_AT_HEADER, b"%d" % sent_at_ms)],
                self.partition_of(customer),
            )
        except self._kafka_error as error:
            raise self._gave_up(error) from error
        self.sent += 1
        self._waiting.append(future)
        self._settle()
        if len(self._waiting) > self._max_in_flight:
            self._wait_for_oldest()

    def flush(self) -> None:
        """Wait until all is acknowledged; raises :class:`BrokerUnavailable` if something was given up."""
        try:
            self._producer.flush(timeout=self._give_up_after_s + 5.0)
        except self._kafka_error as error:
            raise self._gave_up(error) from error
        while self._waiting:
            self._wait_for_oldest()

    def close(self) -> None:
        """Let go of the connection; what is not acknowledged yet is not waited for: call ``flush`` first."""
        self._producer.close(timeout=1.0)

    def _wait_for_broker(self, servers: Sequence[str]) -> None:
        # asked first, because a producer that cannot connect leaves its sockets open when it gives up
        deadline_s = time.monotonic() + self._give_up_after_s
        while True:
            for server in servers:
                host, colon, port = server.rpartition(":")
                try:
                    where = (host.strip("[]"), int(port)) if colon else (port, 9092)
                    socket.create_connection(where, timeout=2.0).close()
                except (OSError, ValueError) as error:
                    refusal = error
                else:
                    return
            if time.monotonic() >= deadline_s:
                raise BrokerUnavailable(
                    f"Kafka at {self._where} does not answer ({refusal}). Action: start it, or correct --kafka."
                )
            time.sleep(0.1)

    def _find_partitions(self, options: Mapping[str, Any]) -> list[int]:
        # asked through an admin client: the producer would wait its whole retry budget for a topic that is not there
        from kafka import KafkaAdminClient

        timeout_ms = max(1, int(min(self._give_up_after_s, _TOPIC_APPEARS_S) * 1000))
        admin = KafkaAdminClient(**options, bootstrap_timeout_ms=timeout_ms, request_timeout_ms=timeout_ms)
        deadline_s = time.monotonic() + timeout_ms / 1000.0
        try:
            while True:
                (found,) = admin.describe_topics([self._topic])
                if found["error_code"] == 0 and found["partitions"]:
                    return sorted(partition["partition_index"] for partition in found["partitions"])
                if time.monotonic() >= deadline_s:
                    raise BrokerUnavailable(
                        f"Kafka at {self._where} has no topic {self._topic!r}. "
                        f"Action: trendloom topics create --kafka {self._where}."
                    )
                time.sleep(0.1)
        finally:
            admin.close()

    def _settle(self) -> None:
        waiting = self._waiting
        while waiting and waiting[0].is_done:
            self._take(waiting.popleft())

    def _wait_for_oldest(self) -> None:
        oldest = self._waiting.popleft()
        try:
            oldest.get(timeout=self._give_up_after_s + 5.0)
        except self._kafka_error as error:
            self.failed += 1
            raise self._gave_up(error) from error
        self.acknowledged += 1
        self._settle()

    def _take(self, future: Any) -> None:
        if future.failed():
            self.failed += 1
            raise self._gave_up(future.exception) from future.exception
        self.acknowledged += 1

    def _gave_up(self, error: BaseException) -> BrokerUnavailable:
        return BrokerUnavailable(
            f"Kafka at {self._where} did not acknowledge a purchase within {self._give_up_after_s:g} s "
            f"({type(error).__name__}: {error}); {self.acknowledged} of {self.sent} sent are safe. "
            "Action: see that the broker runs, then send again (a replay: with --resume)."
        )


@dataclass(frozen=True, slots=True)
class SentRecord:
    """What a record would have been: key, value, the ``sent_at`` header, and the purchase itself."""

    key: bytes
    value: bytes
    sent_at_ms: int
    purchase: Purchase


@dataclass
class RecordingSender:
    """A sender that keeps what it is given; it acknowledges ``delay`` purchases late, and refuses after ``fail_after``.

    >>> sender = RecordingSender()
    >>> sender.sent
    0
    """

    delay: int = 0
    fail_after: int | None = None
    records: list[SentRecord] = field(default_factory=list)
    acknowledged: int = 0
    failed: int = 0

    @property
    def sent(self) -> int:
        """Purchases handed over so far."""
        return len(self.records)

    @property
    def purchases(self) -> list[Purchase]:
        """The purchases handed over, in order."""
        return [record.purchase for record in self.records]

    def send(self, purchase: Purchase, *, sent_at_ms: int) -> None:
        """Keep the purchase; raises :class:`BrokerUnavailable` once ``fail_after`` were taken."""
        if self.fail_after is not None and self.sent >= self.fail_after:
            self.failed += 1
            raise BrokerUnavailable(f"refused purchase {self.sent}, as asked. Action: none, this is a test.")
        self.records.append(SentRecord(purchase.customer_id.encode(), encode(purchase), sent_at_ms, purchase))
        self.acknowledged = max(self.acknowledged, self.sent - self.delay)

    def flush(self) -> None:
        """Acknowledge everything."""
        self.acknowledged = self.sent
