"""What retrieval loses: the worker's lists against those of exhaustive scoring, and what more candidates would cost.

A log is taken through the worker's own refresher with the state in this process; then 1,000 random customers are asked
for, once through candidates (compiled and plain) and once with every item as a candidate. Two shops: the recorded H&M
log on all of its 105,542 articles (where ``EVALUATION_DATA`` has it), and a simulation on the demo catalogue.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from config.stores import store_positions
from producers.synthetic import Simulation
from producers.wares import Wares
from trendloom.candidates import propose, recommend
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.columns import PRESETS as TABLES
from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.catalogue.garment import Catalogue
from trendloom.errors import CatalogueError
from trendloom.events import Purchase
from trendloom.logs.read import read_log
from trendloom.refresh import ListRules, Refresher
from trendloom.refresh.assortment import features_by_number
from trendloom.refresh.scorer import Scorer
from trendloom.relevance.features import ItemDynamics
from trendloom.relevance.presets import PRESETS, Preset
from trendloom.relevance.query import Query
from trendloom.relevance.score import Question
from trendloom.relevance.standing import Standing
from trendloom.relevance.transitions import Transitions
from trendloom.state.columns import Arrivals
from trendloom.state.customer import Customer, padded_entries, trendiness
from trendloom.state.in_process import InProcessStore
from trendloom.state.rules import LANDMARK_MS, StateRules
from trendloom.state.store import Partition

__all__ = [
    "HM_CATALOGUE",
    "Asking",
    "measure_retrieval",
    "recorded_data",
    "recorded_shop",
    "retrieval_of",
    "simulated_shop",
]

K, BATCH = 10, 500
#: How many times the preset's own candidates each source may propose.
FACTORS = (0.5, 1.0, 2.0, 4.0)
_DEMO_CUSTOMERS, _DEMO_PURCHASES, _APART_MS = 5_000, 60_000, 10_000
_BEGUN_MS = 1_700_000_000_000
_EXHAUSTIVE_PAIRS = 500_000
#: Where the catalogue of all articles is built.
HM_CATALOGUE = Path("var/bench-catalogues/hm")
_ARTICLES = "articles.parquet"
_HM_LOG = "transactions_2020-09-16_to_20.parquet"

Shop = tuple[str, Catalogue, Callable[[], Iterable[Purchase]]]


def measure_retrieval(
    presets: Iterable[str], *, customers: int = 1_000, purchases: int | None = None
) -> dict[str, Any]:
    """Return overlap and cost for both shops by preset; ``purchases`` cuts logs short. Skips a shop without data."""
    shops = [simulated_shop()]
    recorded = recorded_shop()
    if recorded is not None:
        shops.append(recorded)
    found: dict[str, Any] = {"customers": customers, "shops": {}}
    if recorded is None:
        found["skipped"] = "the H&M log is not here: EVALUATION_DATA names the folder that holds hm/"
        print(found["skipped"], flush=True)
    for name, catalogue, log in shops:
        for preset in presets:
            told = asyncio.run(retrieval_of(catalogue, islice(log(), purchases), PRESETS[preset], customers))
            found["shops"].setdefault(name, {"items": len(catalogue), "presets": {}})["presets"][preset] = told
            print(f"{name:12} {preset:9} {told}", flush=True)
    return found


def simulated_shop() -> Shop:
    """Return the demo catalogue and a simulation of 5,000 customers on it."""
    catalogue = load_catalogue(demo_catalogue_path())

    def log() -> Iterator[Purchase]:
        simulation = Simulation(
            Wares.of(catalogue), store_positions(), num_customers=_DEMO_CUSTOMERS, max_purchases_per_customer=5
        )
        return (simulation.purchase(_BEGUN_MS + _APART_MS * at) for at in range(_DEMO_PURCHASES))

    return "demo", catalogue, log


def recorded_shop() -> Shop | None:
    """Return H&M's articles and the recorded log of five days; None where the data is not here."""
    data = recorded_data()
    if data is None:
        return None
    try:
        catalogue = load_catalogue(HM_CATALOGUE)
    except CatalogueError:
        build_catalogue(data.with_name(_ARTICLES), HM_CATALOGUE, TABLES["hm"], BuildOptions(name="hm"))
        catalogue = load_catalogue(HM_CATALOGUE)
    return "H&M", catalogue, read_log(data, "hm").purchases


