"""Asking a Redis: scripts by their SHA-1, scans, and patience with a server that does not answer just now.

Nothing of the state is known here but its keys' prefix. Read next: :mod:`trendloom.state.on_redis`.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.resources
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import hiredis
from redis import exceptions as redis_errors

from trendloom.errors import StoreUnavailable

__all__ = ["CHUNK", "RedisAsking", "Script", "pack_in_c"]

log = logging.getLogger(__name__)

T = TypeVar("T")

#: So many elements are asked for at once.
CHUNK = 2_000

_MISSING = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.BusyLoadingError,
    redis_errors.OutOfMemoryError,
    redis_errors.ReadOnlyError,
    redis_errors.TryAgainError,
    redis_errors.ClusterDownError,
    redis_errors.MasterDownError,
)


class Script(NamedTuple):
    """A Lua script and its SHA-1, by which a server knows it once it has seen it."""

    text: str
    sha: str

    @classmethod
    def read(cls, *names: str) -> Script:
        """Return the files of ``state/lua`` joined in this order."""
        folder = importlib.resources.files("trendloom.state") / "lua"
        text = "\n".join((folder / f"{name}.lua").read_text(encoding="utf-8") for name in names)
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


class _Packing:
    """A connection's packing of commands in C: batches are commands of a thousand arguments."""

    def pack_command(self, *args: Any) -> list[bytes]:
        """Return a command as it travels; redis-py packs what hiredis does not know, and names of two words."""
        if isinstance(args[0], str) and " " not in args[0]:
            try:
                return [hiredis.pack_command(args)]
            except TypeError:
                pass
        packed: list[bytes] = super().pack_command(*args)  # type: ignore[misc]
        return packed


def pack_in_c(client: Any) -> None:
    """Let all connections that a client is going to make pack their commands in C."""
    pool = client.connection_pool
    pool.connection_class = type("PackingConnection", (_Packing, pool.connection_class), {})


class RedisAsking:
    """A connection that asks again, with growing pauses, for ``retry_budget_s`` seconds."""

    def __init__(self, client: Any, *, prefix: str, retry_budget_s: float) -> None:
        self._client: Any = client
        self._prefix = prefix
        self._budget_s = retry_budget_s

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _scan(self, match: str) -> AsyncIterator[list[bytes]]:
        cursor = 0
        while True:
            cursor, found = await self._scan_from(cursor, match)
            if found:
                yield found
            if cursor == 0:
                return

    async def _scan_from(self, cursor: int, match: str) -> tuple[int, list[bytes]]:
        cursor, found = await self._ask(lambda: self._client.scan(cursor, match=match, count=CHUNK))
        return cursor, found

    async def _records(self, keys: list[bytes]) -> list[bytes | None]:
        return list(await self._ask(lambda: self._client.mget(keys)))

    async def _drop(self, keys: list[bytes]) -> None:
        await self._ask(lambda: self._client.unlink(*keys))

    async def _run(self, script: Script, keys: Sequence[str | bytes], args: Sequence[Any]) -> Any:
        async def ask() -> Any:
            try:
                return await self._client.evalsha(script.sha, len(keys), *keys, *args)
            except redis_errors.NoScriptError:
                return await self._client.eval(script.text, len(keys), *keys, *args)

        return await self._ask(ask)

    async def _ask(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Run a command; while no server answers, say so and repeat it, with growing pauses, until the budget is spent.

        What may be repeated must change nothing the second time: the scripts see to that.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._budget_s
        pause_s = 0.1
        while True:
            try:
                return await ask()
            except _MISSING as error:
                if loop.time() + pause_s > deadline:
                    msg = (
                        f"Redis does not serve us ({error}); gave up after {self._budget_s:g} s. "
                        "Action: start it, free its memory, or correct --redis; then start again: nothing is lost."
                    )
                    raise StoreUnavailable(msg) from error
                log.warning("Redis does not serve us (%s); asking again in %.1f s", error, pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, 5.0)
