"""What every store must do, whatever it is made of: begin and end, name items, remember customers and topics."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from deliveries import START_MS, arrivals, deliver, purchase
from plain_fold import read_customer
from store_checks import P0, RULES, changed, customers, opened

from trendloom.errors import RulesChanged, StateLost
from trendloom.state.fold import customers_of
from trendloom.state.rules import StateRules
from trendloom.state.store import Outcome


def test_begins_once_and_keeps_its_epoch_and_rules(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as store, place.worker() as second:
            assert await store.open(RULES, 1_000) == 1_000
            assert await second.open(RULES, 2_000) == 1_000
            with pytest.raises(RulesChanged, match="history_length: stored 8, now 9.*Action: "):
                await second.open(StateRules(history_length=9, co_purchase_window=5, customer_shards=4), 3_000)

    asyncio.run(check())


@pytest.mark.parametrize("now_ms", [START_MS + 5, START_MS, START_MS - 5])
def test_a_cleared_state_is_empty_and_its_epoch_grows_whatever_the_clock_says(place: Any, now_ms: int) -> None:
    async def check() -> None:
        async with place.worker() as store:
            first = await opened(store)
            await deliver(store, P0, arrivals([purchase(1)]), rules=RULES)
            await store.seed_initial(np.array([3]), np.array([2.5]))
            await store.topic_ids({"purchases": "abc"})
            await store.clear()
            assert await store.open(RULES, now_ms) == max(now_ms, first + 1)
            assert await store.item_ids() == []
            assert (await store.items()).numbers.size == 0
            assert await customers(store) == {}
            assert await store.fences() == {}
            assert await store.journaled(P0) == []
            assert await store.topic_ids({}) == {}
            assert (await store.population()).purchases == 0

    asyncio.run(check())


def test_who_missed_a_clearing_can_change_nothing(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as zombie, place.worker() as store:
            await opened(zombie)
            batch = arrivals([purchase(1)])
            change = changed(await zombie.read(P0, customers_of(batch), journal=False), batch)
            await store.clear()
            with pytest.raises(StateLost, match="Action: "):
                await zombie.number_items(["new"])
            assert await zombie.write(P0, change, worker="z", forget=[]) is Outcome.EPOCH_MOVED
            await opened(store)
            assert await zombie.write(P0, change, worker="z", forget=[]) is Outcome.EPOCH_MOVED
            assert await customers(store) == {}
            assert (await store.items()).numbers.size == 0

    asyncio.run(check())


def test_items_are_numbered_once_in_order_until_there_is_no_room(place: Any) -> None:
    async def check() -> None:
        rules = StateRules(max_items=3, customer_shards=4)
        async with place.worker() as store, place.worker() as second:
            await store.open(rules, 1)
            await second.open(rules, 1)
            assert (await store.number_items(["a", "b", "a"])).tolist() == [0, 1, 0]
            assert (await second.number_items(["c", "b", "d"])).tolist() == [2, 1, -1]
            assert (await store.number_items(["d", "a"])).tolist() == [-1, 0]
            assert await store.item_ids() == ["a", "b", "c"]

    asyncio.run(check())


def test_initial_popularity_is_kept_apart(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            await store.seed_initial(np.array([2, 0]), np.array([0.1, 7.0]))
            await deliver(store, P0, arrivals([purchase(1, item=0)]), rules=RULES)
            rows = await store.items()
            assert rows.numbers.tolist() == [0, 2]
            assert rows.initial.tolist() == [7.0, 0.1]
            assert rows.purchases.tolist() == [1, 0]
            assert rows.slow[1] == -np.inf
            some = await store.items(np.array([5, 2]))
            assert (some.numbers.tolist(), some.initial.tolist()) == ([5, 2], [0.0, 0.1])

    asyncio.run(check())


def test_topic_ids_are_remembered_as_they_were_first(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            assert await store.topic_ids({"purchases": "one"}) == {"purchases": "one"}
            assert await store.topic_ids({"purchases": "two", "other": "x"}) == {"purchases": "one", "other": "x"}

    asyncio.run(check())


def test_one_customer_is_found(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            await deliver(store, P0, arrivals([purchase(1, "Zoë: 5*?[", 2)]), rules=RULES)
            record = await store.customer("Zoë: 5*?[")
            assert record is not None
            assert read_customer(record)[0] == 1
            assert await customers(store) == {"Zoë: 5*?[": record}
            assert await store.customer("nobody") is None

    asyncio.run(check())