def recorded_data() -> Path | None:
    """Return the file of the recorded log, beside which its articles lie; None where they are not."""
    data = Path(os.environ.get("EVALUATION_DATA", Path("..") / "shared" / "data")) / "hm"
    there = (data / _ARTICLES).is_file() and (data / _HM_LOG).is_file()
    return data / _HM_LOG if there else None


async def retrieval_of(
    catalogue: Catalogue, log: Iterable[Purchase], preset: Preset, customers: int, factors: Iterable[float] = FACTORS
) -> dict[str, Any]:
    """Take a log through a refresher; return overlap with exhaustive scoring, candidates and time for each factor."""
    asking = await Asking.after(catalogue, log, preset, customers)
    began_s = time.process_time()
    best = asking.exhaustive(preset)
    exhaustive_us = (time.process_time() - began_s) / max(asking.query.size, 1) * 1e6
    lines = []
    for factor in factors:
        taken = replace(preset, retrieve={name: max(int(n * factor), 1) for name, n in preset.retrieve.items()})
        compiled, compiled_us = asking.listed(taken, compiled=True)
        plain, plain_us = asking.listed(taken, compiled=False)
        lines.append(
            {
                "factor": factor,
                "candidates": round(asking.candidates(taken), 1),
                "overlap": {"worker": _overlap(compiled, best), "plain": _overlap(plain, best)},
                "us_per_list": {"worker": round(compiled_us, 2), "plain": round(plain_us, 2)},
            }
        )
    return {
        "purchases": asking.purchases,
        "customers": asking.query.size,
        "exhaustive_us_per_list": round(exhaustive_us, 1),
        "by_candidates": lines,
    }


