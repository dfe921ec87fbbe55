"""A cluster has no step across its parts: whoever breaks off anywhere in a batch, somebody else finishes it exactly."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import redis
from deliveries import DAY_MS, START_MS, arrivals, deliver, logs, percentile_of, purchase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_fold import differences, fold_log, read_customer
from redis import asyncio as redis_asyncio

from trendloom.errors import StateLost
from trendloom.events import Purchase
from trendloom.state.columns import Arrival
from trendloom.state.fold import customers_of, prepare
from trendloom.state.on_redis_asking import Script
from trendloom.state.on_redis_cluster import ClusterStore
from trendloom.state.rules import StateRules
from trendloom.state.store import Change, Outcome, Partition, journal_entries

pytestmark = [pytest.mark.redis, pytest.mark.slow]

P0, P1 = Partition("purchases", 0), Partition("purchases", 1)
RULES = StateRules(history_length=8, co_purchase_window=5, customer_shards=4)
ITEM_IDS = [f"item-{number}" for number in range(10)]
_prefixes = itertools.count()
_examples = settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Killed(Exception):
    """The worker was killed."""


class MortalStore(ClusterStore):
    """A worker that is killed after so many scripts; what it has sent by then arrives."""

    scripts_left: float = float("inf")

    async def _run(self, script: Script, keys: Sequence[str | bytes], args: Sequence[Any]) -> Any:
        if self.scripts_left <= 0:
            raise Killed
        self.scripts_left -= 1
        return await super()._run(script, keys, args)


def worker(nodes: list[str], prefix: str) -> MortalStore:
    client: Any = redis_asyncio.RedisCluster.from_url(nodes[0])
    return MortalStore(client, prefix=prefix, retry_budget_s=5.0)


async def change_of(store: ClusterStore, partition: Partition, batch: Sequence[Arrival]) -> Change:
    before = await store.read(partition, customers_of(batch), journal=False)
    percentiles = np.array([percentile_of(arrival.item) for arrival in batch], np.float32)
    last = batch[-1].offset
    return prepare(before, batch, last_offset=last, percentiles=percentiles, prior_mean=0.5, rules=RULES).change


async def check_against_plain_fold(store: ClusterStore, log: Sequence[Purchase]) -> None:
    plain = fold_log(log, history_length=RULES.history_length, window=RULES.co_purchase_window)
    known = {name: record async for name, record in store.customers()}
    assert differences(plain, await store.items(), ITEM_IDS, known, history_length=RULES.history_length) == []
    population = await store.population()
    assert population.purchases == sum(plain.purchases.values())
    summed = sum(read_customer(record)[1] for record in known.values())
    assert population.percentile_sum == pytest.approx(summed, abs=1e-9)


@_examples
@given(log=logs(), size=st.integers(1, 9), lives=st.lists(st.integers(0, 7), max_size=12))
def test_a_worker_may_be_killed_between_any_two_steps(
    redis_cluster: list[str], log: list[Purchase], size: int, lives: list[int]
) -> None:
    """A batch of this state is six scripts: one note, four shards, one for the items."""
    prefix = f"m{next(_prefixes)}"

    async def check() -> None:
        first = worker(redis_cluster, prefix)
        await first.open(RULES, START_MS)
        await first.number_items(ITEM_IDS)
        await first.close()
        records, committed = arrivals(log), 0
        for life in [*lives, float("inf")]:
            store = worker(redis_cluster, prefix)
            await store.open(RULES, START_MS)
            store.scripts_left = life
            try:
                for start in range(committed, len(records), size):
                    await deliver(store, P0, records[start : start + size], rules=RULES)
                    if life % 2:  # some commit what they have done, others are killed before
                        committed = start + size
            except Killed:
                pass
            finally:
                await asyncio.sleep(0)
                await store.close()
        last = worker(redis_cluster, prefix)
        await last.open(RULES, START_MS)
        await check_against_plain_fold(last, log)
        await last.close()

    asyncio.run(check())


@pytest.mark.parametrize("steps", range(7))
def test_a_batch_that_broke_off_is_finished_before_anything_is_read(redis_cluster: list[str], steps: int) -> None:
    prefix = f"m{next(_prefixes)}"
    log = [purchase(event, f"c{event}", event % 4, START_MS + event * DAY_MS // 8) for event in range(12)]

    async def check() -> None:
        mortal, heir = worker(redis_cluster, prefix), worker(redis_cluster, prefix)
        for store in (mortal, heir):
            await store.open(RULES, START_MS)
        await heir.number_items(ITEM_IDS)
        batch = arrivals(log)
        change = await change_of(mortal, P0, batch)
        mortal.scripts_left = steps
        if steps < 6:
            with pytest.raises(Killed):
                await mortal.write(P0, change, worker="m", forget=[])
        else:
            assert await mortal.write(P0, change, worker="m", forget=[]) is Outcome.APPLIED
        before = await heir.read(P0, customers_of(batch), journal=True)
        if steps == 0:
            assert (before.fence, before.customers, before.journal) == (-1, [None] * 12, {})
        else:
            assert before.fence == 11
            assert before.journal == journal_entries(change.journal)
            assert before.customers == change.customers.records
            await check_against_plain_fold(heir, log)
        mortal.scripts_left = float("inf")  # it was not dead, only stopped: nothing of it counts any more
        outcome = await mortal.write(P0, change, worker="m", forget=[])
        assert outcome is (Outcome.APPLIED if steps == 0 else Outcome.FENCE_MOVED)
        await check_against_plain_fold(heir, log)
        for store in (mortal, heir):
            await store.close()

    asyncio.run(check())


def test_customers_of_two_partitions_who_move_under_a_noted_batch(redis_cluster: list[str]) -> None:
    """The batch of partition 1 is noted and half applied; then partition 0 moves all of its customers."""
    prefix = f"m{next(_prefixes)}"
    first = [purchase(event, f"c{event}", 1, START_MS) for event in range(8)]
    second = [purchase(100 + event, f"c{event}", 2, START_MS) for event in range(8)]

    async def check() -> None:
        mortal, store = worker(redis_cluster, prefix), worker(redis_cluster, prefix)
        for one in (mortal, store):
            await one.open(RULES, START_MS)
        await store.number_items(ITEM_IDS)
        change = await change_of(mortal, P1, arrivals(second))
        mortal.scripts_left = 3
        with pytest.raises(Killed):
            await mortal.write(P1, change, worker="m", forget=[])
        await deliver(store, P0, arrivals(first), rules=RULES)
        listed = (await deliver(store, P1, arrivals(second), rules=RULES)).listed
        assert sorted({one.number for one in listed}) == [1, 2]  # some were applied before, some after
        rows = await store.items()
        assert rows.purchases.tolist() == [8, 8]
        assert rows.co_purchases == [{2: 16}, {1: 16}]
        assert [read_customer(record)[0] async for _, record in store.customers()] == [2] * 8
        for one in (mortal, store):
            await one.close()

    asyncio.run(check())


def test_a_node_that_lost_its_latest_changes_is_recognised(redis_cluster: list[str]) -> None:
    prefix = f"m{next(_prefixes)}"

    async def check() -> None:
        store = worker(redis_cluster, prefix)
        await store.open(RULES, START_MS)
        await store.number_items(ITEM_IDS)
        await deliver(store, P0, arrivals([purchase(1), purchase(2)]), rules=RULES)
        for key, what in (
            (f"{prefix}:{{c2}}/shard", "fence:purchases:0"),
            (f"{prefix}:{{items}}:fences", "purchases:0"),
        ):
            client = redis.RedisCluster.from_url(redis_cluster[0])
            client.hset(key, what, 0)
            with pytest.raises(StateLost, match=r"a node lost its latest changes. Action: .*rebuild"):
                await store.read(P0, [], journal=False)
            client.hset(key, what, 1)
            client.close()
        assert (await store.read(P0, [], journal=False)).fence == 1
        await store.close()

    asyncio.run(check())


def test_a_shard_of_another_state_is_refused(redis_cluster: list[str]) -> None:
    prefix = f"m{next(_prefixes)}"

    async def check() -> None:
        store = worker(redis_cluster, prefix)
        client = redis.RedisCluster.from_url(redis_cluster[0])
        client.hset(f"{prefix}:{{c1}}/shard", "epoch", 5)
        client.close()
        with pytest.raises(StateLost, match="Action: "):
            await store.open(RULES, START_MS)
        await store.clear()
        assert await store.open(RULES, START_MS) == START_MS + 1
        await store.close()

    asyncio.run(check())
