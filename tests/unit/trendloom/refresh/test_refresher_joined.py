"""Batches of several partitions: one for the store where it can be, the same lists and state in every case."""

import asyncio
from collections.abc import Sequence

import numpy as np
import orjson
import pytest
from plain_fold import differences, fold_log
from refreshing import P0, P1, RULES, applied, listed, made_log, one, opened

from trendloom.events import Purchase
from trendloom.refresh import Applied, Refresher
from trendloom.state.columns import Arrivals, Span
from trendloom.state.in_process import InProcessStore
from trendloom.state.store import Change, Outcome, Part, Partition

Log = tuple[Partition, Sequence[Purchase], int]


class Counting(InProcessStore):
    """Counts how batches were written; before the first joined one, does what it is told to."""

    def __init__(self, *, joins: bool = True) -> None:
        super().__init__()
        self.joins = joins
        self.alone = self.together = 0
        self.intruder: Refresher | None = None
        self.loses_answer = False

    @property
    def joins_partitions(self) -> bool:
        return self.joins

    async def write(self, partition: Partition, change: Change, *, worker: str, forget: Sequence[int]) -> Outcome:
        self.alone += 1
        part = Part(partition, change.expected_fence, change.fence, change.journal, forget)
        return await super().write_joined([part], change, worker=worker)

    async def write_joined(self, parts: Sequence[Part], change: Change, *, worker: str) -> Outcome:
        self.together += 1
        intruder, self.intruder = self.intruder, None
        if intruder is not None:
            listed(intruder, await applied(intruder, [one(900, "zoe", 1)], 0, P1))
        outcome = await super().write_joined(parts, change, worker=worker)
        if self.loses_answer:  # it was applied, and asked again: the fences have moved
            self.loses_answer = False
            return Outcome.FENCE_MOVED
        return outcome


async def taken(refresher: Refresher, *logs: Log) -> Applied:
    purchases = [bought for _, log, _ in logs for bought in log]
    batch = Arrivals(
        [first + at for _, log, first in logs for at in range(len(log))],
        purchases,
        await refresher.number([bought.item_id for bought in purchases]),
        [Span(partition, first, first + max(len(log), 1) - 1, len(log)) for partition, log, first in logs],
    )
    begun = await refresher.begin(batch)
    await begun.written()
    return begun


def places(refresher: Refresher, batch: Applied) -> list[tuple[int, int, str]]:
    lists = listed(refresher, batch)
    causes = [(each.told["cause"], each.told["customer_id"]) for each in lists]
    return [(cause["partition"], cause["offset"], name) for cause, name in causes]


FIRST, SECOND = [one(1, "ann", 1), one(2, "bob", 2)], [one(3, "eve", 3)]


@pytest.mark.parametrize("joins", [True, False])
def test_several_partitions_are_one_write_where_the_store_can(joins: bool) -> None:
    async def check() -> None:
        store = Counting(joins=joins)
        refresher = await opened(store, compiled=True)
        batch = await taken(refresher, (P0, FIRST, 0), (P1, SECOND, 7))
        assert places(refresher, batch) == [(0, 0, "ann"), (0, 1, "bob"), (1, 7, "eve")]
        assert (store.together, store.alone) == ((1, 0) if joins else (0, 2))
        assert (batch.tally.new, await store.fences()) == (3, {P0: 1, P1: 7})
        assert refresher.mirror.purchases[1:4].tolist() == [1, 1, 1]

    asyncio.run(check())


@pytest.mark.parametrize("compiled", [True, False])
def test_batches_of_two_partitions_give_the_state_of_a_plain_fold(compiled: bool) -> None:
    log = made_log(120)
    halves = [[bought for bought in log if (int(bought.customer_id[1:]) % 2 == 0) == even] for even in (True, False)]

    async def check() -> None:
        store = Counting()
        refresher = await opened(store, compiled=compiled)
        count, at = 0, [0, 0]
        for size in (3, 1, 9, 20, 60):
            logs: list[Log] = [
                (place, half[at[n] : at[n] + size], at[n])
                for n, (place, half) in enumerate(zip((P0, P1), halves, strict=True))
            ]
            at = [min(at[n] + size, len(halves[n])) for n in (0, 1)]
            logs = [one_log for one_log in logs if one_log[1]]
            if logs:
                count += len(listed(refresher, await taken(refresher, *logs)))
        plain = fold_log(log, history_length=RULES.history_length, window=RULES.co_purchase_window)
        known = {name: record async for name, record in store.customers()}
        rows, ids = await store.items(), await store.item_ids()
        assert differences(plain, rows, ids, known, history_length=RULES.history_length) == []
        assert count == sum(plain.purchases.values())
        assert (store.together > 0) == compiled

    asyncio.run(check())


