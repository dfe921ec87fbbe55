"""A refresher that is given another catalogue between two batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from refreshing import CATALOGUE, P0, Listing, applied, listed, made_log, one, opened

from trendloom.catalogue.garment import Catalogue
from trendloom.catalogue.neighbours import find_item_extremes
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.errors import CatalogueError
from trendloom.events import Purchase
from trendloom.refresh import Refresher
from trendloom.state.in_process import InProcessStore

#: What was sold before the last five garments came in.
LESS = 35
WAYS = pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])


def with_rows(catalogue: Catalogue, rows: Sequence[int], name: str, **manifest: object) -> Catalogue:
    """Return a catalogue of these rows of another one, all of which have photos."""
    kept = np.array(rows)
    photo_row = np.arange(len(kept), dtype=np.int32)
    vectors = catalogue.photo_embeddings[catalogue.photo_row[kept]]
    found = find_item_extremes(photo_row, vectors, None, nearest=16, farthest=8)
    return replace(
        catalogue,
        fingerprint=name,
        item_ids=[catalogue.item_ids[row] for row in rows],
        **{
            field: getattr(catalogue, field)[kept]
            for field in ("category", "gender", "product", "view_group", "transition_group", "store")
        },
        photo_row=photo_row,
        photo_embeddings=vectors,
        neighbours=found.extremes.nearest,
        neighbour_similarity=found.extremes.nearest_similarity,
        neighbour_source=found.source,
        lowest=found.extremes.farthest,
        lowest_similarity=found.extremes.farthest_similarity,
        manifest=manifest,
    )


FEW = with_rows(CATALOGUE, range(LESS), "few")


def sold(log: list[Purchase], few: int = LESS) -> list[Purchase]:
    return [purchase for purchase in log if int(purchase.item_id[-4:]) < few]


async def lists_of(refresher: Refresher, log: list[Purchase], first: int) -> list[Listing]:
    found: list[Listing] = listed(refresher, await applied(refresher, log, first))
    return found


@WAYS
def test_lists_are_those_of_a_worker_that_began_with_the_new_catalogue(compiled: bool) -> None:
    log = sold(made_log(80))
    before, after = log[:50], [*log[50:60], one(900, "new", 38), one(901, "new", 2)]

    async def check() -> None:
        stores = InProcessStore(), InProcessStore()
        taking = await opened(stores[0], catalogue=FEW, compiled=compiled)
        for store, refresher in ((stores[0], taking), (stores[1], await opened(stores[1], catalogue=FEW))):
            assert {each.told["catalogue"] for each in await lists_of(refresher, before, 0)} == {"few"}
            assert await store.item_ids() == FEW.item_ids
        await taking.take(CATALOGUE)
        assert taking.mirror.ids == CATALOGUE.item_ids  # what was there keeps its number
        fresh = await opened(stores[1], catalogue=CATALOGUE, compiled=compiled)
        got, wanted = await lists_of(taking, after, 50), await lists_of(fresh, after, 50)
        assert [each.raw for each in got] == [each.raw for each in wanted]
        assert {each.told["catalogue"] for each in got} == {CATALOGUE.fingerprint}
        assert (await stores[0].items()).purchases.tolist() == (await stores[1].items()).purchases.tolist()

    asyncio.run(check())


@WAYS
@pytest.mark.parametrize(("preset", "sold_before"), [("paper", 30), ("balanced", 0)])
def test_an_item_that_was_never_sold_is_listed_beside_its_photos_neighbour(
    preset: str, sold_before: int, compiled: bool
) -> None:
    async def check() -> None:
        refresher = await opened(InProcessStore(), catalogue=FEW, compiled=compiled, preset=preset)
        if sold_before:
            await lists_of(refresher, sold(made_log(sold_before)), 0)
        await refresher.take(CATALOGUE)
        new = range(LESS, len(CATALOGUE))
        beside = {int(CATALOGUE.neighbours[row, 0]) for row in new}
        seen: set[str] = set()
        for place, row in enumerate(sorted(beside)):
            (each,) = await lists_of(refresher, [one(500 + place, f"visitor-{place}", row)], 100 + place)
            seen |= {entry["item_id"] for entry in each.told["entries"]}
        assert seen & {CATALOGUE.item_ids[row] for row in new}

    asyncio.run(check())


@WAYS
def test_in_a_busy_shop_a_place_for_new_items_lists_one_that_was_never_sold(compiled: bool) -> None:
    """Everything else has been sold often together: without the place, nobody is shown a new item."""
    log = sold(made_log(400))

    async def seen_of(new_items: int) -> list[bool]:
        refresher = await opened(InProcessStore(), catalogue=FEW, compiled=compiled, new_items=new_items)
        await lists_of(refresher, log, 0)
        await refresher.take(CATALOGUE)
        found = []
        for place, row in enumerate(range(LESS, len(CATALOGUE))):
            beside = next(int(other) for other in CATALOGUE.neighbours[row] if 0 <= other < LESS)
            (each,) = await lists_of(refresher, [one(900 + place, f"c{place}", beside)], 500 + place)
            new = {CATALOGUE.item_ids[number] for number in range(LESS, len(CATALOGUE))}
            found.append(bool(new & {entry["item_id"] for entry in each.told["entries"]}))
        return found

    without, kept = asyncio.run(seen_of(0)), asyncio.run(seen_of(1))
    assert not any(without)
    assert all(kept)


def test_a_batch_that_is_under_way_is_listed_from_one_catalogue_only() -> None:
    async def check() -> None:
        refresher = await opened(InProcessStore(), catalogue=FEW)
        batch = await applied(refresher, sold(made_log(20)))
        await refresher.take(CATALOGUE)
        lists = listed(refresher, batch)
        assert {each.told["catalogue"] for each in lists} == {CATALOGUE.fingerprint}
        assert len(lists) == len(batch.listed)

    asyncio.run(check())


@WAYS
def test_what_was_taken_out_is_never_listed_again_however_often_it_was_bought(compiled: bool) -> None:
    gone = [3, 4, 5]
    rows = [row for row in range(len(CATALOGUE)) if row not in gone]
    without = with_rows(CATALOGUE, rows, "without", withdrawn=[CATALOGUE.item_ids[row] for row in gone])
    together = [one(number, f"c{number % 9}", (3, 7, 4, 8, 5)[number % 5]) for number in range(45)]

    async def check() -> None:
        refresher = await opened(InProcessStore(), compiled=compiled)
        (each,) = (await lists_of(refresher, [*together, one(99, "ann", 7)], 0))[-1:]
        names = {CATALOGUE.item_ids[row] for row in gone}
        assert names & {entry["item_id"] for entry in each.told["entries"]}
        await refresher.take(without)
        (each,) = await lists_of(refresher, [one(100, "bob", 7)], 100)
        shown = [entry["item_id"] for entry in each.told["entries"]]
        assert len(shown) == 5
        assert not names & set(shown)
        await refresher.take(CATALOGUE)  # and it may come back
        (each,) = await lists_of(refresher, [one(101, "eve", 7)], 101)
        assert names & {entry["item_id"] for entry in each.told["entries"]}

    asyncio.run(check())


def test_a_catalogue_that_has_no_room_in_the_state_changes_nothing() -> None:
    large = random_catalogue(150, np.random.default_rng(8))

    async def check() -> None:
        refresher = await opened(InProcessStore())
        with pytest.raises(CatalogueError, match="no room.*Action: set state.max_items"):
            await refresher.take(large)
        assert refresher.catalogue is CATALOGUE
        (each,) = await lists_of(refresher, [one(1, "ann", 7)], 0)
        assert each.told["catalogue"] == CATALOGUE.fingerprint
        before, journaled = await refresher.assigned(P0)
        assert (before, journaled) == (0, 0)

    asyncio.run(check())
