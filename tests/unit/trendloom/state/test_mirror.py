import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from deliveries import START_MS, arrivals, deliver, logs, purchase
from hypothesis import given, settings
from hypothesis import strategies as st

from trendloom.errors import StoreUnavailable
from trendloom.events import Purchase
from trendloom.state.in_process import InProcessStore
from trendloom.state.mirror import Mirror
from trendloom.state.rules import StateRules
from trendloom.state.store import Partition

RULES = StateRules(history_length=8, co_purchase_window=5)
P0, P1 = Partition("purchases", 0), Partition("purchases", 1)
Ints = npt.NDArray[np.int64]
ITEM_IDS = [f"item-{number}" for number in range(10)]


def exact(mirror: Mirror) -> dict[str, Any]:
    size = len(mirror.ids)
    return {
        "ids": mirror.ids,
        "purchases": mirror.purchases[:size].tolist(),
        "in_store": mirror.in_store[:size].tolist(),
        "priced": mirror.priced[:size].tolist(),
        "initial": mirror.initial[:size].tolist(),
        "co": {row: mirror.co.row(row) for row in mirror.co.rows().tolist()},
        "purchases_of_all": mirror.population.purchases,
    }


def check_equal(mirror: Mirror, wanted: Mirror) -> None:
    """Sums of floats may depend on their order in the last digits, nothing else may differ."""
    assert exact(mirror) == exact(wanted)
    size = len(wanted.ids)
    np.testing.assert_allclose(mirror.slow[:size], wanted.slow[:size], rtol=1e-12)
    np.testing.assert_allclose(mirror.spent[:size], wanted.spent[:size], rtol=1e-12)
    np.testing.assert_allclose(mirror.fast[:size], wanted.fast[:size], rtol=1e-12)
    np.testing.assert_allclose(mirror.population.percentile_sum, wanted.population.percentile_sum, rtol=1e-12)


async def opened() -> InProcessStore:
    store = InProcessStore()
    await store.open(RULES, START_MS)
    await store.number_items(ITEM_IDS)
    return store


async def loaded(store: InProcessStore, *, capacity: int = 1024) -> Mirror:
    mirror = Mirror(RULES, capacity=capacity)
    await mirror.load(store)
    return mirror


def tell(told: Counter[tuple[int, int]], rows: Ints, columns: Ints, weights: Ints) -> None:
    for row, column, weight in zip(rows.tolist(), columns.tolist(), weights.tolist(), strict=True):
        told[row, column] += weight
        told[column, row] += weight


@settings(max_examples=30, deadline=None)
@given(log=logs(), size=st.integers(1, 9), turns=st.lists(st.booleans(), max_size=40), capacity=st.integers(1, 8))
def test_two_workers_end_with_what_the_store_holds(
    log: list[Purchase], size: int, turns: list[bool], capacity: int
) -> None:
    """Each adds its own batches and follows the other now and then."""

    async def check() -> None:
        store = await opened()
        mirrors = {"a": await loaded(store, capacity=capacity), "b": await loaded(store, capacity=capacity)}
        told: dict[str, Counter[tuple[int, int]]] = {"a": Counter(), "b": Counter()}
        for name, mirror in mirrors.items():
            mirror.on_pairs = partial(tell, told[name])
        offsets = {"a": 0, "b": 0}
        for at, start in enumerate(range(0, len(log), size)):
            name = "a" if at >= len(turns) or turns[at] else "b"
            partition = P0 if name == "a" else P1
            batch = arrivals(log[start : start + size], offsets[name])
            offsets[name] += len(batch)
            await mirrors[name].follow(store, name)
            prepared = await deliver(store, partition, batch, rules=RULES, worker=name)
            mirrors[name].advance(prepared.change.items)
        for name, mirror in mirrors.items():
            await mirror.follow(store, name)
            check_equal(mirror, await loaded(store))
            rows = await store.items()
            held = {
                (number, column): units
                for number, row in zip(rows.numbers.tolist(), rows.co_purchases, strict=True)
                for column, units in row.items()
            }
            assert told[name] == held  # what is derived from pairs hears of each half-unit once

    asyncio.run(check())


