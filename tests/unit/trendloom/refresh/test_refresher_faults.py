"""A refresher whose store is cleared, rebuilt, overtaken or not heard."""

import asyncio
from collections.abc import Sequence

import pytest
from deliveries import START_MS
from refreshing import (
    P0,
    P1,
    RULES,
    applied,
    listed,
    made_log,
    one,
    opened,
    run,
)

from trendloom.errors import StateLost
from trendloom.refresh import Refresher
from trendloom.state.in_process import InProcessStore
from trendloom.state.store import Change, Outcome, Partition


def test_a_cleared_state_stops_a_running_worker() -> None:
    async def check() -> None:
        store = InProcessStore()
        refresher = await opened(store)
        listed(refresher, await applied(refresher, [one(1)]))
        await store.clear()
        with pytest.raises(StateLost, match="Action: start the worker again"):
            await applied(refresher, [one(2)], 1)
        assert await store.open(RULES, START_MS) == START_MS + 1
        with pytest.raises(StateLost, match="Action: start the worker again"):
            await applied(refresher, [one(2)], 1)
        assert (await store.items()).numbers.size == 0

    asyncio.run(check())


def test_a_rebuilt_state_that_has_the_same_batch_already_stops_a_running_worker_too() -> None:
    """Nothing would be written, so only the read can tell."""
    log = [one(1), one(2, item=2)]

    async def check() -> None:
        store = InProcessStore()
        refresher = await opened(store)
        listed(refresher, await applied(refresher, log))
        await store.clear()
        heir = await opened(store, worker="heir")
        listed(heir, await applied(heir, log))
        with pytest.raises(StateLost, match="Action: start the worker again"):
            await applied(refresher, log)

    asyncio.run(check())


class ClearedMeanwhile(InProcessStore):
    """Is rebuilt between a worker's read and its write."""

    async def write(self, partition: Partition, change: Change, *, worker: str, forget: Sequence[int]) -> Outcome:
        await self.clear()
        await self.open(RULES, START_MS)
        return await super().write(partition, change, worker=worker, forget=forget)


def test_a_state_that_is_rebuilt_between_read_and_write_takes_nothing() -> None:
    async def check() -> None:
        store = ClearedMeanwhile()
        refresher = await opened(store)
        with pytest.raises(StateLost):
            await applied(refresher, [one(1)])
        assert await store.fences() == {}
        assert (await store.items()).numbers.size == 0

    asyncio.run(check())


def test_a_store_that_lost_its_latest_changes_is_recognised() -> None:
    async def check() -> None:
        store = InProcessStore()
        refresher = await opened(store)
        await refresher.assigned(P0)
        listed(refresher, await applied(refresher, [one(1), one(2, item=2)]))
        store._fences[P0] = 0  # as a replica has it that was promoted too early
        with pytest.raises(StateLost, match=r"purchases-0: .*fell from 1 to 0.*Action: "):
            await applied(refresher, [one(3)], 2)

    asyncio.run(check())


class LosesAnswers(InProcessStore):
    """Applies a batch, loses the answer, and refuses it when it is sent again, as Redis does."""

    lose = 1

    async def write(self, partition: Partition, change: Change, *, worker: str, forget: Sequence[int]) -> Outcome:
        outcome = await super().write(partition, change, worker=worker, forget=forget)
        if outcome is Outcome.APPLIED and self.lose:
            self.lose -= 1
            return Outcome.FENCE_MOVED
        return outcome


def test_a_write_whose_answer_was_lost_is_listed_once_and_counted_once() -> None:
    log = made_log(30)

    async def check() -> None:
        store = LosesAnswers()
        lists, wanted = await run(log, 7, store=store), await run(log, 7)
        assert [each.raw for each in lists[:3]] == [each.raw for each in wanted[:3]]
        assert [each.told["version"] for each in lists] == [each.told["version"] for each in wanted]
        assert (await store.items()).purchases.sum() == len({bought.event_id for bought in log})

    asyncio.run(check())


def test_after_a_lost_answer_the_copy_of_the_items_is_read_again() -> None:
    async def check() -> None:
        store = LosesAnswers()
        refresher = await opened(store)
        await refresher.assigned(P0)
        listed(refresher, await applied(refresher, [one(event, f"c{event}", event) for event in range(5)]))
        assert refresher.mirror.purchases.sum() == 0  # it does not know whether the batch is its own
        listed(refresher, await applied(refresher, [one(9, "ann", 2)], 5))
        assert refresher.mirror.purchases[:40].tolist() == [1, 1, 2, 1, 1] + [0] * 35
        assert refresher.mirror.population == await store.population()
        refresher.committed(P0, 5)
        listed(refresher, await applied(refresher, [one(10, "ann", 3)], 6))
        assert await store.journaled(P0) == [6]  # that of the doubtful batch has gone, too

    asyncio.run(check())


class Overtaken(InProcessStore):
    """While the slow worker is about to write, a quick one applies the same customer's purchase of partition 1."""

    quick: Refresher | None = None

    async def write(self, partition: Partition, change: Change, *, worker: str, forget: Sequence[int]) -> Outcome:
        quick, self.quick = self.quick, None
        if quick is not None:
            listed(quick, await applied(quick, [one(1, "ann", 1)], 0, P1))
        return await super().write(partition, change, worker=worker, forget=forget)


def test_a_customer_whom_another_partition_moved_is_prepared_anew() -> None:
    async def check() -> None:
        store = Overtaken()
        slow = await opened(store, worker="slow")
        store.quick = await opened(store, worker="quick")
        lists = listed(slow, await applied(slow, [one(2, "ann", 2)]))
        assert [each.told["version"]["number"] for each in lists] == [2]
        assert [row for row in (await store.items()).co_purchases if row] == [{2: 2}, {1: 2}]
        assert (await store.items()).purchases.sum() == 2

    asyncio.run(check())
