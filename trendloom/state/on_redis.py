"""The state in Redis or Valkey: packs changes for the Lua scripts, runs them, and unpacks what is read back.

Every rule that must hold is in the scripts (``state/lua``) and in :mod:`trendloom.state.fold`; this module decides
nothing. A store that does not answer is asked again with growing pauses, and then it is an error.
"""

from __future__ import annotations

import asyncio
import importlib.resources
import logging
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from redis import asyncio as redis_asyncio
from redis.exceptions import BusyLoadingError, ConnectionError, OutOfMemoryError, ReadOnlyError, TimeoutError  # noqa: A004

from trendloom.errors import StoreUnavailable
from trendloom.state.rules import StateRules
from trendloom.state.store import (
    Before,
    Change,
    ItemRows,
    JournalEntry,
    Keys,
    Outcome,
    Partition,
    Population,
    Touched,
)

__all__ = ["RedisStore", "connect"]

log = logging.getLogger(__name__)

Ints = npt.NDArray[np.int64]
T = TypeVar("T")

_POPULARITY = np.dtype([("purchases", "<u4"), ("slow", "<f8"), ("fast", "<f8")])
_ITEM = np.dtype([("number", "<u4"), ("purchases", "<u4"), ("slow", "<f8"), ("fast", "<f8")])
_JOURNAL = struct.Struct("<QIfd")
_NEVER_SOLD = np.array((0, -np.inf, -np.inf), _POPULARITY).tobytes()
_MISSING = (ConnectionError, TimeoutError, BusyLoadingError, OutOfMemoryError, ReadOnlyError)
_CHUNK = 2_000


def connect(url: str, *, prefix: str = "tl", retry_budget_s: float = 60.0, **options: Any) -> RedisStore:  # noqa: ANN401 - redis-py's own keyword arguments
    """Return a store on the Redis at ``url`` (``redis://``, ``rediss://`` for TLS, ``unix://``); nothing is sent yet.

    ``options`` go to redis-py as they are (username, password, ssl_ca_certs, socket_timeout ...). Commands that find no
    server are repeated for ``retry_budget_s`` seconds.
    """
    client = redis_asyncio.Redis.from_url(url, **options)
    return RedisStore(client, prefix=prefix, retry_budget_s=retry_budget_s)


