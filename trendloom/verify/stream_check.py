"""Did every purchase get its list? Checks over what was sent, and the lists and dead letters that came back.

Memory grows with the customers and with what is still awaited, not with the purchases, so millions fit. It never
talks to Kafka: :mod:`launch.list_reader` feeds it. Read next: :mod:`trendloom.verify.freshness`.
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import orjson

from trendloom.events import RecommendationList
from trendloom.verify.freshness import DurationHistogram

__all__ = ["CheckSummary", "StreamCheck"]

#: Published parts are rounded to six decimals, so a sum of a dozen of them may be off by this much.
_PARTS_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class CheckSummary:
    """What was counted so far; all are numbers of records but ``customers``."""

    purchases_sent: int
    lists_published: int
    customers: int
    #: Records set aside, each counted once however often its dead letter was delivered.
    dead_letters: int
    #: Purchases of this run that lie among the dead letters.
    purchases_refused: int
    #: A list of a (customer, version) that had come before: allowed by at-least-once, harmless by version.
    duplicate_lists: int
    #: Purchases that have no list of their own, and a later one of their customer; 0 unless lists are debounced.
    purchases_covered: int
    #: Purchases sent that have neither a list nor a dead letter, and are not covered (yet).
    missing_lists: int
    #: Lists of purchases that this run did not send (a topic may have other senders).
    foreign_lists: int
    #: New lists whose version is not greater than all before it of that customer: must be 0.
    version_regressions: int
    #: Lists that were checked in full (schema, parts sum to the score), and how many of them were wrong: must be 0.
    lists_examined: int
    lists_malformed: int


@dataclass(slots=True)
class _Customer:
    epoch: int = 0
    greatest: int = 0
    skipped: set[int] = field(default_factory=set)


class StreamCheck:
    """Counts and compares; may be told of purchases by one thread and of lists by another.

    ``examine_every`` says which lists are checked in full: 1 is every list, 16 every sixteenth. Where lists are
    ``debounced``, a list covers what its customer was sent before; without it every purchase needs a list of its own.

    >>> check = StreamCheck()
    >>> check.sent(uuid.UUID(int=7), "ann")
    >>> check.summary().missing_lists
    1
    """

    def __init__(self, *, examine_every: int = 16, debounced: bool = False) -> None:
        self._lock = threading.Lock()
        self._examine_every = max(1, examine_every)
        self._debounced = debounced
        self._awaited: set[bytes] = set()
        self._dead_positions: set[tuple[str, int, int]] = set()
        self._customers: dict[str, _Customer] = {}
        #: Each customer's purchases since the last that has a list, in order; kept where lists are debounced.
        self._buyers: dict[str, deque[bytes]] = {}
        self._counts = dict.fromkeys(
            ("sent", "lists", "dead", "refused", "twice", "covered", "foreign", "back", "examined", "wrong"), 0
        )
        #: Intended send time of a purchase to its first list's arrival, ms.
        self.freshness = DurationHistogram()
        #: What was wrong with the first few malformed lists, for a person.
        self.complaints: list[str] = []

    @property
    def outstanding(self) -> int:
        """Purchases sent that have neither a list nor a dead letter yet, and are not covered."""
        return len(self._awaited)

    @property
    def settled(self) -> int:
        """Lists and dead letters so far: grows as long as the run makes progress."""
        return self._counts["lists"] + self._counts["dead"]

    def sent(self, event_id: uuid.UUID, customer_id: str) -> None:
        """Note a purchase, before it is sent; a customer's purchases in their order."""
        with self._lock:
            self._counts["sent"] += 1
            self._awaited.add(event_id.bytes)
            if self._debounced:
                self._buyers.setdefault(customer_id, deque()).append(event_id.bytes)

    def take_list(self, value: bytes, received_ms: float) -> dict[str, Any]:
        """Check a record of the lists' topic, received at ``received_ms`` since the epoch; return it decoded."""
        found: dict[str, Any] = orjson.loads(value)
        with self._lock:
            self._counts["lists"] += 1
            if self._counts["lists"] % self._examine_every == 0:
                self._examine(value)
            event_id = uuid.UUID(found["cause"]["event_id"]).bytes
            ours = event_id in self._awaited
            self._awaited.discard(event_id)
            if ours and self._debounced:
                self._cover(found["customer_id"], event_id)
            twice = self._is_repeated(found["customer_id"], found["version"]["epoch"], found["version"]["number"])
            if twice:
                self._counts["twice"] += 1
            elif not ours:
                self._counts["foreign"] += 1
            elif found["sent_at"] is not None:
                self.freshness.add(received_ms - found["sent_at"])
        return found

    def take_dead_letter(self, value: bytes) -> dict[str, Any]:
        """Note a record of the dead letters' topic; if it holds a purchase of ours, that one is awaited no longer."""
        found: dict[str, Any] = orjson.loads(value)
        try:
            event_id = uuid.UUID(orjson.loads(found["payload"])["event_id"]).bytes
        except (ValueError, TypeError, KeyError, AttributeError):
            event_id = b""  # the payload is no purchase: it has no list to wait for
        position = (str(found["topic"]), int(found["partition"]), int(found["offset"]))
        with self._lock:
            if position not in self._dead_positions:
                self._dead_positions.add(position)
                self._counts["dead"] += 1
            if event_id in self._awaited:
                self._counts["refused"] += 1
                self._awaited.discard(event_id)
        return found

    def summary(self) -> CheckSummary:
        """Return what was counted so far."""
        with self._lock:
            counts = self._counts
            return CheckSummary(
                purchases_sent=counts["sent"],
                lists_published=counts["lists"],
                customers=len(self._customers),
                dead_letters=counts["dead"],
                purchases_refused=counts["refused"],
                duplicate_lists=counts["twice"],
                purchases_covered=counts["covered"],
                missing_lists=len(self._awaited),
                foreign_lists=counts["foreign"],
                version_regressions=counts["back"],
                lists_examined=counts["examined"],
                lists_malformed=counts["wrong"],
            )

    def _cover(self, customer_id: str, event_id: bytes) -> None:
        """Await no list for what a customer was sent before a purchase that has its list now."""
        sent = self._buyers.get(customer_id, deque())
        while sent:
            before = sent.popleft()
            if before == event_id:
                return
            if before in self._awaited:
                self._awaited.discard(before)
                self._counts["covered"] += 1

    def _is_repeated(self, customer_id: str, epoch: int, number: int) -> bool:
        customer = self._customers.setdefault(customer_id, _Customer(epoch=epoch))
        if epoch < customer.epoch:
            return True  # of a state that has been replaced since
        if epoch > customer.epoch:
            customer.epoch, customer.greatest = epoch, 0
            customer.skipped.clear()
        if number > customer.greatest:
            # before the first list of a customer nothing is known of the numbers below it; where lists are debounced,
            # what was skipped may still come after a crash, and is as harmless as a repetition
            if customer.greatest and not self._debounced:
                customer.skipped.update(range(customer.greatest + 1, number))
            customer.greatest = number
            return False
        if number in customer.skipped:
            customer.skipped.discard(number)
            self._counts["back"] += 1
            return False
        return True

    def _examine(self, value: bytes) -> None:
        self._counts["examined"] += 1
        complaint = _fault_of(value)
        if complaint:
            self._counts["wrong"] += 1
            if len(self.complaints) < 5:
                self.complaints.append(complaint)


def _fault_of(value: bytes) -> str:
    try:
        found = RecommendationList.model_validate_json(value)
    except ValueError as error:
        return f"not a list: {error}"
    items = [entry.item_id for entry in found.entries]
    if len(set(items)) < len(items):
        return f"an item twice in the list of {found.customer_id}: {items}"
    if found.cause.item_id in items:
        return f"the item just bought in the list of {found.customer_id}: {found.cause.item_id}"
    for entry in found.entries:
        if abs(sum(entry.parts.values()) - entry.score) > _PARTS_TOLERANCE:
            return f"the parts of {entry.item_id} sum to {sum(entry.parts.values())}, its score is {entry.score}"
    return ""
