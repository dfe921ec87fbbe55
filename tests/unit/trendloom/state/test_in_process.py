"""What only this store does; what every store does is in tests/contract/test_stores.py."""

import asyncio

import numpy as np
import pytest
from deliveries import START_MS, arrivals, deliver, purchase

from trendloom.errors import StateLost
from trendloom.state.in_process import InProcessStore
from trendloom.state.rules import StateRules
from trendloom.state.store import Partition

RULES = StateRules(history_length=4)
P0 = Partition("purchases", 0)


def test_a_state_that_was_never_begun_numbers_nothing() -> None:
    with pytest.raises(StateLost, match="Action: start the worker again"):
        asyncio.run(InProcessStore().number_items(["a"]))


def test_what_is_handed_out_is_not_the_state_itself() -> None:
    async def check() -> None:
        store = InProcessStore()
        await store.open(RULES, START_MS)
        await deliver(store, P0, arrivals([purchase(1, item=1), purchase(2, item=2)]), rules=RULES)
        rows = await store.items()
        rows.purchases[:] = 99
        rows.slow[:] = 0.0
        rows.units[:] = 99
        (await store.fences()).clear()
        (await store.topic_ids({"t": "1"})).clear()
        again = await store.items()
        assert again.purchases.tolist() == [1, 1]
        assert again.slow.min() > 0.0
        assert again.co_purchases == [{2: 2}, {1: 2}]
        assert await store.fences() == {P0: 1}
        assert await store.topic_ids({}) == {"t": "1"}

    asyncio.run(check())


def test_whoever_lags_too_far_behind_is_told_to_read_all_again() -> None:
    async def check() -> None:
        store = InProcessStore()
        await store.open(RULES, START_MS)
        start = (await store.snapshot()).position
        for event in range(256):
            await deliver(store, P0, arrivals([purchase(event, item=event % 6)], event), rules=RULES, worker="a")
        found = await store.changes(start, "b")
        assert found.complete
        assert [change.numbers.tolist() for change in found.changes] == [[event % 6] for event in range(256)]
        assert (await store.changes(start, "a")).changes == []
        await deliver(store, P0, arrivals([purchase(256)], 256), rules=RULES, worker="a")
        late = await store.changes(start, "b")
        assert (late.complete, late.changes) == (False, [])
        assert (await store.changes(late.position, "b")).changes == []

    asyncio.run(check())


def test_items_by_number_in_the_order_asked_for_and_nothing_of_those_never_sold() -> None:
    async def check() -> None:
        store = InProcessStore()
        await store.open(RULES, START_MS)
        await deliver(store, P0, arrivals([purchase(1, item=4), purchase(2, "bob", item=2)]), rules=RULES)
        await store.seed_initial(np.array([5]), np.array([2.5]))
        rows = await store.items(np.array([4, 3, 5]))
        assert rows.purchases.tolist() == [1, 0, 0]
        assert rows.initial.tolist() == [0.0, 0.0, 2.5]
        assert np.isneginf(rows.slow).tolist() == [False, True, True]
        assert (await store.items()).numbers.tolist() == [2, 4, 5]

    asyncio.run(check())
