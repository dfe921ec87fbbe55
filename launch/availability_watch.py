"""Looks for changes of the availability file while a worker runs, and hands over what it says.

Whatever the file says counts from the next list on. A file that cannot be used changes nothing: what it said before
holds. Read next: :mod:`trendloom.refresh.availability`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from trendloom.errors import CatalogueError
from trendloom.refresh.availability import Availability, read_availability

__all__ = ["AvailabilityWatch"]

log = logging.getLogger(__name__)


class AvailabilityWatch:
    """Follows one file; ``allow`` gets what it says at first and after every change."""

    def __init__(self, path: Path, allow: Callable[[Availability], Awaitable[None]], *, every_s: float) -> None:
        self._path = path
        self._allow = allow
        self._every_s = every_s
        self._seen: tuple[int, int, int] | None = (0, 0, 0)  # like no file, so that the first look is one

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.look()

    async def look(self) -> bool:
        """Look once; return whether something new was handed over."""
        try:
            found = self._path.stat()
            seen: tuple[int, int, int] | None = (found.st_ino, found.st_mtime_ns, found.st_size)
        except OSError:
            seen = None  # gone: nothing is denied
        if seen == self._seen:
            return False
        try:
            told = await asyncio.to_thread(read_availability, self._path)
        except CatalogueError as error:
            log.warning("%s What it said before holds", error)
            self._seen = seen  # said once; the next change is looked at again
            return False
        await self._allow(told)
        self._seen = seen
        only = "all" if told.only is None else str(len(told.only))
        log.info("Availability from %s: %s items may be listed, without %d", self._path, only, len(told.never))
        return True
