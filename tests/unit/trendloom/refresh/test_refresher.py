import asyncio
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
import pytest
from deliveries import DAY_MS, START_MS
from plain_fold import differences, fold_log, fold_percentiles, read_customer

from trendloom.catalogue.garment import Catalogue
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.errors import InputError, StateLost
from trendloom.events import Purchase
from trendloom.refresh import Applied, ListRules, Refresher
from trendloom.relevance.presets import PRESETS
from trendloom.state.columns import Arrival
from trendloom.state.in_process import InProcessStore
from trendloom.state.rules import StateRules
from trendloom.state.store import Change, Outcome, Partition

RULES = StateRules(history_length=6, co_purchase_window=4, max_items=100)
P0, P1 = Partition("purchases", 0), Partition("purchases", 1)
STORES = {f"store-{number}": (50.0 + number, 10.0) for number in range(1, 6)}
CATALOGUE = random_catalogue(40, np.random.default_rng(3))
NOW_MS = START_MS + 30 * DAY_MS


class Listing(NamedTuple):
    """A list as it would be published."""

    raw: bytes
    told: dict[str, Any]


class Clock:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def made_log(count: int, *, seed: int = 5, customers: int = 6) -> list[Purchase]:
    rng = np.random.default_rng(seed)
    log: list[Purchase] = []
    for number in range(count):
        if number > 3 and rng.random() < 0.1:
            log.append(log[-int(rng.integers(1, 4))])  # sent twice
            continue
        log.append(one(number, f"c{rng.integers(customers)}", int(rng.geometric(0.1)) % 40, START_MS + number * 10**7))
    return log


def one(event: int, customer: str = "ann", item: int = 0, at_ms: int = START_MS) -> Purchase:

    return Purchase(
        schema_version=1,
        event_id=uuid.uuid5(uuid.NAMESPACE_OID, str(event)),
        customer_id=customer,
        item_id=f"item-{item:04d}",
        occurred_at=at_ms,
        store_id="store-1" if event % 2 else None,
    )


async def opened(
    store: InProcessStore,
    *,
    worker: str = "w",
    catalogue: Catalogue = CATALOGUE,
    clock: Clock | None = None,
    compiled: bool = False,
    preset: str = "balanced",
    new_items: int = 0,
) -> Refresher:
    refresher = Refresher(
        store,
        catalogue,
        state_rules=RULES,
        list_rules=ListRules(PRESETS[preset], top_k=5, new_items=new_items),
        stores=STORES,
        worker=worker,
        follow_every_s=1.0,
        monotonic=clock or Clock(),
        compiled=compiled,
    )
    await refresher.open(START_MS)
    return refresher


async def arrived(refresher: Refresher, log: Sequence[Purchase], first: int = 0) -> list[Arrival]:
    numbers = await refresher.number([bought.item_id for bought in log])
    return [Arrival(first + at, bought, int(numbers[at])) for at, bought in enumerate(log)]


async def applied(refresher: Refresher, log: Sequence[Purchase], first: int = 0, partition: Partition = P0) -> Applied:
    batch = await arrived(refresher, log, first)
    return await refresher.apply(partition, batch, first_offset=first, last_offset=first + len(log) - 1)


def listed(refresher: Refresher, batch: Applied) -> list[Listing]:
    top = refresher.score(batch)
    raws = refresher.encode(batch, top, [None] * len(batch.listed), NOW_MS)
    refresher.settle(batch)
    return [Listing(raw, orjson.loads(raw)) for raw in raws]


async def run(
    log: Sequence[Purchase], size: int, *, store: InProcessStore | None = None, compiled: bool = False
) -> list[Listing]:
    refresher = await opened(store or InProcessStore(), compiled=compiled)
    lists = []
    for start in range(0, len(log), size):
        lists += listed(refresher, await applied(refresher, log[start : start + size], start))
    return lists


@pytest.mark.parametrize("size", [1, 7, 200])
def test_batches_of_any_size_give_the_state_of_a_plain_fold(size: int) -> None:
    """Only percentiles depend on where batches begin: the totals say what the lists say."""
    log = made_log(120)

    async def check() -> None:
        store = InProcessStore()
        lists = await run(log, size, store=store)
        customers = {name: record async for name, record in store.customers()}
        plain = fold_log(log, history_length=RULES.history_length, window=RULES.co_purchase_window)
        assert plain.duplicates > 5
        rows = await store.items()
        assert differences(plain, rows, await store.item_ids(), customers, history_length=RULES.history_length) == []
        said = fold_percentiles(
            (each.told["customer_id"], each.told["version"]["number"], each.told["percentile"]) for each in lists
        )
        kept = {name: read_customer(record)[:2] for name, record in customers.items()}
        assert said.keys() == kept.keys()
        for name, (number, total) in kept.items():
            assert said[name] == (number, pytest.approx(total, abs=1e-6))  # lists carry float32 percentiles
        population = await store.population()
        assert population.percentile_sum == pytest.approx(sum(total for _, total in kept.values()), abs=1e-9)

    asyncio.run(check())


