"""Looks for a new version of the ranker file while a worker runs, and hands it over when it is read.

Whenever the new one cannot be used, lists come from the old one. The same for catalogues, and to be read next:
:mod:`launch.catalogue_watch`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from trendloom.errors import RankerError
from trendloom.relevance.learned.forest import Forest
from trendloom.relevance.learned.ranker_file import read_ranker

__all__ = ["RankerWatch"]

log = logging.getLogger(__name__)


class RankerWatch:
    """Follows a ranker file; ``take`` gets the trees of each version that was not there when the watch began."""

    def __init__(
        self, path: Path, take: Callable[[Forest], Awaitable[None]], *, every_s: float, with_season: bool
    ) -> None:
        self._path = path
        self._with_season = with_season
        self._take = take
        self._every_s = every_s
        self._seen = self._version()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.look()

    async def look(self) -> bool:
        """Look once; return whether new trees were taken up. A file that cannot be used is named once a version."""
        version = self._version()
        if version is None or version == self._seen:
            return False
        self._seen = version
        try:
            ranker = await asyncio.to_thread(read_ranker, self._path, with_season=self._with_season)
        except RankerError as error:
            log.warning("The new ranker is not taken up: %s Lists come from the old one", error)
            return False
        await self._take(ranker.forest)
        log.info("Lists come from %d trees of %s now", ranker.forest.n_trees, self._path)
        return True

    def _version(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:  # not there at the moment: whoever writes it puts the new one in its place
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
