"""Lists from trees in a worker: they explain themselves; under lag the linear form stands in and says so."""

from __future__ import annotations

import asyncio
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("numba", reason="the extra fast is not installed")

from refreshing import P0, RULES, arrived, made_log

from trendloom.catalogue.synthetic import random_catalogue
from trendloom.events import RecommendationList
from trendloom.refresh import LearnedRules, ListRules, Refresher
from trendloom.relevance.learned.forest import Forest
from trendloom.relevance.learned.signals import PARTS, SIGNALS
from trendloom.relevance.presets import PRESETS
from trendloom.state.in_process import InProcessStore

pytestmark = pytest.mark.timeout(300)  # the first one compiles the kernels

CATALOGUE = random_catalogue(40, np.random.default_rng(3))
NOW_MS = 1_700_000_000_000


def by(signal: str, threshold: float, above: float = 1.0) -> Forest:
    return Forest(
        np.array([SIGNALS.index(signal), -1, -1], np.int32),
        np.array([threshold, 0.0, 0.0]),
        np.array([1, 0, 0], np.int32),
        np.array([2, 0, 0], np.int32),
        np.array([0.25, 0.0, above]),
        np.array([0], np.int32),
    )


async def opened(store: InProcessStore, *, linear_above_ms: float = 1_000.0) -> Refresher:
    learned = LearnedRules(PRESETS["learned"], by("purchases", 1.5), linear_above_ms)
    refresher = Refresher(
        store,
        CATALOGUE,
        state_rules=RULES,
        list_rules=ListRules(PRESETS["balanced"], top_k=5, learned=learned),
        stores={},
        worker="w",
        follow_every_s=1.0,
        monotonic=lambda: 0.0,
        compiled=True,
    )
    await refresher.open(0)
    return refresher


async def lists_of(
    refresher: Refresher, size: int, *, waited_ms: int | None, batch: int = 20
) -> list[RecommendationList]:
    log, told = made_log(size), []
    for start in range(0, size, batch):
        part = log[start : start + batch]
        arrivals = await arrived(refresher, part, start)
        done = await refresher.apply(P0, arrivals, first_offset=start, last_offset=start + len(part) - 1)
        sent = [None if waited_ms is None else NOW_MS - waited_ms] * len(done.listed)
        raws = await refresher.lists(done, done.listed, sent, NOW_MS)
        refresher.settle(done)
        told += [RecommendationList.model_validate_json(raw) for raw in raws]
    return told


def test_lists_of_trees_name_their_preset_and_their_parts() -> None:
    async def check() -> None:
        told = await lists_of(await opened(InProcessStore()), 120, waited_ms=3)
        assert {one.preset for one in told} == {"learned"}
        entries = [entry for one in told for entry in one.entries]
        assert len(entries) > 300
        for entry in entries:
            assert set(entry.parts) <= set(PARTS)
            assert sum(entry.parts.values()) == pytest.approx(entry.score, abs=1e-6)
        assert {entry.score for entry in entries} == {0.0, 1.0}

    asyncio.run(check())


def test_trees_hear_whether_a_purchase_was_made_in_a_store_and_how_often_items_are() -> None:
    async def check() -> None:
        refresher = await opened(InProcessStore())
        log = {str(one.event_id): one for one in made_log(120)}  # some are sent twice
        in_store = Counter(one.item_id for one in log.values() if one.store_id is not None)
        assert 0 < in_store.total() < len(log)
        await refresher.take_forest(by("in_store_now", 0.5))
        told = {str(one.cause.event_id): one for one in await lists_of(refresher, 120, waited_ms=0)}
        assert len(told) == len(log)
        for event_id, one in told.items():
            assert {entry.score for entry in one.entries} <= {1.0 if log[event_id].store_id is not None else 0.0}
        number_of, counted = refresher.mirror.number_of, refresher.mirror.in_store
        assert {name: in_store[name] for name in number_of} == {name: counted[at] for name, at in number_of.items()}

    asyncio.run(check())


def test_purchases_that_waited_too_long_get_the_linear_form_which_says_so() -> None:
    async def check() -> None:
        refresher = await opened(InProcessStore())
        late = await lists_of(refresher, 60, waited_ms=1_500)
        assert {one.preset for one in late} == {"balanced"}
        linear = Refresher(
            InProcessStore(),
            CATALOGUE,
            state_rules=RULES,
            list_rules=ListRules(PRESETS["balanced"], top_k=5),
            stores={},
            worker="w",
            follow_every_s=1.0,
            monotonic=lambda: 0.0,
            compiled=True,
        )
        await linear.open(0)
        expected = await lists_of(linear, 60, waited_ms=0)
        assert [one.entries for one in late] == [one.entries for one in expected]

    asyncio.run(check())


def test_without_send_times_nobody_is_late() -> None:
    async def check() -> None:
        told = await lists_of(await opened(InProcessStore(), linear_above_ms=0.0), 40, waited_ms=None)
        assert {one.preset for one in told} == {"learned"}

    asyncio.run(check())


def test_other_trees_are_taken_up_between_batches() -> None:
    async def check() -> None:
        refresher = await opened(InProcessStore())
        await lists_of(refresher, 60, waited_ms=0)
        await refresher.take_forest(by("purchases", 1.5, above=7.0))
        *_, done = [await refresher.current(f"c{number}") for number in range(3)]
        assert set(np.unique(done[2].scores)) <= {0.0, 7.0}

    asyncio.run(check())


def test_a_worker_that_starts_again_lists_as_before() -> None:
    async def check() -> None:
        store = InProcessStore()
        first = await opened(store)
        await lists_of(first, 100, waited_ms=0)
        again = await opened(store)
        for number in range(4):
            one, other = [await each.current(f"c{number}") for each in (first, again)]
            assert one[2].items.tolist() == other[2].items.tolist()

    asyncio.run(check())
