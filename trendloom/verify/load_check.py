"""Did every purchase of a load test get its list, and how soon? Checks of lists as bytes, at line rate.

A purchase's number stands in its event id (``producers/load_records.py`` puts it there), so a list is checked by
cutting five words out of its bytes; JSON is decoded only where they are not where they usually are. Debounced lists
cover earlier purchases of their customer. It never talks to Kafka. Read next: :mod:`trendloom.verify.saturation`;
:mod:`trendloom.verify.compiled_check` for the same, compiled; :mod:`trendloom.verify.stream_check` for lists of any
purchases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import orjson

from trendloom.verify.freshness import DurationHistogram

__all__ = ["LoadCheck", "PartCheck", "previous_purchases"]

Ints = npt.NDArray[np.int64]

#: What is known of a purchase: it has a list, was set aside, or a later list of its customer covers it; else nothing.
_LISTED, _REFUSED, _COVERED = 1, 2, 3

_RUN_CHARACTERS, _NUMBER_DIGITS = 24, 12
_Words = tuple[int, bytes, bytes, int, int]  # purchase number, customer, epoch, customer's purchase number, sent_at


@dataclass(slots=True)
class PartCheck:
    """What came back of one part (a step) of the run; counts are lists, times are ms since the epoch."""

    #: Purchases that have a list.
    listed: int = 0
    #: Purchases that have none, and a later list of their customer.
    covered: int = 0
    #: Intended send time of a purchase to its first list's arrival.
    freshness: DurationHistogram = field(default_factory=DurationHistogram)
    first_list_ms: float = 0.0
    last_list_ms: float = 0.0


def previous_purchases(customers: Ints) -> npt.NDArray[np.int32]:
    """Return for each purchase (N,), given its customer's number, the place of that customer's purchase before; -1.

    >>> previous_purchases(np.array([7, 8, 7, 7])).tolist()
    [-1, -1, 0, 2]
    """
    order = np.argsort(customers, kind="stable")
    again = customers[order[1:]] == customers[order[:-1]]
    previous = np.full(customers.size, -1, np.int32)
    previous[order[1:][again]] = order[:-1][again]
    return previous


class LoadCheck:
    """Checks the lists of a run whose purchases are numbered 0 .. ``ends[-1]`` - 1; part i ends before ``ends[i]``.

    ``run`` are the characters that its event ids begin with. ``previous`` (:func:`previous_purchases`) is for lists
    that are debounced: a customer's purchases are sent in order, so a list covers those before its own. Without it
    every purchase needs a list. Memory: a byte a purchase (five with ``previous``) and about 100 a customer.

    >>> run = b"7f8de1cf-93fc-4b4f-9d3d-"
    >>> value = (b'{"schema_version":1,"customer_id":"c1","version":{"epoch":1,"number":1},"cause":{"event_id":"' + run
    ...          + b'00000000000a","item_id":"i"},"sent_at":1000,"made_at":1004,"entries":[]}')
    >>> check = LoadCheck(run, [8, 16])
    >>> check.take([value, value], 1005.0)
    >>> check.listed, check.duplicate_lists, check.parts[1].freshness.longest_ms
    (1, 1, 5.0)
    """

    def __init__(self, run: bytes, ends: Sequence[int], previous: npt.NDArray[np.int32] | None = None) -> None:
        self._run = run
        self._ends = np.array(ends, np.int64)
        self._seen = bytearray(int(self._ends[-1]) if len(self._ends) else 0)
        self._previous = previous
        self._latest: dict[bytes, tuple[bytes, int]] = {}
        #: One for each part of the run.
        self.parts = [PartCheck() for _ in ends]
        #: Purchases that have a list.
        self.listed = 0
        #: Purchases that have none, and a later list of their customer.
        self.covered = 0
        #: A list of a purchase that had one before, or was covered: allowed by at-least-once.
        self.duplicate_lists = 0
        #: Lists of purchases that this run did not send.
        self.foreign_lists = 0
        #: First lists whose version is not greater than all before it of that customer: must be 0.
        self.version_regressions = 0
        #: Lists of this run that hold no readable version or no ``sent_at``: must be 0.
        self.unreadable_lists = 0
        #: Purchases of this run that were set aside.
        self.refused = 0

    def take(self, values: Sequence[bytes], received_ms: float) -> None:
        """Check records of the lists' topic, in the order of their partition, received at ``received_ms``."""
        numbers: list[int] = []
        sent_at: list[int] = []
        run, seen, latest = self._run, self._seen, self._latest
        for value in values:
            at = value.find(run)
            if at < 0:
                self.foreign_lists += 1
                continue
            try:
                number, customer, epoch, version, sent = _cut(value, at)
            except ValueError:
                try:
                    number, customer, epoch, version, sent = _decoded(value)
                except (ValueError, KeyError, TypeError):
                    self.unreadable_lists += 1
                    continue
            if number >= len(seen):
                self.foreign_lists += 1
                continue
            if seen[number]:
                self.duplicate_lists += 1
                continue
            seen[number] = _LISTED
            if self._previous is not None:
                self._cover(self._previous.data, number)
            before = latest.get(customer)
            if before is None or before[0] != epoch or version > before[1]:
                latest[customer] = (epoch, version)
            else:
                self.version_regressions += 1
            numbers.append(number)
            sent_at.append(sent)
        if numbers:
            self._count(np.array(numbers, np.int64), np.array(sent_at, np.int64), received_ms)

    def take_dead_letter(self, value: bytes) -> None:
        """Note a record of the dead letters' topic; one with a purchase of ours is awaited no longer."""
        at = value.find(self._run)
        if at < 0:
            return
        try:
            number = _number(value, at)
        except ValueError:
            return
        if number < len(self._seen) and not self._seen[number]:
            self._seen[number] = _REFUSED
            self.refused += 1

    def missing(self, sent: int) -> int:
        """Return how many of the first ``sent`` purchases have no list, are not covered, and were not set aside."""
        return self._seen.count(0, 0, sent)

    def _cover(self, previous: memoryview, number: int) -> None:
        """Note that a purchase's list covers its customer's purchases before it, back to the last that has one."""
        seen, before = self._seen, previous[number]
        while before >= 0 and seen[before] in {0, _REFUSED}:
            if not seen[before]:
                seen[before] = _COVERED
                self.covered += 1
                self.parts[int(np.searchsorted(self._ends, before, side="right"))].covered += 1
            before = previous[before]

    def _count(self, numbers: Ints, sent_at: Ints, received_ms: float) -> None:
        self.listed += len(numbers)
        which = np.searchsorted(self._ends, numbers, side="right")
        durations_ms = received_ms - sent_at
        for part in np.unique(which).tolist():
            found, mine = self.parts[part], which == part
            found.listed += int(mine.sum())
            found.freshness.add_array(durations_ms[mine])
            found.first_list_ms = found.first_list_ms or received_ms
            found.last_list_ms = received_ms


def _number(value: bytes, at: int) -> int:
    return int(value[at + _RUN_CHARACTERS : at + _RUN_CHARACTERS + _NUMBER_DIGITS], 16)


def _cut(value: bytes, at: int) -> _Words:
    """Cut the words out of a compact list whose event id begins ``at``; raises ValueError if one is not there."""
    # index, not find: what is missing is a ValueError. No quote within a string can look like these, JSON escapes it
    customer = value.index(b'"customer_id":"') + 15
    epoch = value.index(b'"epoch":', customer) + 8
    comma = value.index(b',"number":', epoch)
    sent = value.index(b'"sent_at":', at) + 10
    return (
        _number(value, at),
        value[customer : value.index(b'"', customer)],
        value[epoch:comma],
        int(value[comma + 10 : value.index(b"}", comma)]),
        int(value[sent : value.index(b",", sent)]),
    )


def _decoded(value: bytes) -> _Words:
    found = orjson.loads(value)
    version = found["version"]
    return (
        int(found["cause"]["event_id"][_RUN_CHARACTERS:], 16),
        orjson.dumps(found["customer_id"])[1:-1],  # as it stands in a compact list
        b"%d" % version["epoch"],
        int(version["number"]),
        int(found["sent_at"]),
    )