@pytest.mark.parametrize("stop", [14, 17, 20, 39, 41])
def test_a_list_knows_nothing_of_later_purchases(stop: int) -> None:
    """A log that ends here, or goes on otherwise, gives the same lists up to here: batches begin at the same places."""
    log, size = made_log(60), 7
    otherwise = log[:stop] + made_log(60, seed=99)[stop:]

    async def check() -> None:
        whole = {each.told["cause"]["offset"]: each.raw for each in await run(log, size)}
        for other in (log[:stop], otherwise):
            found = {each.told["cause"]["offset"]: each.raw for each in await run(other, size)}
            upto = [offset for offset in whole if offset < stop]
            assert len(upto) > 10
            assert [found[offset] for offset in upto] == [whole[offset] for offset in upto]

    asyncio.run(check())


def test_a_list_knows_the_batches_before_its_own() -> None:
    """Otherwise the test above would hold for lists that know nothing at all."""
    log = [one(event, f"c{event}", 3) for event in range(8)] + [one(20, "ann", 3), one(21, "ann", 4)]

    async def check() -> None:
        split, whole = await run(log, 8), await run(log, 10)
        assert [each.told["percentile"] for each in whole] == [whole[0].told["percentile"]] * 10
        assert split[8].told["percentile"] > whole[8].told["percentile"]
        assert split[9].told["trendiness"] != whole[9].told["trendiness"]

    asyncio.run(check())


def test_nobody_is_shown_what_they_have_bought() -> None:
    async def check() -> None:
        for each in await run(made_log(60), 7):
            assert len(each.told["entries"]) == 5
            assert each.told["cause"]["item_id"] not in {entry["item_id"] for entry in each.told["entries"]}

    asyncio.run(check())


def test_the_next_batch_is_prepared_from_what_is_settled_by_then() -> None:
    async def check() -> None:
        refresher = await opened(InProcessStore())
        first = await applied(refresher, [one(event, f"c{event}", 3) for event in range(5)])
        second = await applied(refresher, [one(9, "ann", 3), one(10, "c1", 4)], 5)
        before, after = listed(refresher, first), listed(refresher, second)
        third = listed(refresher, await applied(refresher, [one(11, "ann", 3)], 7))
        assert before[0].told["percentile"] == after[0].told["percentile"] < third[0].told["percentile"]
        assert [each.told["version"]["number"] for each in (*after, *third)] == [1, 2, 2]
        assert refresher.mirror.purchases[[3, 4]].tolist() == [7, 1]

    asyncio.run(check())


def test_a_batch_is_scored_while_it_is_being_written() -> None:
    class Slow(InProcessStore):
        """Writes when it is told to."""

        def __init__(self) -> None:
            super().__init__()
            self.go = asyncio.Event()

        async def write(self, partition: Partition, change: Change, *, worker: str, forget: Sequence[int]) -> Outcome:
            await self.go.wait()
            return await super().write(partition, change, worker=worker, forget=forget)

    async def check() -> None:
        store = Slow()
        refresher = await opened(store)
        batch = await arrived(refresher, [one(1), one(2, "bob", 2)])
        begun = await refresher.begin(P0, batch, first_offset=0, last_offset=1)
        assert refresher.score(begun).items.shape == (2, 5)
        assert await store.fences() == {}
        store.go.set()
        assert not await begun.written()
        assert await store.fences() == {P0: 1}

    asyncio.run(check())


def test_a_batch_is_scored_from_the_items_before_it_even_if_the_store_is_ahead() -> None:
    async def check() -> None:
        refresher = await opened(InProcessStore())
        batch = await applied(refresher, [one(1, "ann", 1), one(2, "ann", 2), one(3, "bob", 1)])
        assert refresher.mirror.purchases.sum() == 0
        top = refresher.score(batch)
        assert "co_purchase" in top.part_names
        assert not top.parts[:, :, top.part_names.index("co_purchase")].any()
        refresher.settle(batch)
        assert refresher.mirror.purchases.sum() == 3
        assert refresher.mirror.co.row(1) == {2: 2}

    asyncio.run(check())


def test_a_batch_that_comes_again_is_listed_again_and_changes_nothing() -> None:
    log = made_log(14)

    async def check() -> None:
        store = InProcessStore()
        refresher = await opened(store)
        first = listed(refresher, await applied(refresher, log[:7]))
        listed(refresher, await applied(refresher, log[7:], 7))
        held = (await store.items()).purchases.tolist(), await store.population()
        batch = await applied(refresher, log[:7])
        assert batch.tally.new == 0
        versions = [
            [(each.told["version"], each.told["percentile"], each.told["trendiness"]) for each in lists]
            for lists in (first, listed(refresher, batch))
        ]
        assert versions[0] == versions[1][: len(first)]
        assert ((await store.items()).purchases.tolist(), await store.population()) == held
        assert refresher.mirror.purchases.sum() == sum(held[0])

    asyncio.run(check())


