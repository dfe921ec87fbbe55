"""What tests of stores share: a state that is begun, all that one holds, and its comparison with the plain fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from deliveries import START_MS, percentile_of
from plain_fold import differences, fold_log, read_customer

from trendloom.events import Purchase
from trendloom.state.columns import Arrival
from trendloom.state.fold import prepare
from trendloom.state.mirror import Mirror
from trendloom.state.rules import StateRules
from trendloom.state.store import Before, Change, ItemChange, Partition, Store

__all__ = [
    "ITEM_IDS",
    "P0",
    "P1",
    "RULES",
    "changed",
    "check_against_plain_fold",
    "check_mirror",
    "count_pairs",
    "customers",
    "everything",
    "opened",
]

P0, P1 = Partition("purchases", 0), Partition("purchases", 1)
#: A short history, so that small logs fill it; few shards, so that a cluster is quick.
RULES = StateRules(history_length=8, co_purchase_window=5, customer_shards=4)
ITEM_IDS = [f"item-{number}" for number in range(300)]


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
        rows.in_store.tolist(),
        rows.priced.tolist(),
        rows.spent.tolist(),
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


async def check_mirror(mirror: Mirror, store: Store) -> None:
    rows = await store.items()
    numbers = rows.numbers
    assert mirror.ids == await store.item_ids()
    assert mirror.purchases[numbers].tolist() == rows.purchases.tolist()
    assert mirror.in_store[numbers].tolist() == rows.in_store.tolist()
    assert mirror.priced[numbers].tolist() == rows.priced.tolist()
    np.testing.assert_allclose(mirror.spent[numbers], rows.spent, rtol=1e-12)
    np.testing.assert_allclose(mirror.slow[numbers], rows.slow, rtol=1e-12)
    np.testing.assert_allclose(mirror.fast[numbers], rows.fast, rtol=1e-12)
    assert [mirror.co.row(number) for number in numbers.tolist()] == rows.co_purchases
    assert mirror.purchases.sum() == rows.purchases.sum()
    population = await store.population()
    assert mirror.population.purchases == population.purchases
    assert mirror.population.percentile_sum == pytest.approx(population.percentile_sum, abs=1e-9)


def count_pairs(rows: dict[int, dict[int, int]], items: ItemChange, *, keep: int, limit: int) -> None:
    """Add a batch's pairs to rows as dictionaries: both directions, one by one; a row over the limit is cut at once."""
    for pair in zip(items.rows.tolist(), items.columns.tolist(), items.weights.tolist(), strict=True):
        for row, column, weight in (pair, (pair[1], pair[0], pair[2])):
            counts = rows.setdefault(row, {})
            counts[column] = counts.get(column, 0) + weight
            if len(counts) > limit:
                best = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:keep]
                counts.clear()
                counts.update(best)
