"""The state in Redis or Valkey: packs changes for the Lua scripts, runs them, and unpacks what is read back.

Every rule that must hold is in the scripts (``state/lua``) and in :mod:`trendloom.state.fold`; this module decides
nothing. A store that does not answer is asked again with growing pauses, and then it is an error. Read next:
:mod:`trendloom.state.on_redis_cluster`.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.resources
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from redis import asyncio as redis_asyncio
from redis import exceptions as redis_errors

from trendloom.errors import StateLost, StoreUnavailable
from trendloom.state.on_redis_packing import (
    NEVER_SOLD,
    POPULARITY,
    fence_field,
    pack_co_purchases,
    pack_items,
    partition_of_field,
    unpack_journal,
)
from trendloom.state.rules import StateRules
from trendloom.state.store import STATE_LOST, Before, Change, ItemRows, Keys, Outcome, Partition, Population, Touched

__all__ = ["TOUCHED_BATCHES", "RedisStore", "Script", "connect"]

log = logging.getLogger(__name__)

Ints = npt.NDArray[np.int64]
T = TypeVar("T")

#: The stream of touched items keeps at least this many batches (``state/lua/batch_parts-0.lua`` says the same).
TOUCHED_BATCHES = 4096

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
_CHUNK = 2_000


def connect(
    url: str, *, prefix: str = "tl", retry_budget_s: float = 60.0, cluster: bool = False, **options: Any
) -> RedisStore:
    """Return a store on the Redis at ``url`` (``redis://``, ``rediss://`` for TLS, ``unix://``); nothing is sent yet.

    With ``cluster`` the address is that of one node of a Redis Cluster. ``options`` go to redis-py as they are
    (username, password, ssl_ca_certs, socket_timeout ...). Commands that find no server are repeated for
    ``retry_budget_s`` seconds.
    """
    if cluster:
        from trendloom.state.on_redis_cluster import ClusterStore

        nodes: Any = redis_asyncio.RedisCluster.from_url(url, **options)
        return ClusterStore(nodes, prefix=prefix, retry_budget_s=retry_budget_s)
    client = redis_asyncio.Redis.from_url(url, **options)
    return RedisStore(client, prefix=prefix, retry_budget_s=retry_budget_s)


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


class RedisStore:
    """A :class:`~trendloom.state.store.Store` on one Redis: a batch is one script call, so it is atomic."""

    def __init__(self, client: Any, *, prefix: str = "tl", retry_budget_s: float = 60.0) -> None:
        self._client: Any = client
        self._prefix = prefix
        self._budget_s = retry_budget_s
        self._rules = StateRules()
        self._keys = Keys(prefix, self._rules.customer_shards)
        self._epoch = -1
        self._open_state = Script.read("open_state-2")
        self._end_state = Script.read("end_state-2")
        self._number_items = Script.read("number_items-3")
        self._apply_batch = Script.read("batch_parts-0", "apply_batch-6")

    # -- beginning and ending

    async def open(self, rules: StateRules, now_ms: int) -> int:
        """Begin the state, or check its rules; return its epoch. Raises RulesChanged."""
        self._rules = rules
        self._keys = Keys(self._prefix, rules.customer_shards)
        keys, args = [self._keys.meta, self._keys.ended], [now_ms, rules.to_json()]
        epoch, stored = await self._run(self._open_state, keys, args)
        if not epoch:  # whoever cleared the state did not come to the end of it
            await self._drop_all()
            epoch, stored = await self._run(self._open_state, keys, args)
            if not epoch:
                raise StateLost(STATE_LOST)
        rules.check_stored(stored.decode())
        self._epoch = int(epoch)
        return self._epoch

    async def clear(self) -> None:
        """Drop every key of this prefix; running workers stop at their next write. What was begun is finished later."""
        await self._run(self._end_state, [self._keys.meta, self._keys.ended], [])
        await self._drop_all()

    async def _drop_all(self) -> None:
        ended = self._keys.ended.encode()
        async for found in self._scan(f"{_escaped(self._prefix)}:{{*"):
            gone = [key for key in found if key != ended]
            if gone:
                await self._drop(gone)
        await self._ask(lambda: self._client.hdel(ended, "clearing"))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    # -- items

    async def number_items(self, item_ids: Sequence[str]) -> Ints:
        """Return each id's number, giving new ones the next free numbers; -1 beyond ``max_items``. Raises StateLost."""
        numbers: list[int] = []
        keys = [self._keys.meta, self._keys.numbers, self._keys.ids]
        for start in range(0, len(item_ids), _CHUNK):
            some = item_ids[start : start + _CHUNK]
            found = await self._run(self._number_items, keys, [self._epoch, self._rules.max_items, *some])
            if found is None:
                raise StateLost(STATE_LOST)
            numbers += found
        return np.array(numbers, np.int64)

    async def item_ids(self) -> list[str]:
        """Return every id; its place is its number."""
        ids = await self._ask(lambda: self._client.lrange(self._keys.ids, 0, -1))
        return [item_id.decode() for item_id in ids]

    async def items(self, numbers: Ints | None = None) -> ItemRows:
        """Return these items, or all that were ever bought or seeded."""
        keys = self._keys
        stored = await self._ask(lambda: self._client.hgetall(keys.initial))
        seeded = {int(number): float(count) for number, count in stored.items()}
        if numbers is None:
            fields = await self._ask(lambda: self._client.hkeys(keys.popularity))
            bought = np.frombuffer(b"".join(fields), "<u4").astype(np.int64)
            numbers = np.union1d(bought, np.array(sorted(seeded), np.int64))
        values: list[bytes] = []
        rows: list[dict[int, int]] = []
        for start in range(0, numbers.size, _CHUNK):
            found, co_purchases = await self._some_items(numbers[start : start + _CHUNK])
            values += [value or NEVER_SOLD for value in found]
            rows += [{int(column): int(units) for column, units in row.items()} for row in co_purchases]
        table = np.frombuffer(b"".join(values), POPULARITY)
        return ItemRows(
            numbers=numbers,
            purchases=table["purchases"].astype(np.int64),
            initial=np.array([seeded.get(number, 0.0) for number in numbers.tolist()], np.float64),
            slow=table["slow"].astype(np.float64),
            fast=table["fast"].astype(np.float64),
            co_purchases=rows,
        )

    async def _some_items(self, numbers: Ints) -> tuple[list[bytes | None], list[dict[bytes, bytes]]]:
        packed = numbers.astype("<u4").tobytes()

        async def ask() -> list[Any]:
            pipe = self._client.pipeline(transaction=False)
            pipe.hmget(self._keys.popularity, [packed[at : at + 4] for at in range(0, len(packed), 4)])
            for number in numbers.tolist():
                pipe.hgetall(f"{self._keys.co_purchase_prefix}{number}")
            return list(await pipe.execute())

        answer = await self._ask(ask)
        return answer[0], answer[1:]

    async def population(self) -> Population:
        """Return the totals over all customers."""
        purchases, total = await self._ask(lambda: self._client.hmget(self._keys.meta, "purchases", "percentile_sum"))
        return Population(int(purchases or 0), float(total or 0.0))

    async def touched(self, since: str | None, worker: str) -> Touched:
        """Return what other workers changed since ``since``."""
        key = self._keys.touched
        if since is None:
            last = await self._ask(lambda: self._client.xrevrange(key, count=1))
            return Touched(last[0][0].decode() if last else "0-0", np.empty(0, np.int64), complete=True)
        entries = await self._ask(lambda: self._client.xrange(key, min=f"({since}"))
        complete = True
        if len(entries) >= TOUCHED_BATCHES:  # the stream may have been cut: is what we saw last still there?
            oldest = await self._ask(lambda: self._client.xrange(key, count=1))
            complete = bool(oldest) and _stream_id(oldest[0][0]) <= _stream_id(since.encode())
        position = entries[-1][0].decode() if entries else since
        others = [fields[b"n"] for _, fields in entries if fields[b"w"] != worker.encode()]
        numbers = np.unique(np.frombuffer(b"".join(others), "<u4").astype(np.int64))
        return Touched(position, numbers, complete)

    async def seed_initial(self, numbers: Ints, counts: npt.NDArray[np.float64]) -> None:
        """Set initial popularities."""
        mapping = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
        if mapping:
            await self._ask(lambda: self._client.hset(self._keys.initial, mapping=mapping))

    # -- batches

    async def read(self, partition: Partition, customer_ids: Sequence[str], *, journal: bool) -> Before:
        """Return the fence, the customers' records and, if asked for, the journal."""
        keys = self._keys

        async def ask() -> list[Any]:
            pipe = self._client.pipeline(transaction=False)
            pipe.hget(keys.meta, "epoch")
            pipe.hget(keys.fences, fence_field(partition))
            if customer_ids:
                pipe.mget([keys.customer(name) for name in customer_ids])
            if journal:
                pipe.hvals(keys.journal(partition))
            return list(await pipe.execute())

        answer = await self._ask(ask)
        entries = unpack_journal(answer[-1]) if journal else {}
        fence = -1 if answer[1] is None else int(answer[1])
        return Before(int(answer[0] or -1), fence, answer[2] if customer_ids else [], entries)

    async def write(self, partition: Partition, change: Change, *, worker: str, forget: Sequence[int]) -> Outcome:
        """Apply the whole change or nothing, in one script call."""
        keys, rules, items = self._keys, self._rules, change.items
        args: list[Any] = [
            change.epoch,
            fence_field(partition),
            change.expected_fence,
            change.fence,
            len(change.customers),
            rules.customer_ttl_s,
            pack_items(items),
            pack_co_purchases(items),
            rules.co_purchase_keep,
            rules.co_purchase_limit,
            repr(float(items.percentile_sum)),
            int(items.purchases.sum()),
            change.journal.tobytes(),
            ",".join(map(str, forget)),
            worker,
            np.union1d(items.numbers, items.columns).astype("<u4").tobytes(),
        ]
        named = [keys.meta, keys.fences, keys.popularity, keys.journal(partition), keys.touched]
        named.append(keys.co_purchase_prefix)
        named += map(keys.customer, change.customers.ids)
        for expected, record in zip(change.customers.expected.tolist(), change.customers.records, strict=True):
            args += (expected, record)
        return Outcome(await self._run(self._apply_batch, named, args))

    async def journaled(self, partition: Partition) -> list[int]:
        """Return the last offsets of the batches whose journals are kept."""
        offsets = await self._ask(lambda: self._client.hkeys(self._keys.journal(partition)))
        return sorted(int(offset) for offset in offsets)

    async def fences(self) -> dict[Partition, int]:
        """Return every fence."""
        stored = await self._ask(lambda: self._client.hgetall(self._keys.fences))
        return {partition_of_field(name.decode()): int(fence) for name, fence in stored.items()}

    async def set_fence(self, partition: Partition, fence: int) -> None:
        """Set a fence where there is none yet."""
        await self._ask(lambda: self._client.hsetnx(self._keys.fences, fence_field(partition), fence))

    # -- customers and topics

    async def customer(self, customer_id: str) -> bytes | None:
        """Return one customer's record."""
        record: bytes | None = await self._ask(lambda: self._client.get(self._keys.customer(customer_id)))
        return record

    async def customers(self) -> AsyncIterator[tuple[str, bytes]]:
        """Iterate over all customers, in no order; one may come twice while the state changes."""
        async for found in self._scan(f"{_escaped(self._prefix)}:{{c*}}:*"):
            for key, record in zip(found, await self._records(found), strict=True):
                if record is not None:
                    yield key.decode().split("}:", 1)[1], record

    async def topic_ids(self, ids: dict[str, str]) -> dict[str, str]:
        """Remember ids of topics that have none stored; return all."""
        for topic, topic_id in ids.items():
            await self._remember_topic(topic, topic_id)
        meta = await self._ask(lambda: self._client.hgetall(self._keys.meta))
        return {
            name.decode().removeprefix("topic:"): value.decode()
            for name, value in meta.items()
            if name.startswith(b"topic:")
        }

    async def _remember_topic(self, topic: str, topic_id: str) -> None:
        await self._ask(lambda: self._client.hsetnx(self._keys.meta, f"topic:{topic}", topic_id))

    # -- asking the server

    async def _scan(self, match: str) -> AsyncIterator[list[bytes]]:
        cursor = 0
        while True:
            cursor, found = await self._scan_from(cursor, match)
            if found:
                yield found
            if cursor == 0:
                return

    async def _scan_from(self, cursor: int, match: str) -> tuple[int, list[bytes]]:
        cursor, found = await self._ask(lambda: self._client.scan(cursor, match=match, count=_CHUNK))
        return cursor, found

    async def _records(self, keys: list[bytes]) -> list[bytes | None]:
        return list(await self._ask(lambda: self._client.mget(keys)))

    async def _drop(self, keys: list[bytes]) -> None:
        await self._ask(lambda: self._client.unlink(*keys))

    async def _run(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
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


def _escaped(prefix: str) -> str:
    return "".join("\\" + letter if letter in "*?[]\\^" else letter for letter in prefix)


def _stream_id(raw: bytes) -> tuple[int, int]:
    first, _, second = raw.partition(b"-")
    return int(first), int(second)
