"""The state in Redis or Valkey: packs changes for the Lua scripts, runs them, and unpacks what is read back.

Every rule that must hold is in the scripts (``state/lua``) and in :mod:`trendloom.state.fold`; this module decides
nothing. A store that does not answer is asked again with growing pauses, and then it is an error. Read next:
:mod:`trendloom.state.on_redis_items` for the items, :mod:`trendloom.state.on_redis_cluster`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from redis import asyncio as redis_asyncio

from trendloom.errors import StateLost
from trendloom.state.item_log import pack_items, pack_pairs
from trendloom.state.on_redis_asking import Script, pack_in_c
from trendloom.state.on_redis_items import FoldingPace, RedisItems
from trendloom.state.on_redis_packing import fence_field, partition_of_field, unpack_journal
from trendloom.state.rules import StateRules
from trendloom.state.store import STATE_LOST, Before, Change, Keys, Outcome, Part, Partition, Seen

__all__ = ["RedisStore", "connect"]

#: So many customers' keys are remembered: those of the batches that are under way, and of the most frequent customers.
_KEYS = 16_384


def connect(
    url: str,
    *,
    prefix: str = "tl",
    retry_budget_s: float = 60.0,
    cluster: bool = False,
    compiled: bool = False,
    pace: FoldingPace | None = None,
    **options: Any,
) -> RedisStore:
    """Return a store on the Redis at ``url`` (``redis://``, ``rediss://`` for TLS, ``unix://``); nothing is sent yet.

    With ``cluster`` the address is that of one node of a Redis Cluster. ``options`` go to redis-py as they are
    (username, password, ssl_ca_certs, socket_timeout ...). Commands that find no server are repeated for
    ``retry_budget_s`` seconds. Changes of the items are folded when they hold ``fold_after`` purchases, with
    ``compiled`` by numba (the extra ``fast``).
    """
    if cluster:
        from trendloom.state.on_redis_cluster import ClusterStore

        nodes: Any = redis_asyncio.RedisCluster.from_url(url, **options)
        return ClusterStore(nodes, prefix=prefix, retry_budget_s=retry_budget_s, compiled=compiled, pace=pace)
    client = redis_asyncio.Redis.from_url(url, **options)
    pack_in_c(client)
    return RedisStore(client, prefix=prefix, retry_budget_s=retry_budget_s, compiled=compiled, pace=pace)


class RedisStore(RedisItems):
    """A :class:`~trendloom.state.store.Store` on one Redis: a batch is one script call, so it is atomic."""

    def __init__(
        self,
        client: Any,
        *,
        prefix: str = "tl",
        retry_budget_s: float = 60.0,
        compiled: bool = False,
        pace: FoldingPace | None = None,
    ) -> None:
        super().__init__(client, prefix=prefix, retry_budget_s=retry_budget_s, compiled=compiled, pace=pace)
        self._customer_keys: dict[str, bytes] = {}
        self._open_state = Script.read("open_state-2")
        self._end_state = Script.read("end_state-2")
        self._apply_batch = Script.read("batch_parts-0", "apply_batch-3")

    # -- beginning and ending

    async def open(self, rules: StateRules, now_ms: int) -> int:
        """Begin the state, or check its rules; return its epoch. Raises RulesChanged."""
        self._rules = rules
        self._keys = Keys(self._prefix, rules.customer_shards)
        self._customer_keys.clear()
        keys, args = [self._keys.meta, self._keys.ended], [now_ms, rules.to_json()]
        epoch, stored = await self._run(self._open_state, keys, args)
        if not epoch:  # whoever cleared the state did not come to the end of it
            await self._drop_all()
            epoch, stored = await self._run(self._open_state, keys, args)
            if not epoch:
                raise StateLost(STATE_LOST)
        rules.check_stored(stored.decode())
        self._epoch = int(epoch)
        self._unfolded, self._round = self._pace.after, None  # whether anything is there to be folded, it will look
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

    # -- batches

    async def read(self, partition: Partition, customer_ids: Sequence[str], *, journal: bool) -> Before:
        """Return the fence, the customers' records and, if asked for, the journal."""
        keys = self._keys

        async def ask() -> list[Any]:
            pipe = self._client.pipeline(transaction=False)
            pipe.hget(keys.meta, "epoch")
            pipe.hget(keys.fences, fence_field(partition))
            if customer_ids:
                pipe.mget(self._keys_of(customer_ids))
            if journal:
                pipe.hvals(keys.journal(partition))
            return list(await pipe.execute())

        answer = await self._ask(ask)
        entries = unpack_journal(answer[-1]) if journal else {}
        fence = -1 if answer[1] is None else int(answer[1])
        return Before(int(answer[0] or -1), fence, answer[2] if customer_ids else [], entries)

    async def write(self, partition: Partition, change: Change, *, worker: str, forget: Sequence[int]) -> Outcome:
        """Apply the whole change or nothing, in one script call."""
        part = Part(partition, change.expected_fence, change.fence, change.journal, forget)
        return await RedisStore.write_joined(self, [part], change, worker=worker)

    @property
    def joins_partitions(self) -> bool:
        """Yes: one script call sees all partitions and customers."""
        return True

    async def read_joined(self, partitions: Sequence[Partition], customer_ids: Sequence[str]) -> Seen:
        """Return the partitions' fences and the customers' records."""
        keys = self._keys

        async def ask() -> list[Any]:
            pipe = self._client.pipeline(transaction=False)
            pipe.hget(keys.meta, "epoch")
            pipe.hmget(keys.fences, [fence_field(partition) for partition in partitions])
            if customer_ids:
                pipe.mget(self._keys_of(customer_ids))
            return list(await pipe.execute())

        answer = await self._ask(ask)
        fences = [-1 if fence is None else int(fence) for fence in answer[1]]
        return Seen(int(answer[0] or -1), fences, answer[2] if customer_ids else [])

    async def write_joined(self, parts: Sequence[Part], change: Change, *, worker: str) -> Outcome:
        """Apply the whole change or nothing, in one script call."""
        keys, items = self._keys, change.items
        named: list[str | bytes] = [keys.meta, keys.fences, keys.changes]
        named += [keys.journal(part.partition) for part in parts]
        named += self._keys_of(change.customers.ids)
        args: list[Any] = [
            change.epoch,
            len(parts),
            self._rules.customer_ttl_s,
            change.customers.expected.astype("<u8").tobytes(),
            worker,
            pack_items(items),
            pack_pairs(items),
            repr(float(items.percentile_sum)),
            int(items.purchases.sum()),
        ]
        for part in parts:
            forget = ",".join(map(str, part.forget))
            args += [fence_field(part.partition), part.expected_fence, part.fence, part.journal.tobytes(), forget]
        code, unfolded = await self._run(self._apply_batch, named, [*args, *change.customers.records])
        if code == Outcome.APPLIED:
            self._hear_unfolded(unfolded)
        return Outcome(code)

    def _keys_of(self, customer_ids: Sequence[str]) -> list[bytes]:
        known = self._customer_keys
        if len(known) > _KEYS:
            known.clear()
        for name in customer_ids:
            if name not in known:
                known[name] = self._keys.customer(name).encode()
        return [known[name] for name in customer_ids]

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


def _escaped(prefix: str) -> str:
    return "".join("\\" + letter if letter in "*?[]\\^" else letter for letter in prefix)
