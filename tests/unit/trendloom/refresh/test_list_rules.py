"""Lists under rules: what may be listed, caps, complements and diversity, by the kernel and by numpy."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from refreshing import (
    CATALOGUE,
    RULES,
    STORES,
    Clock,
    Listing,
    applied,
    listed,
    made_log,
    one,
)

from tests.small_shop import START_MS
from trendloom.events import Purchase
from trendloom.refresh import ListRules, Refresher
from trendloom.refresh.availability import Availability
from trendloom.relevance.arrangement import Arrangement
from trendloom.relevance.presets import PRESETS
from trendloom.state.in_process import InProcessStore

WAYS = pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
LOG = made_log(150)


async def opened(rules: ListRules, *, compiled: bool) -> Refresher:
    refresher = Refresher(
        InProcessStore(),
        CATALOGUE,
        state_rules=RULES,
        list_rules=rules,
        stores=STORES,
        worker="w",
        follow_every_s=1.0,
        monotonic=Clock(),
        compiled=compiled,
    )
    await refresher.open(START_MS)
    return refresher


async def lists_of(refresher: Refresher, log: list[Purchase], first: int = 0) -> list[Listing]:
    found: list[Listing] = listed(refresher, await applied(refresher, log, first))
    return found


def items_of(lists: list[Listing]) -> list[list[str]]:
    return [[entry["item_id"] for entry in found.told["entries"]] for found in lists]


def rules(arrangement: Arrangement | None = None, *, changing: bool = False, preset: str = "balanced") -> ListRules:
    return ListRules(
        PRESETS[preset], top_k=5, arrangement=arrangement or Arrangement(pool=20), changing_availability=changing
    )


@WAYS
def test_what_is_sold_out_is_not_in_the_next_list_and_comes_back(compiled: bool) -> None:
    async def check() -> None:
        refresher = await opened(rules(changing=True), compiled=compiled)
        await lists_of(refresher, LOG)
        bought = [one(500 + n, "c1", n % 40) for n in range(4)]
        before = items_of(await lists_of(refresher, bought[:1], 150))[0]
        await refresher.allow(Availability(frozenset(before[:3])))
        without = items_of(await lists_of(refresher, bought[1:2], 151))[0]
        assert len(without) == 5
        assert not set(without) & set(before[:3])
        await refresher.allow(Availability())
        again = items_of(await lists_of(refresher, bought[2:3], 152))[0]
        assert set(again) & set(before[:3])

    asyncio.run(check())


@WAYS
def test_where_few_may_be_listed_these_are(compiled: bool) -> None:
    """More is denied than the kernel was asked for: the short lists are made anew."""

    async def check() -> None:
        refresher = await opened(rules(changing=True), compiled=compiled)
        await lists_of(refresher, LOG)
        allowed = {f"item-{number:04d}" for number in range(0, 40, 5)}
        await refresher.allow(Availability(only=frozenset(allowed)))
        found = items_of(await lists_of(refresher, [one(500 + n, f"c{n}", 1) for n in range(6)], 150))
        assert all(set(items) <= allowed for items in found)
        assert max(len(items) for items in found) >= 3

    asyncio.run(check())


@WAYS
def test_items_that_are_met_later_are_denied_too_one_after_the_other(compiled: bool) -> None:
    """The first new item makes room for many; those after it only get their numbers."""

    def sold_together(stranger: str, first: int) -> list[Purchase]:
        with_it = [one(first + n, f"{stranger}-{n}") for n in range(5)]
        strange = [Purchase.model_validate({**sold.model_dump(), "item_id": stranger}) for sold in with_it]
        return [*strange, *(one(first + 50 + n, f"{stranger}-{n}", 7) for n in range(5))]

    async def check() -> None:
        refresher = await opened(rules(changing=True), compiled=compiled)
        await refresher.allow(Availability(frozenset({"strange-0", "strange-2"})))
        for number in range(4):
            await lists_of(refresher, sold_together(f"strange-{number}", 1000 * number), 10 * number)
        found = items_of(await lists_of(refresher, [one(9999, "ann", 7)], 40))[0]
        assert set(found) & {"strange-1", "strange-3"} == {"strange-1", "strange-3"}
        assert not set(found) & {"strange-0", "strange-2"}

    asyncio.run(check())


@WAYS
def test_caps_and_complements_on_the_wire(compiled: bool) -> None:
    arrangement = Arrangement(per_product=1, per_type=2, complements=3, pool=30)

    async def check() -> None:
        refresher = await opened(rules(arrangement), compiled=compiled)
        row = CATALOGUE.row_of
        for found in await lists_of(refresher, LOG):
            kinds = [int(CATALOGUE.category[row[entry["item_id"]]]) for entry in found.told["entries"]]
            products = [int(CATALOGUE.product[row[entry["item_id"]]]) for entry in found.told["entries"]]
            assert max(Counter(kinds).values(), default=0) <= 2
            assert max(Counter(p for p in products if p >= 0).values(), default=0) <= 1

    asyncio.run(check())


@WAYS
@pytest.mark.parametrize("preset", ["balanced", "paper"])
def test_diversity_is_a_part_of_the_score_and_lists_descend(preset: str, compiled: bool) -> None:
    async def check() -> None:
        refresher = await opened(rules(Arrangement(diversity=0.5, pool=20), preset=preset), compiled=compiled)
        lists = await lists_of(refresher, LOG)
        lost = 0
        for found in lists:
            entries = found.told["entries"]
            scores = [entry["score"] for entry in entries]
            assert scores == sorted(scores, reverse=True)
            for entry in entries:
                assert sum(entry["parts"].values()) == pytest.approx(entry["score"], abs=2e-6)
                lost += entry["parts"].get("diversity", 0.0) < 0
        assert lost > len(lists)

    asyncio.run(check())


@pytest.mark.slow
def test_the_kernel_and_numpy_list_the_same_under_rules() -> None:
    arrangement = Arrangement(per_product=1, per_type=3, complements=2, diversity=0.2, pool=20)

    async def check() -> None:
        found = []
        for compiled in (False, True):
            refresher = await opened(rules(arrangement, changing=True), compiled=compiled)
            await refresher.allow(Availability(frozenset({"item-0003", "item-0011"})))
            lists = []
            for start in range(0, 150, 30):
                lists += await lists_of(refresher, LOG[start : start + 30], start)
            found.append(items_of(lists))
        assert found[0] == found[1]

    asyncio.run(check())


@WAYS
def test_places_for_new_items_beside_diversity_and_what_may_be_listed(compiled: bool) -> None:
    wanted = replace(rules(Arrangement(diversity=0.3, pool=20), changing=True), new_items=2, new_item_limit=50)

    async def check() -> None:
        refresher = await opened(wanted, compiled=compiled)
        await refresher.allow(Availability(frozenset({"item-0001", "item-0002", "item-0030"})))
        for found in await lists_of(refresher, LOG):
            entries = found.told["entries"]
            assert not {"item-0001", "item-0002", "item-0030"} & {entry["item_id"] for entry in entries}
            for entry in entries:
                assert sum(entry["parts"].values()) == pytest.approx(entry["score"], abs=2e-6)

    asyncio.run(check())


def test_without_rules_no_more_is_looked_for() -> None:
    assert rules().width == 5
    assert rules(changing=True).width == 20
    assert rules(Arrangement(per_type=1, pool=2)).width == 5
    assert rules().part_names == PRESETS["balanced"].parts
