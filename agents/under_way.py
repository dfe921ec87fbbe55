"""How much is under way at once, from the hand-over to the lists' publication: what comes meanwhile waits, and grows.

A batch costs milliseconds however small it is, and there are many partitions. So while few purchases arrive one batch
is under way, and the next one holds what came meanwhile, of all partitions; full batches may be more, since then every
stage has work for long. Nothing else is decided here. Read next: :mod:`agents.app`.
"""

from __future__ import annotations

import asyncio

__all__ = ["MOST_UNDER_WAY", "UnderWay"]

#: So many batches may be under way while they are full, and while they are small.
MOST_UNDER_WAY, _SMALL = 6, 1


class UnderWay:
    """The batches that are under way; ``full`` is how many records make one full. One event loop may use it.

    >>> under_way, batch = UnderWay(full=500), object()
    >>> under_way.hand_on(batch)
    >>> under_way.has_room(3), under_way.has_room(500)
    (False, True)
    """

    def __init__(self, *, full: int) -> None:
        self._full = full
        self._handed_on: set[int] = set()
        self._taken: set[int] = set()
        self._fewer = asyncio.Event()

    def has_room(self, records: int) -> bool:
        """Return whether a batch of so many records may be handed on."""
        most = MOST_UNDER_WAY if 2 * records >= self._full else _SMALL
        if len(self._handed_on) + len(self._taken) < most:
            return True
        self._fewer.clear()
        return False

    def hand_on(self, batch: object) -> None:
        """Note that a batch is handed on."""
        self._handed_on.add(id(batch))

    def take(self, batch: object) -> None:
        """Note that the agents have a batch."""
        self._handed_on.discard(id(batch))
        self._taken.add(id(batch))

    def done(self, batch: object) -> None:
        """Note that a batch which the agents had is no longer under way."""
        self._taken.discard(id(batch))
        self._fewer.set()

    def forget(self) -> None:
        """Forget what was handed on and not taken: it may have been dropped, because partitions move."""
        self._handed_on.clear()
        self._fewer.set()

    async def fewer(self) -> None:
        """Wait until there are fewer than there were when there was no room."""
        await self._fewer.wait()
