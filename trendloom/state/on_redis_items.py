"""The items' side of the state in Redis: rows as of some entry of the changes, and the changes since.

A batch only adds an entry to a stream. What stands is read as rows and later entries; now and then any worker folds
entries into rows, a little at a time, and drops those that every row holds. The reasoning is in
``docs/decisions/0009-items-as-a-log.md``. Read next: :mod:`trendloom.state.on_redis`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trendloom.errors import StateLost
from trendloom.state.item_log import BEGINNING, ITEM_SHARDS, Entry, ItemLog, Position, folded, no_rows, unpack_change
from trendloom.state.on_redis_asking import CHUNK, RedisAsking, Script
from trendloom.state.on_redis_packing import joined, pack_numbers, pack_rows, unpack_entry, unpack_rows
from trendloom.state.rules import StateRules
from trendloom.state.store import STATE_LOST, Changes, ItemRows, Keys, Outcome, Population, Snapshot

__all__ = ["FoldingPace", "RedisItems"]

Ints = npt.NDArray[np.int64]

#: Entries asked for at once where nobody waits, and shards of rows.
_ENTRIES, _SHARDS = 64, 16
_ATTEMPTS = 20


class FoldingPace(NamedTuple):
    """When and how fast changes are folded: by default so that a step takes a few milliseconds.

    A step does more if all workers have written more since the step before: a round then ends before the next is due,
    however large batches are, if only a step is taken for each.
    """

    #: So many purchases may lie in the changes before somebody begins.
    after: int = 65_536
    #: Entries that a step reads.
    entries: int = 8
    #: Items and pairs, of whole shards, that a step adds.
    additions: int = 10_000
    #: Nobody else begins until a folder has done nothing for so long; whoever is sent away asks again after a fifth.
    alone_ms: int = 5_000


#: A step takes up so many times the purchases that were written since the step before: reading is half of the steps.
_FASTER = 3


class _Round:
    """One round of folding: first the changes are read, then they are added to one shard after the other."""

    def __init__(self, least: Position, purchases: range) -> None:
        self.log = ItemLog()
        self.position = least
        self.purchases = purchases
        self.reached = purchases.start
        self.read = False
        self.shard = 0

    def additions(self, purchases: int) -> int:
        """Return how many items and pairs so many purchases change."""
        return int(self.log.sizes.sum()) * purchases // max(len(self.purchases), 1)

    def shards(self, additions: int) -> range:
        """Return the shards of the next step: as many as together get no more than so many additions, but one."""
        ends = np.cumsum(self.log.sizes[self.shard :])
        most = int(np.searchsorted(ends, additions, side="right"))
        return range(self.shard, min(self.shard + max(most, 1), ITEM_SHARDS))


class RedisItems(RedisAsking):
    """Items, their numbers, their changes. With ``compiled``, numba counts co-purchases (the extra ``fast``)."""

    def __init__(
        self, client: Any, *, prefix: str, retry_budget_s: float, compiled: bool, pace: FoldingPace | None
    ) -> None:
        super().__init__(client, prefix=prefix, retry_budget_s=retry_budget_s)
        self._rules = StateRules()
        self._keys = Keys(prefix, self._rules.customer_shards)
        self._epoch = -1
        self._compiled = compiled
        self._pace = pace or FoldingPace()
        self._unfolded = 0
        self._owed = 0
        self._round: _Round | None = None
        self._fold_not_before_s = 0.0
        self._number_items = Script.read("number_items-3")
        self._fold_items = Script.read("fold_items-3")
        self._end_folding = Script.read("end_folding-4")

    # -- numbers

    async def number_items(self, item_ids: Sequence[str]) -> Ints:
        """Return each id's number, giving new ones the next free numbers; -1 beyond ``max_items``. Raises StateLost."""
        numbers: list[int] = []
        keys = [self._keys.meta, self._keys.numbers, self._keys.ids]
        for start in range(0, len(item_ids), CHUNK):
            some = item_ids[start : start + CHUNK]
            found = await self._run(self._number_items, keys, [self._epoch, self._rules.max_items, *some])
            if found is None:
                raise StateLost(STATE_LOST)
            numbers += found
        return np.array(numbers, np.int64)

    async def item_ids(self) -> list[str]:
        """Return every id; its place is its number."""
        ids = await self._ask(lambda: self._client.lrange(self._keys.ids, 0, -1))
        return [item_id.decode() for item_id in ids]

    async def seed_initial(self, numbers: Ints, counts: npt.NDArray[np.float64]) -> None:
        """Set initial popularities."""
        mapping = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
        if mapping:
            await self._ask(lambda: self._client.hset(self._keys.initial, mapping=mapping))

    # -- reading

    async def items(self, numbers: Ints | None = None) -> ItemRows:
        """Return these items, or all that were ever bought or seeded; either way all are read."""
        rows = (await self.snapshot()).rows
        return rows if numbers is None else rows.of(numbers)

    async def population(self) -> Population:
        """Return the totals over all customers."""
        purchases, total = await self._ask(lambda: self._client.hmget(self._keys.meta, "purchases", "percentile_sum"))
        return Population(int(purchases or 0), float(total or 0.0))

    async def snapshot(self) -> Snapshot:
        """Return all items and totals as they stood after one entry of the changes."""
        for _ in range(_ATTEMPTS):
            positions, rows = await self._read_rows()
            log, last = ItemLog(), min(positions)
            population = Population(0, 0.0)
            entries = await self._entries(str(last), _ENTRIES)  # with the one that is in all rows, for its totals
            while entries:
                log.take(entries)
                last = entries[-1].position
                population = Population(entries[-1].purchases_of_all, entries[-1].percentile_sum_of_all)
                entries = await self._entries(f"({last}", _ENTRIES)
            if await self._trimmed() <= min(positions):
                rules = self._rules
                new = log.after(0, ITEM_SHARDS, positions)
                keep, limit = rules.co_purchase_keep, rules.co_purchase_limit
                rows = folded(rows, new, keep=keep, limit=limit, compiled=self._compiled)
                return Snapshot(await self._with_initial(rows), population, str(last))
        msg = f"the changes of the items were folded {_ATTEMPTS} times faster than they could be read"
        raise RuntimeError(msg)

    async def changes(self, since: str, worker: str) -> Changes:
        """Return what workers of other names added since a position."""
        last, found = since, []
        while True:
            entries = await self._entries(f"({last}", _ENTRIES)
            found += [unpack_change(entry) for entry in entries if entry.worker != worker]
            last = str(entries[-1].position) if entries else last
            if len(entries) < _ENTRIES:
                break
        if last != since and await self._trimmed() > Position.of(since):
            return Changes(last, [], complete=False)
        return Changes(last, found, complete=True)

    async def _entries(self, first: str, count: int) -> list[Entry]:
        found = await self._ask(lambda: self._client.xrange(self._keys.changes, min=first, count=count))
        return [unpack_entry(entry) for entry in found]

    async def _trimmed(self) -> Position:
        """Return the entry before which changes may be gone; ask after they were read."""
        return Position.of(await self._ask(lambda: self._client.hget(self._keys.meta, "trimmed")) or str(BEGINNING))

    async def _positions(self, shards: range) -> list[Position]:
        found = await self._ask(lambda: self._client.hmget(self._keys.folded, list(shards)))
        return [BEGINNING if name is None else Position.of(name) for name in found]

    async def _read_rows(self) -> tuple[list[Position], ItemRows]:
        """Return all rows as they are folded, and of each shard up to which entry."""
        positions: list[Position] = []
        parts = [no_rows()]
        for start in range(0, ITEM_SHARDS, _SHARDS):
            shards = range(start, start + _SHARDS)
            for _ in range(_ATTEMPTS):
                stood = await self._positions(shards)
                found = await self._all_rows(shards)
                if await self._positions(shards) == stood:  # nobody has folded meanwhile
                    break
            else:
                msg = f"shards {start} ... of the items were folded {_ATTEMPTS} times while they were read"
                raise RuntimeError(msg)
            positions += stood
            parts += [unpack_rows(list(rows), list(rows.values())) for rows in found]
        return positions, joined(parts)

    async def _all_rows(self, shards: range) -> list[dict[bytes, bytes]]:
        async def ask() -> list[dict[bytes, bytes]]:
            pipe = self._client.pipeline(transaction=False)
            for shard in shards:
                pipe.hgetall(self._keys.rows(shard))
            return list(await pipe.execute())

        return await self._ask(ask)

    async def _with_initial(self, rows: ItemRows) -> ItemRows:
        stored = await self._ask(lambda: self._client.hgetall(self._keys.initial))
        if not stored:
            return rows
        seeded = np.array([int(number) for number in stored], np.int64)
        rows = rows.of(np.union1d(rows.numbers, seeded))
        rows.initial[np.searchsorted(rows.numbers, seeded)] = [float(count) for count in stored.values()]
        return rows

    # -- folding

    def _hear_unfolded(self, unfolded: int) -> None:
        """Note how many purchases are not folded, as a write has told."""
        self._owed += max(unfolded - self._unfolded, 0)
        self._unfolded = max(unfolded, 0)

    async def fold_some(self) -> bool:
        """Fold a little (a few milliseconds of work) if enough has come together; return whether there is more."""
        if self._round is None:
            self._round = await self._begin_folding()
        elif not self._round.read:
            await self._read_on(self._round)
        elif self._round.shard < ITEM_SHARDS:
            await self._fold_shards(self._round)
        else:
            keys = [self._keys.meta, self._keys.folded, self._keys.changes, self._keys.folder]
            await self._run(self._end_folding, keys, [self._epoch, ITEM_SHARDS])
            self._round = None
        return self._round is not None

    async def _begin_folding(self) -> _Round | None:
        now_s = asyncio.get_running_loop().time()
        if self._unfolded < self._pace.after or now_s < self._fold_not_before_s:
            return None
        stood = await self._ask(lambda: self._client.hmget(self._keys.meta, "purchases", "folded_purchases"))
        purchases, already = (int(number or 0) for number in stood)
        self._unfolded = purchases - already
        if self._unfolded < self._pace.after:  # somebody else was faster
            return None
        if not await self._ask(lambda: self._client.set(self._keys.folder, 1, nx=True, px=self._pace.alone_ms)):
            self._fold_not_before_s = now_s + self._pace.alone_ms / 5_000
            return None
        self._owed = 0  # the backlog is what rounds are for
        return _Round(min(await self._positions(range(ITEM_SHARDS))), range(already, purchases))

    async def _read_on(self, folding: _Round) -> None:
        owed, self._owed = _FASTER * self._owed, 0
        enough = folding.reached + owed
        while not folding.read:
            entries = await self._entries(f"({folding.position}", self._pace.entries)
            folding.log.take(entries)
            if entries:
                folding.position, folding.reached = entries[-1].position, entries[-1].purchases_of_all
            folding.read = not entries or folding.reached >= folding.purchases.stop
            if folding.reached >= enough:
                return

    async def _fold_shards(self, folding: _Round) -> None:
        """Replace the rows of the next few shards, each unless another worker has folded it further meanwhile."""
        rules = self._rules
        shards = folding.shards(max(self._pace.additions, folding.additions(_FASTER * self._owed)))
        self._owed = 0
        stood = await self._positions(shards)
        new = folding.log.after(shards.start, shards.stop, stood)
        numbers = np.union1d(new.numbers, new.rows)
        behind = [shard for shard, position in zip(shards, stood, strict=True) if position < folding.position]
        by_shard = {shard: numbers[numbers % ITEM_SHARDS == shard] for shard in behind}
        rows = folded(
            await self._rows_of(by_shard),
            new,
            keep=rules.co_purchase_keep,
            limit=rules.co_purchase_limit,
            compiled=self._compiled,
        )
        packed = dict(zip(rows.numbers.tolist(), pack_rows(rows), strict=True))
        keys = [self._keys.meta, self._keys.folded, self._keys.folder]
        args: list[Any] = [self._epoch, self._pace.alone_ms, str(folding.position)]
        for shard, some in by_shard.items():
            keys.append(self._keys.rows(shard))
            args += [shard, str(stood[shard - shards.start]), some.size]
            for name, number in zip(pack_numbers(some), some.tolist(), strict=True):
                args += (name, packed[number])
        if behind and await self._run(self._fold_items, keys, args) == Outcome.EPOCH_MOVED:
            self._round = None
            return
        folding.shard = shards.stop

    async def _rows_of(self, by_shard: dict[int, Ints]) -> ItemRows:
        asked = [(shard, pack_numbers(numbers)) for shard, numbers in by_shard.items() if numbers.size]
        if not asked:
            return no_rows()

        async def ask() -> list[list[bytes | None]]:
            pipe = self._client.pipeline(transaction=False)
            for shard, names in asked:
                pipe.hmget(self._keys.rows(shard), names)
            return list(await pipe.execute())

        found: dict[bytes, bytes] = {}
        for (_, names), rows in zip(asked, await self._ask(ask), strict=True):
            found.update((name, row) for name, row in zip(names, rows, strict=True) if row is not None)
        return unpack_rows(list(found), list(found.values()))
