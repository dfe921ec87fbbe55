"""Refresh debounce: which lists are published now, which are held back, and which batches an acknowledgement finishes.

A customer who had a list less than the interval ago gets the next one when it is over; a later list of theirs takes the
place of the one that is held, and covers what that one covered. It never scores, encodes or publishes, and touches no
Kafka: :mod:`agents.app` publishes what it returns, and tells it what was acknowledged.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from agents.counters import Counters
from agents.publishing import Record
from trendloom.state.columns import Listings

__all__ = ["Debounce", "Outgoing", "newest_of_each"]

Ints = npt.NDArray[np.int64]

#: Held lists that fall due within so short a time are published together: a request for each would cost more.
_TICK_S = 0.01

#: Batches that wait for held lists are kept in memory with their records; together they hold at most so many purchases
#: (about 2 kB each with its list) before the oldest batch's lists are published early.
_MOST_OPEN = 50_000


def newest_of_each(listed: Listings) -> Ints:
    """Return the places, ascending, of each customer's last purchase among ``listed`` (B,)."""
    customers = listed.arrivals.places[listed.which]
    _, from_the_end = np.unique(customers[::-1], return_index=True)
    return np.sort(customers.size - 1 - from_the_end).astype(np.int64)


@dataclass(slots=True, eq=False)
class _Batch:
    """A batch some of whose purchases have no acknowledged list: how many lists it waits for, and which are held."""

    acknowledge: Callable[[], object]
    purchases: int
    lists: int
    held: set[bytes] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Outgoing:
    """A list, the version number in it, and the batches whose purchases of this customer it covers."""

    record: Record
    number: int
    batches: list[_Batch]


@dataclass(slots=True, eq=False)
class _Quiet:
    """A customer who had a list: when the next one may be published, and the list that waits for it."""

    until_s: float
    held: Outgoing | None = None