@dataclass
class Asking:
    """The state after a log, and what random customers of it ask."""

    catalogue: Catalogue
    refresher: Refresher
    rules: StateRules
    numbers: npt.NDArray[np.int64]
    query: Query
    purchases: int

    @classmethod
    async def after(cls, catalogue: Catalogue, log: Iterable[Purchase], preset: Preset, customers: int) -> Asking:
        """Take the log through a refresher, then draw customers who have bought something."""
        store, rules = InProcessStore(), StateRules()
        refresher = Refresher(
            store,
            catalogue,
            state_rules=rules,
            list_rules=ListRules(preset, K),
            stores=store_positions(),
            worker="bench",
            follow_every_s=1e9,
            monotonic=time.monotonic,
            compiled=True,
        )
        await refresher.open(_BEGUN_MS)
        place, names, offset, source = Partition("purchases", 0), dict[str, None](), 0, iter(log)
        await refresher.assigned(place)
        while batch := list(islice(source, BATCH)):
            numbers = await refresher.number([purchase.item_id for purchase in batch])
            arrivals = Arrivals(range(offset, offset + len(batch)), batch, numbers)
            last = offset + len(batch) - 1
            refresher.settle(await refresher.apply(place, arrivals, first_offset=offset, last_offset=last))
            names |= dict.fromkeys(arrivals.names)
            offset += len(batch)
        drawn = np.random.default_rng(11).permutation(len(names))[:customers]
        known = list(names)
        some = [Customer.unpack(await store.customer(known[at])) for at in drawn.tolist()]
        numbers = await store.number_items(catalogue.item_ids)
        asking = cls(catalogue, refresher, rules, numbers, _nothing(rules), offset)
        asking.query = asking._ask(some, preset)
        return asking

    def scorer(self, preset: Preset, *, compiled: bool) -> Scorer:
        """Return a worker's scorer over the state as it is."""
        return Scorer(
            self.catalogue,
            self.numbers,
            self.refresher.mirror,
            state_rules=self.rules,
            list_rules=ListRules(preset, K),
            stores=store_positions(),
            monotonic=time.monotonic,
            cpu_s=time.thread_time,
            compiled=compiled,
        )

    def listed(self, preset: Preset, *, compiled: bool) -> tuple[npt.NDArray[np.int32], float]:
        """Return the lists made from candidates, in batches as a worker makes them, and the CPU µs of each."""
        scorer = self.scorer(preset, compiled=compiled)
        scorer.top_k(_part(self.query, 0, 1))
        began_s = time.process_time()
        lists = [scorer.top_k(_part(self.query, at, at + BATCH)).items for at in range(0, self.query.size, BATCH)]
        return np.concatenate(lists), (time.process_time() - began_s) / self.query.size * 1e6

    def exhaustive(self, preset: Preset) -> npt.NDArray[np.int32]:
        """Return the lists made from all items."""
        question = self._question(preset)
        step = max(_EXHAUSTIVE_PAIRS // question.features.size, 1)
        lists = [
            recommend(
                _part(self.query, at, at + step),
                question.features,
                question.dynamics,
                preset,
                k=K,
                exclude_other_views=True,
                standing=question.standing,
                exhaustive=True,
            ).items
            for at in range(0, self.query.size, step)
        ]
        return np.concatenate(lists)

    def candidates(self, preset: Preset) -> float:
        """Return how many candidates the plain form proposes for a purchase."""
        return propose(self._question(preset)).key.size / max(self.query.size, 1)

    def _question(self, preset: Preset) -> Question:
        mirror, rules = self.refresher.mirror, self.rules
        features = features_by_number(self.catalogue, self.numbers, len(mirror.ids), store_positions())
        dynamics = ItemDynamics(
            purchases=mirror.purchases,
            initial=mirror.initial,
            slow=mirror.slow,
            fast=mirror.fast,
            slow_half_life_s=rules.slow_half_life_s,
            fast_half_life_s=rules.fast_half_life_s,
            landmark_ms=LANDMARK_MS,
            co=mirror.co,
            transitions=Transitions.rebuilt(
                mirror.co,
                product=features.product,
                group=features.group,
                keep=rules.co_purchase_keep,
                limit=rules.co_purchase_limit,
                compiled=True,
            ),
        )
        return Question(self.query, features, dynamics, preset, Standing(features, dynamics))

    def _ask(self, some: list[Customer], preset: Preset) -> Query:
        """Return what customers ask at their latest purchase."""
        latest = [customer.entries()[-1] for customer in some]
        mean, weight = self.refresher.mirror.population.mean_percentile, self.rules.trendiness_prior_weight
        trends = [
            trendiness(customer.number, customer.percentile_sum, prior_mean=mean, prior_weight=weight)
            for customer in some
        ]
        return self.scorer(preset, compiled=False).question(
            padded_entries([customer.tail for customer in some], self.rules.history_length),
            np.array([entry[0] for entry in latest], np.int64),
            np.array([entry[1] * 1000 for entry in latest], np.int64),
            trendiness=np.array(trends),
            percentile=np.array([entry[2] for entry in latest], np.float64),
        )


def _nothing(rules: StateRules) -> Query:
    none = np.empty(0, np.int64)
    width = (0, rules.history_length)
    return Query(
        none.astype(np.int32),
        np.empty(width, np.int32),
        np.empty(width, np.int64),
        none,
        np.empty(width, np.int16),
        np.empty(0),
        np.empty(0),
    )


def _part(query: Query, start: int, end: int) -> Query:
    part = slice(start, end)
    return Query(
        query.item[part],
        query.history[part],
        query.history_ms[part],
        query.at_ms[part],
        query.stores[part],
        query.trendiness[part],
        query.percentile[part],
    )


def _overlap(found: npt.NDArray[np.int32], best: npt.NDArray[np.int32]) -> float:
    """Return the mean share of the best items that the lists hold."""
    shares = [
        len(set(some) & set(most) - {-1}) / max(len(set(most) - {-1}), 1)
        for some, most in zip(found.tolist(), best.tolist(), strict=True)
    ]
    return round(sum(shares) / max(len(shares), 1), 4)
