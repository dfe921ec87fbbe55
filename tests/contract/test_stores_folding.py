"""Changes of items are folded at any time, by anybody, any number of times: nothing that is read depends on it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import numpy as np
import pytest
from deliveries import START_MS, arrivals, deliver, logs, purchase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_checks import ITEM_IDS, P0, P1, check_mirror, count_pairs, opened

from trendloom.events import Purchase
from trendloom.state.item_log import ITEM_SHARDS
from trendloom.state.mirror import Mirror
from trendloom.state.on_redis_items import FoldingPace
from trendloom.state.rules import StateRules
from trendloom.state.store import Change, ItemChange, ItemRows, Store

#: Rows are cut all the time; items fall into different shards.
RULES = StateRules(history_length=8, co_purchase_window=5, co_purchase_keep=2, co_purchase_limit=3, customer_shards=4)
#: One shard a step, and begun again at once.
PACE = FoldingPace(after=1, entries=1, additions=1, alone_ms=1)
_examples = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def only_where_something_is_folded(place: Any) -> None:
    if place.kind == "in_process":
        pytest.skip("every change is applied at once")


async def begin(store: Store) -> None:
    """Let a store that has just written, or was just opened, begin a round; whoever folded before has to be done."""
    while not await store.fold_some():
        pass


async def fold_all(store: Store) -> None:
    await begin(store)
    while await store.fold_some():
        pass


async def held(store: Store) -> list[Any]:
    """The items' side, bit by bit."""
    rows = (await store.snapshot()).rows
    popularity = [rows.numbers, rows.purchases, rows.in_store, rows.priced, rows.spent, rows.slow, rows.fast]
    return [*(column.tolist() for column in popularity), rows.co_purchases, await store.population()]


async def bought(store: Store, events: range, worker: str = "w") -> ItemChange:
    """One batch of purchases in partition 0, by customers of several items each."""
    log = [purchase(event, f"c{event % 5}", event * event % 11, START_MS + event * 1_000) for event in events]
    change: Change = (await deliver(store, P0, arrivals(log, events.start), rules=RULES, worker=worker)).change
    return change.items


