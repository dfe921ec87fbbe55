"""Batches of several partitions, in every store that takes them: all of them applied at once, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from deliveries import arrivals, deliver, percentile_of, purchase
from store_checks import P0, P1, RULES, check_against_plain_fold, everything, opened

from trendloom.events import Purchase
from trendloom.state.columns import Arrivals, Span
from trendloom.state.compiled_fold import prepare_joined
from trendloom.state.fold import Prepared
from trendloom.state.store import Outcome, Part, Partition, Store

FIRST, SECOND = [purchase(1, "ann", 3), purchase(2, "bob", 4)], [purchase(3, "eve", 3), purchase(4, "eve", 4)]


def batch_of(*logs: tuple[Partition, Sequence[Purchase], int]) -> Arrivals:
    arrived = [arrival for _, log, first in logs for arrival in arrivals(log, first)]
    return Arrivals(
        [arrival.offset for arrival in arrived],
        [arrival.purchase for arrival in arrived],
        np.array([arrival.item for arrival in arrived], np.int64),
        [Span(partition, first, first + len(log) - 1, len(log)) for partition, log, first in logs],
    )


async def prepared(store: Store, batch: Arrivals) -> tuple[Prepared, list[Part]]:
    if not store.joins_partitions:
        pytest.skip("this store takes partitions one by one")
    seen = await store.read_joined([span.partition for span in batch.spans], batch.names)
    percentiles = np.array([percentile_of(item) for item in batch.items.tolist()], np.float32)
    return prepare_joined(seen, batch, percentiles=percentiles, prior_mean=0.5, rules=RULES)


def test_partitions_are_applied_together(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            change, parts = await prepared(store, batch_of((P0, FIRST, 0), (P1, SECOND, 5)))
            assert [part.expected_fence for part in parts] == [-1, -1]
            assert await store.write_joined(parts, change.change, worker="w") is Outcome.APPLIED
            assert await store.fences() == {P0: 1, P1: 6}
            journals = [sorted((await store.read(at, [], journal=True)).journal) for at in (P0, P1)]
            assert journals == [[0, 1], [5, 6]]
            assert (await store.read_joined([P1, P0], ["eve", "nobody"])).fences == [6, 1]
            await check_against_plain_fold(store, [*FIRST, *SECOND])
            more, next_parts = await prepared(store, batch_of((P1, [purchase(5, "ann", 9)], 7), (P0, [], 2)))
            next_parts = [part._replace(forget=[part.expected_fence]) for part in next_parts]
            assert await store.write_joined(next_parts, more.change, worker="w") is Outcome.APPLIED
            assert ([await store.journaled(at) for at in (P0, P1)], await store.fences()) == (
                [[], [7]],
                {P0: 1, P1: 7},
            )
            await check_against_plain_fold(store, [*FIRST, *SECOND, purchase(5, "ann", 9)])

    asyncio.run(check())


@pytest.mark.parametrize("moved", [P0, P1])
def test_one_fence_that_has_moved_refuses_all(place: Any, moved: Partition) -> None:
    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            change, parts = await prepared(store, batch_of((P0, FIRST, 0), (P1, SECOND, 0)))
            await deliver(store, moved, arrivals([purchase(9, "zoe", 1)]), rules=RULES)
            stands = await everything(store)
            assert await store.write_joined(parts, change.change, worker="w") is Outcome.FENCE_MOVED
            assert await everything(store) == stands

    asyncio.run(check())


def test_a_customer_who_has_moved_refuses_all(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            elsewhere = Partition("purchases", 2)
            change, parts = await prepared(store, batch_of((P0, FIRST, 0), (P1, SECOND, 0)))
            await deliver(store, elsewhere, arrivals([purchase(9, "eve", 1)]), rules=RULES)
            stands = await everything(store)
            assert await store.write_joined(parts, change.change, worker="w") is Outcome.CUSTOMER_MOVED
            assert await everything(store) == stands

    asyncio.run(check())


def test_another_epoch_refuses_all(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            change, parts = await prepared(store, batch_of((P0, FIRST, 0), (P1, SECOND, 0)))
            await store.clear()
            await opened(store)
            assert await store.write_joined(parts, change.change, worker="w") is Outcome.EPOCH_MOVED
            assert await store.fences() == {}

    asyncio.run(check())


def test_a_store_that_takes_partitions_one_by_one_says_so(place: Any) -> None:
    async def check() -> None:
        async with place.worker() as store:
            await opened(store)
            if store.joins_partitions:
                assert (await store.read_joined([P0], [])).fences == [-1]
                return
            with pytest.raises(TypeError, match="all or nothing"):
                await store.read_joined([P0, P1], ["ann"])

    asyncio.run(check())
