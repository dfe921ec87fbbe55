"""The state in a Redis Cluster: customers in hash-tagged shards, items in another slot, and no step across two slots.

A batch takes three steps: it is noted in the items' slot, applied shard by shard, and then applied to the items from
what the shards say they added. Every step changes nothing the second time, and whoever reads a partition finishes what
is noted there first, so a batch is never half seen. The reasoning is in ``docs/decisions/0007-redis-cluster.md``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from trendloom.errors import StateLost
from trendloom.state.customer import Customer
from trendloom.state.fold import Fold, item_change
from trendloom.state.item_log import pack_items, pack_pairs
from trendloom.state.on_redis import RedisStore
from trendloom.state.on_redis_asking import CHUNK, Script
from trendloom.state.on_redis_items import FoldingPace
from trendloom.state.on_redis_packing import fence_field, unpack_journal
from trendloom.state.rules import StateRules
from trendloom.state.store import (
    Before,
    Bought,
    Change,
    CustomerChanges,
    JournalEntry,
    Outcome,
    Part,
    Partition,
    Seen,
    journal_entries,
    journal_of,
)

__all__ = ["ClusterStore"]

_ATTEMPTS = 20
_ONE_BY_ONE = "in a cluster a batch of several partitions could not be written all or nothing"


@dataclass(frozen=True, slots=True)
class _Pending:
    """A noted batch: all that its steps are made from."""

    epoch: int
    fence_before: int
    fence: int
    prior_mean: float
    bought: list[Bought]

    def pack(self) -> bytes:
        return json.dumps([self.epoch, self.fence_before, self.fence, self.prior_mean, self.bought]).encode()

    @classmethod
    def unpack(cls, packed: bytes) -> _Pending:
        epoch, fence_before, fence, prior_mean, bought = json.loads(packed)
        return cls(epoch, fence_before, fence, prior_mean, [Bought(*one) for one in bought])


class _Part(NamedTuple):
    """One shard's part of a batch: new records of its customers, and what they add to the items."""

    customers: CustomerChanges
    delta: bytes