@_examples
@given(log=logs(), turns=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9), st.integers(0, 8)), max_size=12))
def test_two_who_fold_at_any_moment_change_nothing_that_can_be_seen(
    place: Any, log: list[Purchase], turns: list[tuple[int, int, int]]
) -> None:
    """The same batches in a state that is never folded, and in dictionaries, give the same items, cuts included."""
    state, unfolded = place.elsewhere(), place.elsewhere()

    async def check() -> None:
        async with state.worker(PACE) as one, state.worker(PACE) as other, unfolded.worker() as plain:
            for store in (one, other, plain):
                await opened(store, RULES)
            pairs: dict[int, dict[int, int]] = {}
            records, at = arrivals(log), 0
            for who, size, steps in [*turns, (0, len(log), 300), (1, 1, 300)]:
                batch = records[at : at + size]
                at += size
                if batch:
                    done = await deliver((one, other)[who], P0, batch, rules=RULES)
                    assert len((await deliver(plain, P0, batch, rules=RULES)).listed) == len(done.listed)
                    count_pairs(pairs, done.change.items, keep=2, limit=3)
                for step in range(steps):  # both at once, each a step further than the other
                    await (one, other)[(who + step // 2) % 2].fold_some()
                assert await held(other) == await held(plain)
            rows = await one.items()
            found = {number: row for number, row in zip(rows.numbers.tolist(), rows.co_purchases, strict=True) if row}
            assert found == pairs

    asyncio.run(check())


@pytest.mark.parametrize("steps", [1, 2, 4, 7, 10])
def test_whoever_is_killed_while_folding_leaves_shards_that_another_folds_further(place: Any, steps: int) -> None:
    async def check() -> None:
        async with place.worker(PACE) as mortal, place.worker(PACE) as heir, place.worker(PACE) as reader:
            for store in (mortal, heir, reader):
                await opened(store, RULES)
            await bought(mortal, range(20))
            await begin(mortal)
            for _ in range(steps):
                assert await mortal.fold_some()
            await bought(heir, range(20, 40))
            before = await held(reader)
            await fold_all(heir)
            assert await held(reader) == before
            while await mortal.fold_some():  # it was not dead, only stopped
                assert await held(reader) == before
            await bought(mortal, range(40, 60))
            await fold_all(mortal)
            await check_everything_is_folded(mortal, before=60)

    asyncio.run(check())


async def check_everything_is_folded(store: Any, *, before: int) -> None:
    """Every shard stands at the last entry, and the rows alone, without the changes, hold all purchases."""
    positions, rows = await store._read_rows()
    assert len(set(positions)) == 1
    assert len(positions) == ITEM_SHARDS
    assert rows.purchases.sum() == before
    snapshot = await store.snapshot()
    assert snapshot.rows.purchases.tolist() == rows.purchases.tolist()
    assert snapshot.population.purchases == before
    assert snapshot.position == str(positions[0])


def test_one_round_of_changes_is_kept_and_who_missed_more_reads_all_again(place: Any) -> None:
    async def check() -> None:
        async with place.worker(PACE) as store, place.worker(PACE) as second:
            await opened(store, RULES)
            await opened(second, RULES)
            latest = Mirror(RULES)
            await latest.load(second)
            for start in range(0, 120, 40):
                late = Mirror(RULES)
                await late.load(second)
                await bought(store, range(start, start + 10))
                await bought(store, range(start + 10, start + 20))
                await fold_all(store)
                await bought(store, range(start + 20, start + 40))
                assert await late.follow(second, "second")
                await check_mirror(late, second)
            missed = await second.changes(latest._position, "second")
            assert (missed.complete, missed.changes) == (False, [])
            assert not await latest.follow(second, "second")
            await latest.load(second)
            await check_mirror(latest, second)
            assert await latest.follow(second, "second")

    asyncio.run(check())


def test_changes_are_dropped_only_when_the_last_shard_holds_them(place: Any) -> None:
    """Killed folders leave shards at three different entries, and others end their rounds meanwhile."""

    async def check() -> None:
        async with contextlib.AsyncExitStack() as workers:
            stores: list[Any] = [await workers.enter_async_context(place.worker(PACE)) for _ in range(4)]
            for store in stores:
                await opened(store, RULES)
            await bought(stores[0], range(10))
            await fold_all(stores[0])
            for turn, store, steps in ((1, stores[1], 7), (2, stores[2], 8)):  # three and six of them only read
                for start in range(30 * turn, 30 * turn + 30, 10):
                    await bought(store, range(start, start + 10))
                await begin(store)
                for _ in range(steps):
                    assert await store.fold_some()
                stands = await held(store)
                assert await end_round(stores[3]) == 0
                assert await held(store) == stands
            positions, _ = await stores[3]._read_rows()
            assert len(set(positions)) == 3
            await bought(stores[3], range(100, 110))
            stands = await held(stores[3])
            await fold_all(stores[3])
            assert await held(stores[3]) == stands
            assert len(set((await stores[3]._read_rows())[0])) == 1

    asyncio.run(check())


async def end_round(store: Any) -> int:
    """End a round that this store never began."""
    keys = store._keys
    named = [keys.meta, keys.folded, keys.changes, keys.folder]
    return int(await store._run(store._end_folding, named, [store._epoch, ITEM_SHARDS]))


def test_two_who_fold_the_same_shard_at_the_same_time(place: Any) -> None:
    """One has read the rows when another, whose round ends later, replaces them."""

    async def check() -> None:
        async with place.worker(PACE) as slow, place.worker(PACE) as fast:
            await opened(slow, RULES)
            await opened(fast, RULES)
            await bought(slow, range(20))
            await begin(slow)
            assert await slow.fold_some()
            read_rows, folded = slow._rows_of, asyncio.Event()

            async def overtaken(by_shard: dict[int, Any]) -> ItemRows:
                found: ItemRows = await read_rows(by_shard)
                if not folded.is_set():
                    folded.set()
                    await bought(fast, range(20, 60))
                    await fold_all(fast)
                return found

            slow._rows_of = overtaken
            while await slow.fold_some():
                pass
            assert folded.is_set()
            await check_everything_is_folded(fast, before=60)

    asyncio.run(check())


def test_rows_that_change_while_they_are_read_are_read_again(place: Any) -> None:
    async def check() -> None:
        async with place.worker(PACE) as folder, place.worker() as reader:
            await opened(folder, RULES)
            await opened(reader, RULES)
            await bought(folder, range(20))
            stands = await held(reader)
            read_rows, folded = reader._all_rows, asyncio.Event()

            async def overtaken(shards: range) -> list[dict[bytes, bytes]]:
                if not folded.is_set():
                    folded.set()
                    await fold_all(folder)
                found: list[dict[bytes, bytes]] = await read_rows(shards)
                return found

            reader._all_rows = overtaken
            assert await held(reader) == stands
            assert folded.is_set()

    asyncio.run(check())


def test_nobody_folds_beside_a_folder_or_before_enough_has_come_together(place: Any) -> None:
    async def check() -> None:
        pace = FoldingPace(after=20, entries=1, additions=1, alone_ms=60_000)
        async with place.worker(pace) as one, place.worker(pace) as other:
            await opened(one, RULES)
            await opened(other, RULES)
            await bought(one, range(19))
            assert not await one.fold_some()
            await bought(one, range(19, 20))
            assert await one.fold_some()
            await bought(other, range(20, 60))
            assert not await other.fold_some()
            while await one.fold_some():
                pass
            await fold_all(one)  # what came meanwhile
            assert not await one.fold_some()
            await check_everything_is_folded(one, before=60)
            assert (await one.snapshot()).rows.purchases.sum() == 60

    asyncio.run(check())


@pytest.mark.parametrize("steps", range(1, 8))
def test_a_folder_that_missed_a_clearing_changes_nothing(place: Any, steps: int) -> None:
    async def check() -> None:
        async with place.worker(PACE) as zombie, place.worker(PACE) as store:
            await opened(zombie, RULES)
            await bought(zombie, range(20))
            await begin(zombie)
            for _ in range(steps):
                await zombie.fold_some()
            await store.clear()
            await opened(store, RULES)
            await bought(store, range(100, 110))
            stands = await held(store)
            while await zombie.fold_some():
                pass
            assert await held(store) == stands
            await fold_all(store)
            assert await held(store) == stands

    asyncio.run(check())


def test_what_is_read_while_others_write_and_fold_is_of_one_moment(place: Any) -> None:
    async def check() -> None:
        async with place.worker(PACE._replace(additions=50)) as writer, place.worker() as reader:
            await opened(writer, RULES)
            await opened(reader, RULES)
            half_units = {"0-0": 0}
            mirrors: list[Mirror] = []
            done = asyncio.Event()

            async def write() -> None:
                for start in range(0, 240, 6):
                    await bought(writer, range(start, start + 6))
                    for _ in range(5):
                        await writer.fold_some()
                done.set()

            async def read() -> None:
                while not done.is_set():
                    snapshot = await reader.snapshot()
                    assert snapshot.rows.purchases.sum() == snapshot.population.purchases
                    half_units[snapshot.position] = snapshot.population.purchases
                    mirrors.append(Mirror(RULES))
                    await mirrors[-1].load(reader)

            await asyncio.gather(write(), read())
            assert len(half_units) > 1
            last = await reader.snapshot()
            assert last.population.purchases == 240
            for mirror in mirrors:
                if not await mirror.follow(reader, "reader"):
                    await mirror.load(reader)
                await check_mirror(mirror, reader)

    asyncio.run(check())


def test_a_customers_purchases_in_two_partitions_reach_the_same_rows(place: Any) -> None:
    async def check() -> None:
        async with place.worker(PACE) as one, place.worker(PACE) as other:
            await opened(one, RULES)
            await opened(other, RULES)
            for event in range(30):
                half = event % 2
                log = [purchase(event, "c", event % 3, START_MS + event)]
                await deliver((one, other)[half], (P0, P1)[half], arrivals(log, event // 2), rules=RULES)
                await (other, one)[half].fold_some()
            rows = await other.items()
            assert [ITEM_IDS[number] for number in rows.numbers] == ITEM_IDS[:3]
            assert rows.purchases.tolist() == [10, 10, 10]
            assert np.isfinite(rows.slow).all()
            assert [sorted(row) for row in rows.co_purchases] == [[1, 2], [0, 2], [0, 1]]

    asyncio.run(check())
