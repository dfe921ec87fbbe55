"""Batches, in every store: applied once or refused whole, however delivered; the plain fold says what is right."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import numpy as np
from deliveries import START_MS, Step, arrivals, deliver, deliveries, logs, percentile_of, purchase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_fold import fold_log, read_customer
from store_checks import (
    ITEM_IDS,
    P0,
    P1,
    RULES,
    changed,
    check_against_plain_fold,
    customers,
    everything,
    opened,
)

from trendloom.events import Purchase
from trendloom.state.fold import customers_of, prepare
from trendloom.state.store import Outcome

_examples = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_a_write_is_refused_whole_when_the_fence_has_moved(place: Any) -> None:
    """A zombie and its successor prepare from the same fence: exactly one applies."""

    async def check() -> None:
        async with place.worker() as zombie, place.worker() as successor:
            await opened(zombie)
            await opened(successor)
            batch = arrivals([purchase(1), purchase(2, "c1", 3)])
            shorter = changed(await zombie.read(P0, customers_of(batch[:1]), journal=False), batch[:1])
            longer = changed(await successor.read(P0, customers_of(batch), journal=False), batch)
            assert await successor.write(P0, longer, worker="s", forget=[]) is Outcome.APPLIED
            stands = await everything(successor)
            assert await zombie.write(P0, shorter, worker="z", forget=[1]) is Outcome.FENCE_MOVED
            assert await zombie.write(P0, longer, worker="z", forget=[1]) is Outcome.FENCE_MOVED
            assert await everything(successor) == stands

    asyncio.run(check())


def test_two_writers_at_once_apply_a_batch_once(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as one, place.worker() as other:
            await opened(one)
            await opened(other)
            log = [purchase(event, f"c{event % 5}", event % 4, START_MS + event) for event in range(20)]
            for start in range(0, 20, 5):
                batch = arrivals(log[start : start + 5], start)
                before = [await store.read(P0, customers_of(batch), journal=False) for store in (one, other)]
                outcomes = await asyncio.gather(
                    one.write(P0, changed(before[0], batch), worker="a", forget=[]),
                    other.write(P0, changed(before[1], batch), worker="b", forget=[]),
                )
                assert Outcome.APPLIED in outcomes
            await check_against_plain_fold(one, log)

    asyncio.run(check())


def test_a_customer_who_moved_is_never_overwritten(place: Any) -> None:
    """Both partitions hold purchases of one customer; the second batch was prepared before the first was applied."""

    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            first, second = arrivals([purchase(1, item=1)]), arrivals([purchase(2, item=2), purchase(3, "c1", 4)])
            stale = changed(await store.read(P1, customers_of(second), journal=False), second)
            await deliver(store, P0, first, rules=RULES)
            stands = await everything(store)
            assert await store.write(P1, stale, worker="w", forget=[]) is Outcome.CUSTOMER_MOVED
            if place.kind != "cluster":  # there, the batch was noted, so it is prepared anew at once
                assert await everything(store) == stands
            listed = (await deliver(store, P1, second, rules=RULES)).listed
            assert [(one.arrival.purchase.customer_id, one.number) for one in listed] == [("c0", 2), ("c1", 1)]
            await check_against_plain_fold(store, [one.purchase for one in [*first, *second]])

    asyncio.run(check())


def test_one_event_in_two_partitions_counts_once(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            await deliver(store, P0, arrivals([purchase(1)]), rules=RULES)
            again = await deliver(store, P1, arrivals([purchase(1)]), rules=RULES)
            assert (again.tally.new, again.tally.duplicates) == (0, 1)
            assert await store.fences() == {P0: 0, P1: 0}
            await check_against_plain_fold(store, [purchase(1)])

    asyncio.run(check())


def test_an_empty_batch_moves_the_fence(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            before = await store.read(P0, [], journal=False)
            nothing = prepare(
                before, [], last_offset=9, percentiles=np.empty(0, np.float32), prior_mean=0.5, rules=RULES
            ).change
            assert await store.write(P0, nothing, worker="w", forget=[]) is Outcome.APPLIED
            assert (await store.read(P0, [], journal=True)).fence == 9
            assert await store.journaled(P0) == []

    asyncio.run(check())


def test_a_fence_is_set_only_where_there_is_none(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            await store.set_fence(P0, 41)
            await store.set_fence(P0, 7)
            assert await store.fences() == {P0: 41}
            await deliver(store, P0, arrivals([purchase(1)], 42), rules=RULES)
            assert await store.fences() == {P0: 42}

    asyncio.run(check())


def test_journals_are_kept_until_they_are_forgotten(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            log = [purchase(event, item=event) for event in range(6)]
            await deliver(store, P0, arrivals(log[:2]), rules=RULES)
            await deliver(store, P0, arrivals(log[2:4], 2), rules=RULES)
            assert await store.journaled(P0) == [1, 3]
            journal = (await store.read(P0, [], journal=True)).journal
            assert {offset: (entry.number, entry.percentile) for offset, entry in journal.items()} == {
                offset: (offset + 1, percentile_of(offset)) for offset in range(4)
            }
            assert (await store.read(P0, [], journal=False)).journal == {}
            await deliver(store, P0, arrivals(log[4:], 4), rules=RULES, forget=[1])
            assert await store.journaled(P0) == [3, 5]

    asyncio.run(check())


def test_what_is_delivered_again_is_listed_as_it_was(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            batch = arrivals([purchase(event, f"c{event % 2}", event, START_MS + event) for event in range(6)])
            first = await deliver(store, P0, batch, rules=RULES)
            await deliver(store, P0, arrivals([purchase(9, "c0", 5)], 6), rules=RULES)
            again = await deliver(store, P0, batch, rules=RULES)
            assert again.listed == first.listed
            assert (again.tally.repeated, again.tally.new) == (6, 0)

    asyncio.run(check())


@_examples
@given(log=logs(), plan=deliveries())
def test_any_delivery_gives_the_plain_fold(place: Any, log: list[Purchase], plan: list[Step]) -> None:
    """Any split, any re-delivery of any suffix, any duplicate within the horizon; workers come and go in between."""
    state = place.elsewhere()

    async def check() -> None:
        records, at = arrivals(log), 0
        async with state.worker() as store:
            await opened(store)
        for step in [*plan, Step(0, len(records))]:
            async with state.worker() as store:
                await store.open(RULES, START_MS)
                at = max(at - step.back, 0)
                batch = records[at : at + step.size]
                if batch:
                    await deliver(store, P0, batch, rules=RULES)
                at += len(batch)
        async with state.worker() as store:
            await store.open(RULES, START_MS)
            await check_against_plain_fold(store, log)

    asyncio.run(check())


@_examples
@given(log=logs(), size=st.integers(1, 9), twice=st.sets(st.integers(0, 5)))
def test_a_write_whose_answer_was_lost_is_refused_the_second_time(
    place: Any, log: list[Purchase], size: int, twice: set[int]
) -> None:
    state = place.elsewhere()

    async def check() -> None:
        async with state.worker() as store:
            await opened(store)
            records = arrivals(log)
            for place_, start in enumerate(range(0, len(records), size)):
                batch = records[start : start + size]
                change = changed(await store.read(P0, customers_of(batch), journal=False), batch)
                assert await store.write(P0, copy.deepcopy(change), worker="w", forget=[]) is Outcome.APPLIED
                if place_ in twice:
                    assert await store.write(P0, change, worker="w", forget=[]) is Outcome.FENCE_MOVED
            await check_against_plain_fold(store, log)

    asyncio.run(check())


@_examples
@given(
    log=logs(),
    partition_of=st.lists(st.integers(0, 1), min_size=40, max_size=40),
    turns=st.lists(st.integers(0, 1), max_size=40),
)
def test_one_customer_in_two_partitions_is_counted_exactly(
    place: Any, log: list[Purchase], partition_of: list[int], turns: list[int]
) -> None:
    """Order between partitions is not promised; counts are."""
    state = place.elsewhere()

    async def check() -> None:
        async with state.worker() as store:
            await opened(store)
            events = list({one.event_id: one for one in log}.values())
            halves = [arrivals([one for at, one in enumerate(events) if partition_of[at] == half]) for half in (0, 1)]
            taken = [0, 0]
            for turn in [*turns, *[0] * 40, *[1] * 40]:
                batch = halves[turn][taken[turn] : taken[turn] + 2]
                if batch:
                    await deliver(store, (P0, P1)[turn], batch, rules=RULES)
                taken[turn] += len(batch)
            plain = fold_log(events)
            rows = await store.items()
            bought = {ITEM_IDS[n]: int(count) for n, count in zip(rows.numbers, rows.purchases, strict=True)}
            assert bought == plain.purchases
            numbers = {name: read_customer(record)[0] for name, record in (await customers(store)).items()}
            assert numbers == {name: len(history) for name, history in plain.customers.items()}

    asyncio.run(check())