class ClusterStore(RedisStore):
    """A :class:`~trendloom.state.store.Store` on a Redis Cluster; ``client`` is a ``redis.asyncio.RedisCluster``."""

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
        self._begin_batch = Script.read("begin_batch-3")
        self._apply_customers = Script.read("batch_parts-0", "apply_customers-1")
        self._apply_items = Script.read("batch_parts-0", "apply_items-5")

    async def open(self, rules: StateRules, now_ms: int) -> int:
        """Begin the state, or check its rules, in every shard; return its epoch. Raises RulesChanged and StateLost."""
        epoch = await super().open(rules, now_ms)

        async def ask() -> list[Any]:
            pipe = self._client.pipeline()
            for key in self._shard_keys():
                pipe.hsetnx(key, "epoch", epoch)
                pipe.hget(key, "epoch")
            return list(await pipe.execute())

        if any(int(found) != epoch for found in (await self._ask(ask))[1::2]):
            raise StateLost("A shard holds customers of another state. Action: run `trendloom state rebuild`.")
        return epoch

    async def set_fence(self, partition: Partition, fence: int) -> None:
        """Set a fence where there is none yet, in every shard."""

        async def ask() -> None:
            pipe = self._client.pipeline()
            for key in self._shard_keys():
                pipe.hsetnx(key, f"fence:{fence_field(partition)}", fence)
            await pipe.execute()

        await self._ask(ask)
        await super().set_fence(partition, fence)

    async def read(self, partition: Partition, customer_ids: Sequence[str], *, journal: bool) -> Before:
        """Return the fence, the customers' records and, if asked for, the journal; what is noted is finished first.

        Raises StateLost if the shards and the items do not stand at the same fence: a node has lost its latest changes.
        """
        for _ in range(_ATTEMPTS):
            epoch, fence, pending, packed = await self._read_items(partition, journal=journal)
            if pending is not None:
                await self._finish(partition, _Pending.unpack(pending), worker="", forget=())
                continue
            epochs, fences, records = await self._read_shards(partition, customer_ids)
            if epochs != {epoch}:
                return Before(-1, fence, records, {})
            if min(fences) < fence:
                break
            if max(fences) == fence:
                return Before(epoch, fence, records, unpack_journal(packed))
            # a shard is ahead: another worker has just begun a batch, or the items' node has lost its latest changes
        raise StateLost(
            f"{partition.topic}-{partition.partition}: the items stand at offset {fence}, the shards of customers at "
            f"{min(fences)} to {max(fences)}: a node lost its latest changes. Action: run `trendloom state rebuild`."
        )

    async def write(self, partition: Partition, change: Change, *, worker: str, forget: Sequence[int]) -> Outcome:
        """Apply the whole change; when it was refused, nothing of it is there, or all of it was prepared anew.

        CUSTOMER_MOVED says that a customer had moved after the batch was noted: the batch is then applied to the
        customer as it is, and the journal holds what its lists need.
        """
        if change.fence <= change.expected_fence:
            msg = f"a batch must move the fence, got {change.expected_fence} to {change.fence}"
            raise ValueError(msg)
        pending = _Pending(change.epoch, change.expected_fence, change.fence, change.prior_mean, list(change.bought))
        keys = [self._keys.meta, self._keys.fences, self._keys.pending(partition)]
        args = [change.epoch, fence_field(partition), change.expected_fence, pending.pack()]
        begun = await self._run(self._begin_batch, keys, args)
        if begun != Outcome.APPLIED:
            return Outcome(begun)
        finished = await self._finish(partition, pending, worker=worker, forget=forget)
        if isinstance(finished, Outcome):
            return finished
        return Outcome.APPLIED if finished == journal_entries(change.journal) else Outcome.CUSTOMER_MOVED

    @property
    def joins_partitions(self) -> bool:
        """No: a shard notes one fence a partition, and what is noted is finished partition by partition."""
        return False

    async def read_joined(self, partitions: Sequence[Partition], customer_ids: Sequence[str]) -> Seen:
        """Raise ``TypeError``: partitions are read one by one."""
        raise TypeError(_ONE_BY_ONE)

    async def write_joined(self, parts: Sequence[Part], change: Change, *, worker: str) -> Outcome:
        """Raise ``TypeError``: partitions are written one by one."""
        raise TypeError(_ONE_BY_ONE)

    async def _finish(
        self, partition: Partition, pending: _Pending, *, worker: str, forget: Sequence[int]
    ) -> dict[int, JournalEntry] | Outcome:
        """Take a noted batch through its last two steps; return its journal, or why it is not there to be finished."""
        deltas: list[bytes] = []
        waiting: Iterable[int] = range(self._keys.shards)
        for _ in range(_ATTEMPTS):
            parts = await self._parts(pending, waiting)
            asked = [self._apply_part(partition, pending, shard, part) for shard, part in parts.items()]
            answers = await asyncio.gather(*asked, return_exceptions=True)  # no shard is left on its way by an error
            moved = []
            for (shard, part), answer in zip(parts.items(), answers, strict=True):
                if isinstance(answer, BaseException):
                    raise answer
                code, kept = answer
                if code == Outcome.CUSTOMER_MOVED:
                    moved.append(shard)
                elif code < 0:
                    return Outcome(code)
                else:
                    deltas.append(part.delta if code == Outcome.APPLIED else kept)
            if not moved:
                break
            waiting = moved
        else:
            msg = f"{partition.topic}-{partition.partition}: customers moved {_ATTEMPTS} times under one batch"
            raise RuntimeError(msg)
        return await self._add_to_items(partition, pending, deltas, worker=worker, forget=forget)

    async def _parts(self, pending: _Pending, shards: Iterable[int]) -> dict[int, _Part]:
        """Fold the noted purchases of these shards into their customers as they are now."""
        by_shard: dict[int, list[Bought]] = {shard: [] for shard in shards}
        for one in pending.bought:
            shard = self._keys.shard_of(one.customer_id)
            if shard in by_shard:
                by_shard[shard].append(one)
        names = list(dict.fromkeys(one.customer_id for some in by_shard.values() for one in some))
        records = await self._records([self._keys.customer(name).encode() for name in names])
        customers = {name: Customer.unpack(record) for name, record in zip(names, records, strict=True)}
        parts = {}
        for shard, some in by_shard.items():
            here = {one.customer_id: customers[one.customer_id] for one in some}
            fold = Fold(here, prior_mean=pending.prior_mean, rules=self._rules)
            parts[shard] = _part(fold, some)
        return parts

    async def _apply_part(self, partition: Partition, pending: _Pending, shard: int, part: _Part) -> tuple[int, bytes]:
        keys = [self._keys.shard(shard), *map(self._keys.customer, part.customers.ids)]
        args: list[Any] = [pending.epoch, fence_field(partition), pending.fence_before, pending.fence]
        args += (self._rules.customer_ttl_s, part.customers.expected.astype("<u8").tobytes(), part.delta)
        args += part.customers.records
        code, kept = await self._run(self._apply_customers, keys, args)
        return code, kept

    async def _add_to_items(
        self, partition: Partition, pending: _Pending, deltas: list[bytes], *, worker: str, forget: Sequence[int]
    ) -> dict[int, JournalEntry] | Outcome:
        bought, journal, pairs = _merge(deltas)
        keys, items = self._keys, item_change(bought, pairs, self._rules)
        named = [keys.meta, keys.fences, keys.journal(partition), keys.changes, keys.pending(partition)]
        args = [
            pending.epoch,
            fence_field(partition),
            pending.fence_before,
            pending.fence,
            journal_of(journal).tobytes(),
            ",".join(map(str, forget)),
            worker,
            pack_items(items),
            pack_pairs(items),
            repr(float(items.percentile_sum)),
            len(bought),
        ]
        # a fence that has moved: another worker has finished the batch, and from the same deltas
        code, unfolded = await self._run(self._apply_items, named, args)
        if code == Outcome.APPLIED:
            self._hear_unfolded(unfolded)
        return Outcome.EPOCH_MOVED if code == Outcome.EPOCH_MOVED else journal

    async def _read_items(self, partition: Partition, *, journal: bool) -> tuple[int, int, bytes | None, list[bytes]]:
        keys = self._keys

        async def ask() -> list[Any]:
            pipe = self._client.pipeline()
            pipe.hget(keys.meta, "epoch")
            pipe.hget(keys.fences, fence_field(partition))
            pipe.get(keys.pending(partition))
            if journal:
                pipe.hvals(keys.journal(partition))
            return list(await pipe.execute())

        epoch, fence, pending, *packed = await self._ask(ask)
        return int(epoch or -1), -1 if fence is None else int(fence), pending, packed[0] if journal else []

    async def _read_shards(
        self, partition: Partition, customer_ids: Sequence[str]
    ) -> tuple[set[int], list[int], list[bytes | None]]:
        shards = self._shard_keys()

        async def ask() -> list[Any]:
            pipe = self._client.pipeline()
            for key in shards:
                pipe.hmget(key, "epoch", f"fence:{fence_field(partition)}")
            for name in customer_ids:
                pipe.get(self._keys.customer(name))
            return list(await pipe.execute())

        answer = await self._ask(ask)
        epochs = {int(epoch or -1) for epoch, _ in answer[: len(shards)]}
        fences = [-1 if fence is None else int(fence) for _, fence in answer[: len(shards)]]
        return epochs, fences, answer[len(shards) :]

    def _shard_keys(self) -> list[str]:
        return [self._keys.shard(shard) for shard in range(self._keys.shards)]

    async def _drop_all(self) -> None:
        # the shards' epochs go first: from then on no part of an old batch is applied
        await self._drop([key.encode() for key in self._shard_keys()])
        await super()._drop_all()

    async def _scan(self, match: str) -> AsyncIterator[list[bytes]]:
        await self._ask(self._client.initialize)
        for node in self._client.get_primaries():
            cursor = 0
            while True:
                cursor, found = await self._scan_node(node, cursor, match)
                if found:
                    yield found
                if cursor == 0:
                    break

    async def _scan_node(self, node: Any, cursor: int, match: str) -> tuple[int, list[bytes]]:
        cursors, found = await self._ask(lambda: self._client.scan(cursor, match=match, count=CHUNK, target_nodes=node))
        return cursors[node.name], found

    async def _records(self, keys: list[bytes]) -> list[bytes | None]:
        async def ask() -> list[Any]:
            pipe = self._client.pipeline()
            for key in keys:
                pipe.get(key)
            return list(await pipe.execute())

        return await self._ask(ask) if keys else []

    async def _drop(self, keys: list[bytes]) -> None:
        async def ask() -> None:
            pipe = self._client.pipeline()
            for key in keys:
                pipe.delete(key)
            await pipe.execute()

        await self._ask(ask)


def _part(fold: Fold, bought: Iterable[Bought]) -> _Part:
    """Fold a shard's purchases; the delta holds each new one, its journal entry and its pairs."""
    new = []
    for one in bought:
        known = len(fold.pairs)
        entry = fold.buy(one)
        if entry is not None:
            new.append((one, entry, fold.pairs[known:]))
    return _Part(fold.changed(), json.dumps(new).encode())


def _merge(
    deltas: Iterable[bytes],
) -> tuple[list[Bought], dict[int, JournalEntry], list[tuple[int, int, int]]]:
    """Join what the shards added, in the order of the log."""
    found = [new for delta in deltas for new in json.loads(delta)]
    bought = [(Bought(*one), JournalEntry(*entry), pairs) for one, entry, pairs in found]
    bought.sort(key=lambda new: new[0].offset)
    return (
        [one for one, _, _ in bought],
        {one.offset: entry for one, entry, _ in bought},
        [(item, other, weight) for _, _, pairs in bought for item, other, weight in pairs],
    )