def test_journals_are_kept_until_their_batch_is_committed() -> None:
    async def check() -> None:
        store = InProcessStore()
        refresher = await opened(store)
        assert await refresher.assigned(P0) == (-1, None)
        for first in range(3):
            listed(refresher, await applied(refresher, [one(first, item=first)], first))
        assert await store.journaled(P0) == [0, 1, 2]
        refresher.committed(P0, 1)
        listed(refresher, await applied(refresher, [one(3, item=3)], 3))
        assert await store.journaled(P0) == [2, 3]
        refresher.revoked(P0)
        heir = await opened(store, worker="heir")
        assert await heir.assigned(P0) == (3, 2)
        heir.committed(P0, 3)
        listed(heir, await applied(heir, [one(4, item=4)], 4))
        assert await store.journaled(P0) == [4]

    asyncio.run(check())


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


def test_workers_on_one_store_see_each_others_purchases_after_a_while() -> None:
    async def check() -> None:
        store, clock = InProcessStore(), Clock()
        one_worker, other = await opened(store, worker="a"), await opened(store, worker="b", clock=clock)
        listed(one_worker, await applied(one_worker, [one(event, f"c{event}", 7) for event in range(4)]))
        listed(other, await applied(other, [one(9, "ann", 8)], 0, P1))
        assert other.mirror.purchases[7] == 0
        clock.now_s = 1.5
        listed(other, await applied(other, [one(10, "bob", 8)], 1, P1))
        assert other.mirror.purchases[[7, 8]].tolist() == [4, 2]

    asyncio.run(check())


def test_items_that_the_catalogue_does_not_know_are_counted_and_recommended_by_co_purchase() -> None:
    strange = Purchase.model_validate({**one(1, "ann").model_dump(), "item_id": "stranger"})
    basket = [Purchase.model_validate({**strange.model_dump(), "customer_id": f"c{n}"}) for n in range(5)]
    basket += [one(50 + n, f"c{n}", 7) for n in range(5)]

    async def check() -> None:
        store = InProcessStore()
        refresher = await opened(store)
        listed(refresher, await applied(refresher, basket))
        found = listed(refresher, await applied(refresher, [one(99, "ann", 7)], len(basket)))
        parts = {entry["item_id"]: entry["parts"] for entry in found[0].told["entries"]}
        assert "stranger" in parts
        assert parts["stranger"]["co_purchase"] > 0
        assert (await store.item_ids())[40:] == ["stranger"]

    asyncio.run(check())


@pytest.mark.parametrize("size", [1, 30])
def test_compiled_lists_are_those_of_numpy_and_the_state_is_the_same(size: int) -> None:
    """Batch after batch, an item among them that the catalogue learns of on the way."""
    log = made_log(150)
    strange = Purchase.model_validate({**one(997, "c1", 7).model_dump(), "item_id": "stranger"})
    log = [*log[:60], strange, *log[60:]]

    async def check() -> None:
        ours, theirs = InProcessStore(), InProcessStore()
        compiled = await run(log, size, store=ours, compiled=True)
        reference = await run(log, size, store=theirs)
        assert len(compiled) == len(reference)
        for one_list, other in zip(compiled, reference, strict=True):
            assert one_list.told["percentile"] == other.told["percentile"]
            found, wanted = one_list.told["entries"], other.told["entries"]
            assert [entry["item_id"] for entry in found] == [entry["item_id"] for entry in wanted]
            for entry, same in zip(found, wanted, strict=True):
                assert entry["parts"] == pytest.approx(same["parts"], abs=2e-6)
        assert {name async for name in ours.customers()} == {name async for name in theirs.customers()}

    asyncio.run(check())


def test_the_present_list_of_a_customer_changes_nothing() -> None:
    async def check() -> None:
        store = InProcessStore()
        refresher = await opened(store)
        listed(refresher, await applied(refresher, [one(1, "ann", 1), one(2, "bob", 2), one(3, "ann", 3)]))
        number, trend, top = await refresher.current("ann")
        assert number == 2
        assert 0.0 <= trend <= 1.0
        assert top.items.shape == (1, 5)
        assert not {1, 3} & set(top.items[0].tolist())
        again = await refresher.current("ann")
        assert again[:2] == (number, trend)
        assert again[2].items.tolist() == top.items.tolist()
        assert (await store.population()).purchases == 3
        with pytest.raises(InputError, match=r"knows no customer 'zoe'. Action: "):
            await refresher.current("zoe")

    asyncio.run(check())


def test_a_batch_without_usable_records_moves_the_fence() -> None:
    async def check() -> None:
        store = InProcessStore()
        refresher = await opened(store)
        batch = await refresher.apply(P0, [], first_offset=0, last_offset=4)
        assert len(batch.listed) == 0
        refresher.settle(batch)
        assert await store.fences() == {P0: 4}
        assert await store.journaled(P0) == []

    asyncio.run(check())


def test_a_catalogue_larger_than_the_state_may_be_is_refused() -> None:
    with pytest.raises(ValueError, match="room for 100 items, the catalogue holds 120"):
        asyncio.run(opened(InProcessStore(), catalogue=random_catalogue(120, np.random.default_rng(1))))