class RedisStore:
    """A :class:`~trendloom.state.store.Store` on one Redis: a batch is one script call, so it is atomic."""

    def __init__(self, client: redis_asyncio.Redis, *, prefix: str = "tl", retry_budget_s: float = 60.0) -> None:
        self._client: Any = client
        self._prefix = prefix
        self._budget_s = retry_budget_s
        self._rules = StateRules()
        self._keys = Keys(prefix, self._rules.customer_shards)
        lua = importlib.resources.files("trendloom.state") / "lua"
        self._open_state = self._client.register_script((lua / "open_state-1.lua").read_text())
        self._number_items = self._client.register_script((lua / "number_items-2.lua").read_text())
        self._apply_batch = self._client.register_script((lua / "apply_batch-6.lua").read_text())

    async def open(self, rules: StateRules, now_ms: int) -> int:
        """Begin the state, or check its rules; return its epoch. Raises RulesChanged."""
        self._rules = rules
        self._keys = Keys(self._prefix, rules.customer_shards)
        epoch, stored = await self._ask(lambda: self._open_state(keys=[self._keys.meta], args=[now_ms, rules.to_json()]))
        rules.check_stored(stored.decode())
        return int(epoch)

    async def number_items(self, item_ids: Sequence[str]) -> Ints:
        """Return each id's number, giving new ones the next free numbers; -1 beyond ``max_items``."""
        numbers: list[int] = []
        keys = [self._keys.numbers, self._keys.ids]
        for start in range(0, len(item_ids), _CHUNK):
            some = list(item_ids[start : start + _CHUNK])
            args = [self._rules.max_items, *some]
            numbers += await self._ask(lambda args=args: self._number_items(keys=keys, args=args))
        return np.array(numbers, np.int64)

    async def item_ids(self) -> list[str]:
        """Return every id; its place is its number."""
        ids = await self._ask(lambda: self._client.lrange(self._keys.ids, 0, -1))
        return [item_id.decode() for item_id in ids]

    async def read(self, partition: Partition, customer_ids: Sequence[str], *, journal: bool) -> Before:
        """Return the fence, the customers' records and, if asked for, the journal."""
        keys = self._keys

        async def ask() -> list[Any]:
            pipe = self._client.pipeline(transaction=False)
            pipe.hget(keys.meta, "epoch")
            pipe.hget(keys.fences, _field(partition))
            if customer_ids:
                pipe.mget([keys.customer(name) for name in customer_ids])
            if journal:
                pipe.hvals(keys.journal(partition))
            return list(await pipe.execute())

        answer = await self._ask(ask)
        entries: dict[int, JournalEntry] = {}
        if journal:
            for packed in answer[-1]:
                for offset, number, percentile, trendiness in _JOURNAL.iter_unpack(packed):
                    entries[offset] = JournalEntry(number, percentile, trendiness)
        epoch, fence = int(answer[0] or -1), int(answer[1] or -1) if answer[1] is not None else -1
        return Before(epoch, fence, answer[2] if customer_ids else [], entries)

    async def write(self, partition: Partition, change: Change, *, worker: str, forget: Sequence[int]) -> Outcome:
        """Apply the whole change or nothing, in one script call."""
        keys, rules, items = self._keys, self._rules, change.items
        names = [keys.customer(customer.customer_id) for customer in change.customers]
        args: list[Any] = [
            change.epoch,
            _field(partition),
            change.expected_fence,
            change.fence,
            len(names),
            rules.customer_ttl_s,
            _pack_items(items.numbers, items.purchases, items.slow, items.fast),
            _pack_pairs(items.rows, items.columns, items.weights),
            rules.co_purchase_keep,
            rules.co_purchase_limit,
            repr(items.percentile_sum),
            int(items.purchases.sum()),
            b"".join([_JOURNAL.pack(offset, *entry) for offset, entry in change.journal.items()]),
            ",".join(map(str, forget)),
            worker,
            items.touched.astype("<u4").tobytes(),
        ]
        for customer in change.customers:
            args += (customer.expected_number, customer.record)
        fixed = [keys.meta, keys.fences, keys.popularity, keys.journal(partition), keys.touched, keys.co_purchase_prefix]
        return Outcome(await self._ask(lambda: self._apply_batch(keys=fixed + names, args=args)))

    async def journaled(self, partition: Partition) -> list[int]:
        """Return the last offsets of the batches whose journals are kept."""
        offsets = await self._ask(lambda: self._client.hkeys(self._keys.journal(partition)))
        return sorted(int(offset) for offset in offsets)

    async def items(self, numbers: Ints | None = None) -> ItemRows:
        """Return these items, or all that were ever bought or seeded."""
        keys = self._keys
        seeded = {int(k): float(v) for k, v in (await self._ask(lambda: self._client.hgetall(keys.initial))).items()}
        if numbers is None:
            fields = await self._ask(lambda: self._client.hkeys(keys.popularity))
            bought = np.frombuffer(b"".join(fields), "<u4").astype(np.int64)
            numbers = np.union1d(bought, np.array(sorted(seeded), np.int64))
        values: list[bytes] = []
        rows: list[dict[int, int]] = []
        for start in range(0, numbers.size, _CHUNK):
            some = numbers[start : start + _CHUNK]

            async def ask(some: Ints = some) -> list[Any]:
                pipe = self._client.pipeline(transaction=False)
                packed = some.astype("<u4").tobytes()
                pipe.hmget(keys.popularity, [packed[at : at + 4] for at in range(0, len(packed), 4)])
                for number in some.tolist():
                    pipe.hgetall(f"{keys.co_purchase_prefix}{number}")
                return list(await pipe.execute())

            answer = await self._ask(ask)
            values += [value or _NEVER_SOLD for value in answer[0]]
            rows += [{int(column): int(units) for column, units in row.items()} for row in answer[1:]]
        table = np.frombuffer(b"".join(values), _POPULARITY)
        return ItemRows(
            numbers=numbers,
            purchases=table["purchases"].astype(np.int64),
            initial=np.array([seeded.get(number, 0.0) for number in numbers.tolist()], np.float64),
            slow=table["slow"].astype(np.float64),
            fast=table["fast"].astype(np.float64),
            co_purchases=rows,
        )

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
        oldest, entries = await self._ask(lambda: self._oldest_and_new(since))
        # a stream that was trimmed past our position has entries that we have not seen
        complete = since == "0-0" or not oldest or _stream_id(oldest[0][0]) <= _stream_id(since.encode())
        position = entries[-1][0].decode() if entries else since
        others = [fields[b"n"] for _, fields in entries if fields[b"w"] != worker.encode()]
        numbers = np.unique(np.frombuffer(b"".join(others), "<u4").astype(np.int64))
        return Touched(position, numbers, complete)

    async def _oldest_and_new(self, since: str) -> tuple[Any, Any]:
        pipe = self._client.pipeline(transaction=True)
        pipe.xrange(self._keys.touched, count=1)
        pipe.xrange(self._keys.touched, min=f"({since}")
        oldest, entries = await pipe.execute()
        return oldest, entries

    async def fences(self) -> dict[Partition, int]:
        """Return every fence."""
        stored = await self._ask(lambda: self._client.hgetall(self._keys.fences))
        fences = {}
        for name, fence in stored.items():
            topic, _, partition = name.decode().rpartition(":")
            fences[Partition(topic, int(partition))] = int(fence)
        return fences

    async def set_fence(self, partition: Partition, fence: int) -> None:
        """Set a fence where there is none yet."""
        await self._ask(lambda: self._client.hsetnx(self._keys.fences, _field(partition), fence))

    async def customer(self, customer_id: str) -> bytes | None:
        """Return one customer's record."""
        record: bytes | None = await self._ask(lambda: self._client.get(self._keys.customer(customer_id)))
        return record

    async def customers(self) -> AsyncIterator[tuple[str, bytes]]:
        """Iterate over all customers, in no order."""
        cursor = 0
        while True:
            match = f"{_escaped(self._prefix)}:{{c*}}:*"
            cursor, found = await self._ask(lambda at=cursor: self._client.scan(at, match=match, count=_CHUNK))
            records = await self._ask(lambda found=found: self._client.mget(found)) if found else []
            for key, record in zip(found, records, strict=True):
                if record is not None:
                    yield key.decode().split("}:", 1)[1], record
            if cursor == 0:
                return

    async def topic_ids(self, ids: dict[str, str]) -> dict[str, str]:
        """Remember ids of topics that have none stored; return all."""
        for topic, topic_id in ids.items():
            await self._ask(lambda t=topic, i=topic_id: self._client.hsetnx(self._keys.meta, f"topic:{t}", i))
        meta = await self._ask(lambda: self._client.hgetall(self._keys.meta))
        return {
            name.decode().removeprefix("topic:"): value.decode()
            for name, value in meta.items()
            if name.startswith(b"topic:")
        }

    async def seed_initial(self, numbers: Ints, counts: npt.NDArray[np.float64]) -> None:
        """Set initial popularities."""
        mapping = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
        if mapping:
            await self._ask(lambda: self._client.hset(self._keys.initial, mapping=mapping))

    async def clear(self) -> None:
        """Drop every key of this prefix. The meta hash goes first, so that running workers stop at their next write."""
        await self._ask(lambda: self._client.delete(self._keys.meta))
        cursor = 0
        while True:
            match = f"{_escaped(self._prefix)}:{{*"
            cursor, found = await self._ask(lambda at=cursor: self._client.scan(at, match=match, count=_CHUNK))
            if found:
                await self._ask(lambda found=found: self._client.unlink(*found))
            if cursor == 0:
                return

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Run a command; while no server answers, say so and repeat it with growing pauses until the budget is spent."""
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


def _field(partition: Partition) -> str:
    return f"{partition.topic}:{partition.partition}"


def _escaped(prefix: str) -> str:
    return "".join("\\" + letter if letter in "*?[]\\^" else letter for letter in prefix)


def _stream_id(raw: bytes) -> tuple[int, int]:
    first, _, second = raw.partition(b"-")
    return int(first), int(second)


def _pack_items(
    numbers: Ints, purchases: Ints, slow: npt.NDArray[np.float64], fast: npt.NDArray[np.float64]
) -> bytes:
    packed = np.empty(numbers.size, _ITEM)
    packed["number"], packed["purchases"], packed["slow"], packed["fast"] = numbers, purchases, slow, fast
    return packed.tobytes()


def _pack_pairs(rows: Ints, columns: Ints, weights: Ints) -> bytes:
    """Pack sorted pairs row by row: row, number of columns, then column and weight of each; all u32."""
    if rows.size == 0:
        return b""
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    sizes = np.diff(np.r_[starts, rows.size])
    packed = np.empty(2 * starts.size + 2 * rows.size, "<u4")
    heads = 2 * starts + 2 * np.arange(starts.size)
    packed[heads], packed[heads + 1] = rows[starts], sizes
    places = 2 * np.arange(rows.size) + 2 * (np.repeat(np.arange(starts.size), sizes) + 1)
    packed[places], packed[places + 1] = columns, weights
    return packed.tobytes()