def test_a_worker_that_missed_too_much_reads_all_again() -> None:
    async def check() -> None:
        store = await opened()
        mirror = await loaded(store)
        version = mirror.version
        reloads: list[int] = []
        mirror.on_reload = lambda: reloads.append(mirror.population.purchases)
        for event in range(300):
            await deliver(store, P0, arrivals([purchase(event, f"c{event % 7}", event % 9)], event), rules=RULES)
        assert not await mirror.follow(store, "b")
        assert (mirror.population.purchases, mirror.version, reloads) == (0, version, [])
        await mirror.load(store)
        check_equal(mirror, await loaded(store))
        assert mirror.version > version
        assert len(reloads) == 1
        assert await mirror.follow(store, "b")

    asyncio.run(check())


def test_numbers_of_new_items_and_of_those_that_another_worker_numbered() -> None:
    async def check() -> None:
        store = await opened()
        one, other = await loaded(store), await loaded(store)
        assert (await one.number(store, ["x", "item-3", "x", "y"])).tolist() == [10, 3, 10, 11]
        assert (await other.number(store, ["z", "y"])).tolist() == [12, 11]  # x lies between: all ids are read
        assert other.ids == [*ITEM_IDS, "x", "y", "z"]
        assert (await one.number(store, ["z"])).tolist() == [12]
        assert one.ids == other.ids

    asyncio.run(check())


def test_a_state_without_room_gives_minus_one_and_asks_again_later() -> None:
    async def check() -> None:
        store = InProcessStore()
        await store.open(StateRules(max_items=2), START_MS)
        mirror = await loaded(store)
        assert (await mirror.number(store, ["a", "b", "c"])).tolist() == [0, 1, -1]
        assert (await mirror.number(store, ["c", "b"])).tolist() == [-1, 1]
        assert mirror.ids == ["a", "b"]

    asyncio.run(check())


def test_pairs_are_told_as_they_are_added() -> None:
    async def check() -> None:
        store = await opened()
        mirror = await loaded(store)
        told: list[Sequence[int]] = []
        mirror.on_pairs = lambda rows, columns, weights: told.extend(
            zip(rows.tolist(), columns.tolist(), weights.tolist(), strict=True)
        )
        made = await deliver(store, P0, arrivals([purchase(1, item=1), purchase(2, item=2)]), rules=RULES)
        mirror.advance(made.change.items)
        mirror.advance((await deliver(store, P0, arrivals([purchase(3, "bob")], 2), rules=RULES)).change.items)
        assert told == [(2, 1, 2)]

    asyncio.run(check())


def test_seeded_popularity_is_read_and_kept_apart() -> None:
    async def check() -> None:
        store = await opened()
        await store.seed_initial(np.array([4]), np.array([7.5]))
        mirror = await loaded(store)
        assert (mirror.initial[4], mirror.purchases[4], mirror.population.purchases) == (7.5, 0, 0)

    asyncio.run(check())


def test_what_was_read_with_everything_is_not_added_again() -> None:
    """A worker that does not know whether its batch was applied reads all anew: position and copy stay together."""

    async def check() -> None:
        store = await opened()
        mirror = await loaded(store)
        for event in range(6):
            made = await deliver(store, P0, arrivals([purchase(event, item=event)], event), rules=RULES, worker="a")
            if event == 2:  # the answer was lost, so its change is never added
                await mirror.load(store)
            else:
                mirror.advance(made.change.items)
            assert await mirror.follow(store, "a")
            assert mirror.population.purchases == event + 1
        check_equal(mirror, await loaded(store))

    asyncio.run(check())


class LosingStore(InProcessStore):
    """A store that cannot be reached when it is asked for ids."""

    reachable = True

    async def item_ids(self) -> list[str]:
        if not self.reachable:
            raise StoreUnavailable("gone. Action: wait.")
        return await super().item_ids()


def test_changes_that_could_not_be_taken_up_are_taken_up_later_and_once() -> None:
    async def check() -> None:
        store = LosingStore()
        await store.open(RULES, START_MS)
        mirror = await loaded(store)
        await store.number_items(ITEM_IDS)
        await deliver(store, P0, arrivals([purchase(1, item=1), purchase(2, item=2)]), rules=RULES, worker="a")
        store.reachable = False
        with pytest.raises(StoreUnavailable):
            await mirror.follow(store, "b")
        assert mirror.population.purchases == 0
        store.reachable = True
        assert await mirror.follow(store, "b")
        assert await mirror.follow(store, "b")
        check_equal(mirror, await loaded(store))

    asyncio.run(check())
