"""What every store must do, whatever it is made of; the plain fold says what is right."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from deliveries import DAY_MS, START_MS, Step, arrivals, deliver, deliveries, logs, percentile_of, purchase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_fold import differences, fold_log, read_customer

from trendloom.errors import RulesChanged, StateLost
from trendloom.events import Purchase
from trendloom.state.columns import Arrival
from trendloom.state.fold import customers_of, prepare
from trendloom.state.mirror import Mirror
from trendloom.state.rules import StateRules
from trendloom.state.store import Before, Change, Outcome, Partition, Store

P0, P1 = Partition("purchases", 0), Partition("purchases", 1)
#: A short history, so that small logs fill it; few shards, so that a cluster is quick.
RULES = StateRules(history_length=8, co_purchase_window=5, customer_shards=4)
ITEM_IDS = [f"item-{number}" for number in range(300)]
_examples = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def opened(store: Store, rules: StateRules = RULES, now_ms: int = START_MS) -> int:
    epoch = await store.open(rules, now_ms)
    await store.number_items(ITEM_IDS)
    return epoch


async def customers(store: Store) -> dict[str, bytes]:
    return {name: record async for name, record in store.customers()}


async def everything(store: Store) -> list[Any]:
    """All that a store holds, in a form that can be compared."""
    rows = await store.items()
    return [
        rows.numbers.tolist(),
        rows.purchases.tolist(),
        rows.slow.tolist(),
        rows.fast.tolist(),
        rows.co_purchases,
        await store.population(),
        await customers(store),
        await store.fences(),
        await store.journaled(P0),
        (await store.read(P0, [], journal=True)).journal,
    ]


async def check_against_plain_fold(store: Store, log: Sequence[Purchase]) -> None:
    plain = fold_log(log, history_length=RULES.history_length, window=RULES.co_purchase_window)
    rows, known = await store.items(), await customers(store)
    assert differences(plain, rows, ITEM_IDS, known, history_length=RULES.history_length) == []
    total = 0.0
    for name, history in plain.customers.items():
        expected = sum(percentile_of(int(one.item_id[5:])) for one in history)
        assert read_customer(known[name])[1] == pytest.approx(expected, abs=1e-9)
        total += expected
    population = await store.population()
    assert population.purchases == sum(plain.purchases.values())
    assert population.percentile_sum == pytest.approx(total, abs=1e-9)


def changed(before: Before, batch: Sequence[Arrival], rules: StateRules = RULES) -> Change:
    percentiles = np.array([percentile_of(arrival.item) for arrival in batch], np.float32)
    last = batch[-1].offset
    return prepare(before, batch, last_offset=last, percentiles=percentiles, prior_mean=0.5, rules=rules).change


# -- beginning and ending


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


# -- items


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


# -- batches


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


# -- bounds


def test_a_full_co_purchase_row_is_cut_by_one_rule(place: Any) -> None:
    """The rule, once more and plainly: after every 64 new pairs of a row, a row over the limit keeps its greatest."""
    rules = StateRules(history_length=20, co_purchase_keep=10, co_purchase_limit=14, customer_shards=4)

    async def check() -> None:
        async with place.worker() as store:
            await opened(store, rules)
            rng = np.random.default_rng(5)
            rows: dict[int, dict[int, int]] = {}
            offset = 0
            for _ in range(12):
                log = []
                for event in range(offset, offset + 60):
                    item = int(rng.integers(60) ** 2 // 60)
                    log.append(purchase(event, f"c{rng.integers(9)}", item, START_MS + event * 100_000))
                batch = arrivals(log, offset)
                offset += len(batch)
                before = await store.read(P0, customers_of(batch), journal=False)
                change = changed(before, batch, rules)
                _add_pairs(rows, change, keep=10, limit=14)
                assert await store.write(P0, change, worker="w", forget=[]) is Outcome.APPLIED
            found = await store.items()
            kept = {number: row for number, row in zip(found.numbers.tolist(), found.co_purchases, strict=True) if row}
            assert kept == rows
            assert max(len(row) for row in rows.values()) > 10

    asyncio.run(check())


def _add_pairs(rows: dict[int, dict[int, int]], change: Change, *, keep: int, limit: int) -> None:
    items = change.items
    for pair in zip(items.rows.tolist(), items.columns.tolist(), items.weights.tolist(), strict=True):
        for row, column, weight in (pair, (pair[1], pair[0], pair[2])):
            counts = rows.setdefault(row, {})
            counts[column] = counts.get(column, 0) + weight
            if len(counts) > limit:
                best = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:keep]
                counts.clear()
                counts.update(best)


# -- two workers


def test_mirrors_of_two_workers_end_equal_to_the_store(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as one, place.worker() as other:
            mirrors, stores = [], [one, other]
            for store in stores:
                await opened(store)
                mirror = Mirror(RULES)
                await mirror.load(store)
                mirrors.append(mirror)
            rng = np.random.default_rng(3)
            offsets = [0, 0]
            for turn in range(14):
                who = int(rng.integers(2))
                events = range(1000 * who + offsets[who], 1000 * who + offsets[who] + 5)
                log = [
                    purchase(event, f"c{who}{event % 3}", int(rng.integers(30)), START_MS + event * DAY_MS // 20)
                    for event in events
                ]
                batch = arrivals(log, offsets[who])
                offsets[who] += 5
                done = await deliver(stores[who], (P0, P1)[who], batch, rules=RULES, worker=f"w{who}")
                mirrors[who].advance(done.change.items)
                if turn % 4 == 3:
                    await mirrors[who].follow(stores[who], f"w{who}")
            for who in (0, 1):
                await mirrors[who].follow(stores[who], f"w{who}")
                await check_mirror(mirrors[who], stores[who])
                assert not await mirrors[who].follow(stores[who], f"w{who}")

    asyncio.run(check())


async def check_mirror(mirror: Mirror, store: Store) -> None:
    rows = await store.items()
    numbers = rows.numbers
    assert mirror.ids == await store.item_ids()
    assert mirror.purchases[numbers].tolist() == rows.purchases.tolist()
    np.testing.assert_allclose(mirror.slow[numbers], rows.slow, rtol=1e-12)
    np.testing.assert_allclose(mirror.fast[numbers], rows.fast, rtol=1e-12)
    assert [mirror.co.row(number) for number in numbers.tolist()] == rows.co_purchases
    assert mirror.purchases.sum() == rows.purchases.sum()
    population = await store.population()
    assert mirror.population.purchases == population.purchases
    assert mirror.population.percentile_sum == pytest.approx(population.percentile_sum, abs=1e-9)


def test_who_missed_too_much_reads_all_again(place: Any) -> None:
    """The list of touched items is bounded: who is further behind is told so, from its very beginning on."""
    batches = {"in_process": 300, "cluster": 0}.get(place.kind, 4_400)
    if not batches:
        pytest.skip("the stream is the same as on one Redis, and 4,400 batches take long")

    async def check() -> None:
        async with place.worker() as store, place.worker() as second:
            await opened(store)
            await opened(second)
            late = Mirror(RULES)
            await late.load(second)
            early = (await second.touched(None, "second")).position
            for event in range(batches):
                before = Before(START_MS, event - 1, [None])
                one = arrivals([purchase(event, f"c{event}", event % 7)], event)
                assert await store.write(P0, changed(before, one), worker="w", forget=[event - 1]) is Outcome.APPLIED
                if event == 20:
                    middle = (await second.touched(None, "second")).position
            assert not (await second.touched(early, "second")).complete
            assert not (await second.touched(middle, "second")).complete
            assert await late.follow(second, "second")
            await check_mirror(late, second)

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
