"""Items, in every store: how a full row is cut, and how workers follow what others add."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from deliveries import DAY_MS, START_MS, arrivals, deliver, purchase
from store_checks import P0, P1, RULES, changed, check_mirror, count_pairs, opened

from trendloom.state.fold import customers_of
from trendloom.state.mirror import Mirror
from trendloom.state.rules import StateRules
from trendloom.state.store import Outcome


def test_a_full_co_purchase_row_is_cut_by_one_rule(place: Any) -> None:
    """The rule, once more and plainly: a row over the limit at once keeps its greatest."""
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
                count_pairs(rows, change.items, keep=10, limit=14)
                assert await store.write(P0, change, worker="w", forget=[]) is Outcome.APPLIED
            found = await store.items()
            kept = {number: row for number, row in zip(found.numbers.tolist(), found.co_purchases, strict=True) if row}
            assert kept == rows
            assert max(len(row) for row in rows.values()) > 10

    asyncio.run(check())


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
                version = mirrors[who].version
                assert await mirrors[who].follow(stores[who], f"w{who}")
                assert mirrors[who].version == version

    asyncio.run(check())
