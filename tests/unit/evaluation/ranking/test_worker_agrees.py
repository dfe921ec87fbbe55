"""What trees are grown from is what a worker asks them: the same log, trees and items give the same lists in both."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba", reason="the extra fast is not installed")

from deliveries import DAY_MS, START_MS
from refreshing import P0, arrived, one

from evaluation.contestant import Customers, Purchases
from evaluation.ranking.loop import RankingLoop
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.events import Purchase, RecommendationList
from trendloom.refresh import LearnedRules, ListRules, Refresher
from trendloom.refresh.assortment import features_by_number
from trendloom.refresh.attributes import attributes_by_number
from trendloom.refresh.season_file import SeasonFile
from trendloom.relevance.learned.forest import Forest
from trendloom.relevance.learned.signals import SIGNALS
from trendloom.relevance.presets import PRESETS
from trendloom.relevance.season import WEEK_MS
from trendloom.state.in_process import InProcessStore
from trendloom.state.rules import StateRules

pytestmark = pytest.mark.timeout(300)  # the first one compiles the kernels

N, BATCH, K = 40, 15, 8
CATALOGUE = random_catalogue(N, np.random.default_rng(3))
#: Each decides once; together they order the candidates by where, how much and with what they are bought.
ASKED = {
    "place_lift": 1.02,
    "in_store_share": 0.4,
    "slow": 1.0,
    "price_to_last": 0.05,
    "knn": 0.01,
    "season_item": 0.8,
    "group_lift": 1.0,
    "price_to_history": -0.1,
    "fusion_rank": 6.5,
}
#: A year earlier every item was bought so often in the week of the log's first purchase.
EARLIER = SeasonFile(
    tuple(CATALOGUE.item_ids),
    np.arange(N, dtype=np.int32),
    np.full(N, START_MS // WEEK_MS - 52, np.int32),
    np.arange(N, dtype=np.float32) % 11,
)


def forest() -> Forest:
    trees = len(ASKED)
    at = 3 * np.arange(trees, dtype=np.int32)
    signal, left, right = (np.full(3 * trees, fill, np.int32) for fill in (-1, 0, 0))
    threshold, value = np.zeros(3 * trees), np.zeros(3 * trees)
    signal[at], left[at], right[at] = [SIGNALS.index(name) for name in ASKED], at + 1, at + 2
    threshold[at], value[at + 2] = list(ASKED.values()), 0.5 ** np.arange(trees)
    return Forest(signal, threshold, left, right, value, at)


def made_log() -> list[Purchase]:
    """Purchases of nine customers, none of which repeats one of the same day: an evaluation drops those."""
    rng = np.random.default_rng(7)
    log: dict[tuple[str, str, int], Purchase] = {}
    for event in range(300):
        bought = one(event, f"c{rng.integers(9)}", int(rng.geometric(0.08)) % N, START_MS + event * DAY_MS // 50)
        bought = bought.model_copy(update={"price": None if event % 5 == 0 else float(rng.integers(1, 50))})
        log.setdefault((bought.customer_id, bought.item_id, bought.occurred_at // DAY_MS), bought)
    return list(log.values())


async def lists_of_a_worker(log: list[Purchase]) -> list[list[str]]:
    refresher = Refresher(
        InProcessStore(),
        CATALOGUE,
        state_rules=StateRules(),
        list_rules=ListRules(
            PRESETS["balanced"], K, learned=LearnedRules(PRESETS["learned"], forest(), 1_000.0), season=EARLIER
        ),
        stores={},
        worker="w",
        follow_every_s=1.0,
        monotonic=lambda: 0.0,
        compiled=True,
    )
    await refresher.open(0)
    assert refresher.mirror.ids == list(CATALOGUE.item_ids)
    told = []
    for start in range(0, len(log), BATCH):
        part = log[start : start + BATCH]
        last = start + len(part) - 1
        done = await refresher.apply(P0, await arrived(refresher, part, start), first_offset=start, last_offset=last)
        raws = await refresher.lists(done, done.listed, [None] * len(part), START_MS)
        refresher.settle(done)
        told += [[entry.item_id for entry in RecommendationList.model_validate_json(raw).entries] for raw in raws]
    return told


def lists_of_a_rehearsal(log: list[Purchase]) -> list[list[str]]:
    number = {item_id: place for place, item_id in enumerate(CATALOGUE.item_ids)}
    buyers = {name: place for place, name in enumerate(dict.fromkeys(bought.customer_id for bought in log))}
    purchases = Purchases.of(
        [buyers[bought.customer_id] for bought in log],
        [number[bought.item_id] for bought in log],
        [bought.occurred_at // 1000 * 1000 for bought in log],  # histories know seconds
    )
    prices = np.array([np.nan if bought.price is None else bought.price for bought in log])
    in_store = np.array([-1 if bought.store_id is None else 0 for bought in log], np.int16)
    purchases = replace(purchases, price=prices, store=in_store)
    features = features_by_number(CATALOGUE, np.arange(N), N, {})
    features = replace(features, season=EARLIER.by_number(number, N))
    loop, customers = RankingLoop(features, attributes_by_number(CATALOGUE, np.arange(N), N), k=K), Customers(21)
    told = []
    for start in range(0, len(log), BATCH):
        batch = purchases.part(slice(start, start + BATCH))
        histories = customers.after(batch)
        query = loop.question(batch, histories)
        items = loop.rank(query, forest()).items
        told += [[CATALOGUE.item_ids[item] for item in row if item >= 0] for row in items.tolist()]
        loop.learn(batch, query, histories)
        customers.learn(batch)
    return told


def test_a_worker_and_a_rehearsal_make_the_same_lists() -> None:
    log = made_log()
    worker, rehearsal = asyncio.run(lists_of_a_worker(log)), lists_of_a_rehearsal(log)
    assert len({tuple(one) for one in worker}) > 100
    assert worker == rehearsal
