import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from plain_fold import differences, fold_log, fold_percentiles, read_customer
from refreshing import (
    P0,
    P1,
    RULES,
    Clock,
    applied,
    arrived,
    listed,
    made_log,
    one,
    opened,
    run,
)

from trendloom.catalogue.synthetic import random_catalogue
from trendloom.errors import InputError
from trendloom.events import Purchase
from trendloom.relevance.standing import Standing
from trendloom.state.columns import Arrivals, Span
from trendloom.state.in_process import InProcessStore
from trendloom.state.store import Change, Outcome, Partition


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


def test_a_snapshot_that_waited_for_the_core_does_not_put_off_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    taken: list[float] = []

    def slowly(*told: Any) -> Standing:
        taken.append(clock.now_s)
        clock.now_s += 60.0  # others had the core
        return Standing(*told)

    async def check() -> None:
        refresher = await opened(InProcessStore(), clock=clock)  # no CPU time passes
        monkeypatch.setattr("trendloom.refresh.scorer.Standing", slowly)
        for start in range(0, 40, 4):
            clock.now_s += 1.0
            listed(refresher, await applied(refresher, [one(start + n, "ann", n) for n in range(4)], start))
        assert len(taken) >= 9

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
        arrivals = Arrivals.of(batch)
        arrivals.spans = [Span(P0, 0, 1, 2)]
        begun = await refresher.begin(arrivals)
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