class Debounce:
    """Lets through at most one list of a customer every ``interval_s``, and acknowledges batches when they are covered.

    ``monotonic`` is a clock in seconds that never goes back. Memory: the customers who had a list within the interval,
    one held list each, and the batches that wait for them, which hold at most ``most_open`` purchases and one batch:
    beyond that the oldest batch's lists are published early. One event loop may use it.

    >>> now_s, done = [0.0], []
    >>> debounce = Debounce(1.0, Counters(), monotonic=lambda: now_s[0])
    >>> [one.record[1] for one in debounce.admit([(b"ann", b"v1")], [1], 1, lambda: done.append("first"))]
    [b'v1']
    >>> debounce.admit([(b"ann", b"v2")], [2], 1, lambda: done.append("second"))
    []
    >>> debounce.admit([(b"ann", b"v3")], [3], 1, lambda: done.append("third"))  # covers the second
    []
    >>> now_s[0] = 1.0
    >>> due = debounce.take_due()
    >>> [one.record[1] for one in due], done
    ([b'v3'], [])
    >>> debounce.acknowledged(due)
    >>> done
    ['second', 'third']
    """

    def __init__(
        self, interval_s: float, counters: Counters, *, monotonic: Callable[[], float], most_open: int = _MOST_OPEN
    ) -> None:
        self._interval_s = interval_s
        self._counters = counters
        self._monotonic = monotonic
        self._most_open = most_open
        #: In the order in which quiet times end: all are equally long.
        self._quiet: OrderedDict[bytes, _Quiet] = OrderedDict()
        #: Batches that wait for held lists, oldest first.
        self._waiting: OrderedDict[_Batch, None] = OrderedDict()
        self._releasing = False
        self._changed = asyncio.Event()
        #: How many lists are held back.
        self.held = 0
        #: How many purchases the batches have that wait for held lists.
        self.open_purchases = 0

    @property
    def quiet_customers(self) -> int:
        """How many customers are remembered."""
        return len(self._quiet)

    def admit(
        self, records: Sequence[Record], numbers: Sequence[int], purchases: int, acknowledge: Callable[[], object]
    ) -> list[Outgoing]:
        """Take a batch's lists, one for each of its customers, and return those that are to be published now.

        ``numbers`` are their version numbers. ``acknowledge`` is called once: when a list of each of these customers
        that is as new as the batch's, or newer, is acknowledged; for a batch without lists, now.
        """
        if not records:
            acknowledge()
            return []
        if not self._quiet:
            self._changed.set()
        now_s, batch, outgoing = self._monotonic(), _Batch(acknowledge, purchases, len(records)), []
        for record, number in zip(records, numbers, strict=True):
            key, found = record[0], Outgoing(record, number, [batch])
            quiet = self._quiet.get(key)
            if quiet is None or quiet.until_s <= now_s or self._releasing:
                if quiet is not None and quiet.held is not None:
                    found = self._newer(self._let_go(key, quiet, quiet.held), found)
                outgoing.append(self._sent(key, found, now_s))
            else:
                self._hold(key, quiet, found)
        return outgoing + self._early(now_s)

    def take_due(self) -> list[Outgoing]:
        """Return the held lists whose customers' quiet time is over, oldest first, and forget customers without one."""
        now_s, outgoing = self._monotonic(), []
        while self._quiet:
            key, quiet = next(iter(self._quiet.items()))
            if quiet.until_s > now_s and not self._releasing:
                break
            if quiet.held is None:
                del self._quiet[key]
            else:
                outgoing.append(self._sent(key, self._let_go(key, quiet, quiet.held), now_s))
        return outgoing

    async def due(self) -> list[Outgoing]:
        """Wait until held lists are due, and return them; at once after ``release``."""
        while True:
            found = self.take_due()
            if found:
                return found
            self._changed.clear()
            wait_s = None
            if self._quiet:
                first_s = next(iter(self._quiet.values())).until_s
                wait_s = max(first_s - self._monotonic(), _TICK_S)
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def release(self) -> None:
        """Hold nothing back from now on: what is held is due, and what comes is published at once."""
        self._releasing = True
        self._changed.set()

    def acknowledged(self, lists: Sequence[Outgoing]) -> None:
        """Note that the broker has acknowledged these lists: acknowledge the batches that wait for nothing else."""
        for one in lists:
            for batch in one.batches:
                batch.lists -= 1
                if batch.lists == 0:
                    batch.acknowledge()

    def _newer(self, held: Outgoing, found: Outgoing) -> Outgoing:
        """Return the newer of two lists of a customer, which covers what both cover; the other is skipped."""
        self._counters.lists_skipped += 1
        newer = found if found.number >= held.number else held
        held.batches.extend(found.batches)
        newer.batches = held.batches
        return newer

    def _hold(self, key: bytes, quiet: _Quiet, found: Outgoing) -> None:
        """Hold a list back, or the newer of it and the one that is held already."""
        [batch] = found.batches
        if quiet.held is None:
            quiet.held = found
            self.held += 1
        else:
            quiet.held = self._newer(quiet.held, found)
        if not batch.held:
            self._waiting[batch] = None
            self.open_purchases += batch.purchases
        batch.held.add(key)

    def _let_go(self, key: bytes, quiet: _Quiet, found: Outgoing) -> Outgoing:
        """Hold a customer's list no longer, and return it."""
        quiet.held = None
        self.held -= 1
        for batch in found.batches:
            batch.held.discard(key)
            if not batch.held:
                del self._waiting[batch]
                self.open_purchases -= batch.purchases
        return found

    def _sent(self, key: bytes, found: Outgoing, now_s: float) -> Outgoing:
        """Begin a customer's quiet time anew, unless nothing is to be held any more."""
        self._quiet.pop(key, None)  # it goes to the end, where the latest are
        if not self._releasing:
            self._quiet[key] = _Quiet(now_s + self._interval_s)
        return found

    def _early(self, now_s: float) -> list[Outgoing]:
        """Let go of the oldest batches' held lists while those that wait have too many purchases."""
        outgoing = []
        while self.open_purchases > self._most_open:
            for key in sorted(next(iter(self._waiting)).held):
                quiet = self._quiet[key]
                if quiet.held is not None:
                    outgoing.append(self._sent(key, self._let_go(key, quiet, quiet.held), now_s))
        return outgoing