def test_what_comes_again_in_one_partition_is_taken_apart_and_listed_again() -> None:
    async def check() -> None:
        store = Counting()
        refresher = await opened(store, compiled=True)
        listed(refresher, await taken(refresher, (P0, FIRST, 0), (P1, SECOND, 7)))
        again = await taken(refresher, (P0, FIRST, 0), (P1, [one(4, "eve", 4)], 8))
        assert places(refresher, again) == [(0, 0, "ann"), (0, 1, "bob"), (1, 8, "eve")]
        assert (again.tally.new, again.tally.repeated, store.together) == (1, 2, 1)
        assert (await store.items()).purchases.sum() == 4

    asyncio.run(check())


def test_a_worker_that_starts_behind_the_state_takes_partitions_apart() -> None:
    async def check() -> None:
        store = Counting()
        before = await opened(store, worker="before", compiled=True)
        listed(before, await taken(before, (P0, FIRST, 0), (P1, SECOND, 7)))
        heir = await opened(store, worker="heir", compiled=True)
        again = await taken(heir, (P0, FIRST, 0), (P1, SECOND, 7))
        assert places(heir, again) == [(0, 0, "ann"), (0, 1, "bob"), (1, 7, "eve")]
        assert (again.tally.repeated, store.together) == (3, 1)

    asyncio.run(check())


def test_a_refused_batch_is_taken_apart() -> None:
    """Another worker has moved a fence of one of its partitions, past what this one holds of it."""

    async def check() -> None:
        store = Counting()
        refresher = await opened(store, worker="slow", compiled=True)
        store.intruder = await opened(store, worker="quick", compiled=True)
        batch = await taken(refresher, (P0, FIRST, 0), (P1, SECOND, 1))
        assert places(refresher, batch) == [(0, 0, "ann"), (0, 1, "bob"), (1, 1, "eve")]
        assert (store.together, await store.fences()) == (1, {P0: 1, P1: 1})
        assert (await store.items()).purchases.sum() == 4
        listed(refresher, await taken(refresher, (P0, [one(5, "ann", 5)], 2), (P1, [one(6, "eve", 6)], 2)))
        assert refresher.mirror.purchases.sum() == 5 + 1  # with the intruder's: it was read anew

    asyncio.run(check())


def test_a_write_whose_answer_was_lost_is_listed_once_and_counted_once() -> None:
    async def check() -> None:
        store = Counting()
        refresher = await opened(store, compiled=True)
        store.loses_answer = True
        batch = await taken(refresher, (P0, FIRST, 0), (P1, SECOND, 7))
        assert places(refresher, batch) == [(0, 0, "ann"), (0, 1, "bob"), (1, 7, "eve")]
        assert (batch.tally.new, batch.tally.repeated) == (0, 3)
        assert (await store.items()).purchases.sum() == 3

    asyncio.run(check())


def test_journals_of_each_partition_are_dropped_once_it_is_committed() -> None:
    async def check() -> None:
        store = Counting()
        refresher = await opened(store, compiled=True)
        for partition in (P0, P1):
            await refresher.assigned(partition)
        listed(refresher, await taken(refresher, (P0, FIRST, 0), (P1, SECOND, 7)))
        refresher.committed(P1, 7)
        listed(refresher, await taken(refresher, (P0, [one(5, "ann", 5)], 2), (P1, [one(6, "eve", 6)], 8)))
        assert (await store.journaled(P0), await store.journaled(P1)) == ([1, 2], [8])

    asyncio.run(check())


def test_without_a_usable_record_every_fence_moves() -> None:
    async def check() -> None:
        store = Counting()
        refresher = await opened(store, compiled=True)
        batch = await taken(refresher, (P0, [], 4), (P1, [], 9))
        assert listed(refresher, batch) == []
        assert await store.fences() == {P0: 4, P1: 9}

    asyncio.run(check())


def test_lists_of_several_partitions_are_those_of_one() -> None:
    """Both see the items as they were before the first of their purchases."""

    async def check() -> None:
        together, apart = await opened(Counting(), compiled=True), await opened(Counting(joins=False), compiled=True)
        for refresher in (together, apart):
            listed(refresher, await applied(refresher, made_log(40)))
        logs: list[Log] = [(P0, [one(70, "c1", 5), one(71, "c2", 6)], 40), (P1, [one(72, "c9", 5)], 0)]
        found = [
            [orjson.loads(each.raw) for each in listed(refresher, await taken(refresher, *logs))]
            for refresher in (together, apart)
        ]
        for ours, theirs in zip(*found, strict=True):
            assert ours["entries"] == theirs["entries"]
            assert ours["cause"] == theirs["cause"]
            np.testing.assert_allclose(ours["trendiness"], theirs["trendiness"], rtol=1e-6)

    asyncio.run(check())
