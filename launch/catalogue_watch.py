"""Looks for a new version of the catalogue while a worker runs, and hands it over when it is loaded.

Until then, and whenever the new one cannot be used, lists come from the old one. Read next:
:meth:`trendloom.refresh.refresher.Refresher.take`, which says when lists change.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from trendloom.catalogue.directory import load_catalogue
from trendloom.catalogue.garment import Catalogue
from trendloom.errors import CatalogueError, StoreUnavailable

__all__ = ["CatalogueWatch"]

log = logging.getLogger(__name__)


class CatalogueWatch:
    """Follows the catalogue in a directory; ``take`` gets each version with another ``fingerprint``."""

    def __init__(
        self, directory: Path, fingerprint: str, take: Callable[[Catalogue], Awaitable[None]], *, every_s: float
    ) -> None:
        self._manifest = directory / "manifest.json"
        self._fingerprint = fingerprint
        self._take = take
        self._every_s = every_s
        self._seen: tuple[int, int, int] | None = None

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.look()

    async def look(self) -> bool:
        """Look once; return whether a new version was taken up. What cannot be used now is tried again next time."""
        try:
            found = self._manifest.stat()
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen == self._seen:
                return False
            told = json.loads(await asyncio.to_thread(self._manifest.read_text, "utf-8"))
            if told["fingerprint"] != self._fingerprint:
                catalogue = await asyncio.to_thread(load_catalogue, self._manifest.parent)
                await self._take(catalogue)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("The catalogue in %s cannot be read (%s); lists come from the old one", self._place, error)
            return False
        except (CatalogueError, StoreUnavailable) as error:
            log.warning("The new catalogue in %s is not taken up: %s Lists come from the old one", self._place, error)
            return False
        self._seen = seen
        if told["fingerprint"] == self._fingerprint:
            return False
        log.info("Lists come from the catalogue %s now: %d items", catalogue.fingerprint, len(catalogue))
        self._fingerprint = catalogue.fingerprint
        return True

    @property
    def _place(self) -> Path:
        return self._manifest.parent
