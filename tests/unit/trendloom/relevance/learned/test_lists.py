"""Learned lists against a plain transcription of their signals, with loops and dictionaries."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from small_shop import START_MS, asking, shop, some_histories

from evaluation.light_loop import LightLoop
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.refresh.attributes import attributes_by_number
from trendloom.relevance.learned.attributes import AttributePairs, Attributes
from trendloom.relevance.learned.forest import Forest
from trendloom.relevance.learned.gathering import SOURCES
from trendloom.relevance.learned.lists import Described, LearnedLists
from trendloom.relevance.learned.signals import DENSE, LIFT_POWERS, PART_OF_SIGNAL, PARTS, RANKED, SIGNALS
from trendloom.relevance.presets import PRESETS
from trendloom.relevance.query import DAY_MS, UNKNOWN_STORE, Query
from trendloom.relevance.season import WEEK_MS, SeasonCounts
from trendloom.relevance.standing import Standing
from trendloom.relevance.visual import similarity

pytestmark = pytest.mark.timeout(300)  # the first one compiles the kernel

PRESET = PRESETS["learned"]
N = 120


@dataclass
class Small:
    """A small shop, its attributes and its learned lists."""

    loop: LightLoop
    attributes: Attributes
    lists: LearnedLists
    standing: Standing

    def described(self, query: Query) -> Described:
        return self.lists.described(query, self.loop.dynamics, self.standing)


def small(seed: int, *, views: bool = False, k: int = 10) -> Small:
    loop = shop(seed, n=N, events=900, photo_share=0.6)
    catalogue = random_catalogue(N, np.random.default_rng(seed), photo_share=0.6)
    sections = ["" if row % 7 == 0 else f"section {row % 3}" for row in range(N)]
    rng = np.random.default_rng(seed)
    season = SeasonCounts(N)
    season.learn(rng.integers(N, size=4_000), START_MS - rng.integers(30, 110, size=4_000) * WEEK_MS)
    loop.features = replace(loop.features, season=season)
    attributes = attributes_by_number(replace(catalogue, sections=sections), np.arange(N), N)
    lists = LearnedLists(
        loop.features, attributes, PRESET, k=k, exclude_other_views=views, history_length=8, co_limit=128
    )
    loop.dynamics.in_store = np.random.default_rng(seed).binomial(loop.dynamics.purchases, 0.3).astype(np.int64)
    loop.dynamics.priced = rng.binomial(loop.dynamics.purchases, 0.5).astype(np.int64)
    loop.dynamics.spent = loop.dynamics.priced * rng.uniform(1.0, 50.0, loop.dynamics.priced.size)
    lists.rebuild_pairs(loop.dynamics.co)
    lists.touch(None, loop.dynamics)
    return Small(loop, attributes, lists, Standing(loop.features, loop.dynamics))


def stump(signal: str, threshold: float) -> Forest:
    return Forest(
        np.array([SIGNALS.index(signal), -1, -1], np.int32),
        np.array([threshold, 0.0, 0.0]),
        np.array([1, 0, 0], np.int32),
        np.array([2, 0, 0], np.int32),
        np.array([0.25, 0.0, 1.0]),
        np.array([0], np.int32),
    )


def plain_signals(it: Small, query: Query, row: int, item: int) -> dict[str, float]:
    """Return the signals of one candidate, but for the ranks and what is said of all candidates."""
    f, d, a, s = it.loop.features, it.loop.dynamics, it.attributes, it.standing
    tables = f.tables
    assert tables is not None
    at_ms = int(query.at_ms[row])
    past: list[tuple[int, float, int]] = []
    for known, when in zip(query.history[row].tolist(), query.history_ms[row].tolist(), strict=True):
        if known >= 0 and known not in [one[0] for one in past]:
            days = at_ms // DAY_MS - when // DAY_MS
            past.append((known, 0.95 ** len(past) * 0.7**days, days))
    last = past[0][0]
    n = d.purchases
    told: dict[str, float] = dict.fromkeys(SIGNALS, 0.0)
    told["product_place"] = -1.0
    told |= {"repurchase_days": -1.0, "apart": 1e6, "apart_from_last": 1e6}
    sold = np.bincount(f.product[f.product >= 0], n[: f.size][f.product >= 0], minlength=f.n_products)
    mine = int(f.product[item])
    for place, (j, w, days) in enumerate(past):
        count = 0.5 * d.co.row(j).get(item, 0)
        cosine = count / math.sqrt((n[item] + 5) * (n[j] + 6))
        told["knn_evidence"] += w * count
        told["knn_cosine"] += w * cosine
        told["knn_share"] += w * count / (n[j] + 11)
        told["knn_best"] = max(told["knn_best"], cosine)
        told["knn_times"] += count > 0
        theirs = int(f.product[j])
        pairs = 0.5 * d.transitions.products.row(theirs).get(mine, 0) if min(mine, theirs) >= 0 else 0.0
        alike = pairs / math.sqrt((sold[mine] + 5) * (sold[theirs] + 5)) if pairs else 0.0
        told["product_evidence"] += w * pairs
        told["product_cosine"] += w * alike
        told["product_best"] = max(told["product_best"], alike)
        told["product_times"] += pairs > 0
        told["variant"] += w * (mine >= 0 and theirs == mine)
        told["variant_times"] += mine >= 0 and theirs == mine
        told["word"] += w * bool(a.word[j] == a.word[item])
        told["title"] += w * bool(a.title[j] == a.title[item])
        if min(mine, theirs) >= 0:
            told["apart"] = min(told["apart"], abs(mine - theirs))
        if j == item:
            told["repurchase"], told["repurchase_days"] = w, days
        if place < 3:
            photo = float(similarity(f, np.array([j]), np.array([item]))[0])
            told["visual_best"] = max(told["visual_best"], photo)
            table = float(tables[j] @ tables[item])
            told["table_best"] = max(told["table_best"], table)
        near = f.neighbours[j].tolist()
        told["near"] += w * 0.97 ** near.index(item) if item in near else 0.0
        if place == 0:
            told["knn_last"], told["knn_last_share"] = count, count / (n[j] + 11)
            told["product_last_share"] = pairs / (sold[theirs] + 10) if pairs else 0.0
            told["visual_last"], told["table_last"] = photo, table
            told["variant_of_last"] = float(mine >= 0 and theirs == mine)
            told["word_of_last"] = float(a.word[j] == a.word[item])
            if min(mine, theirs) >= 0:
                told["apart_from_last"] = abs(mine - theirs)
    told["knn"] = told["knn_evidence"] / (n[item] + PRESET.shrinkage) ** PRESET.damping
    rate = math.log(2) / 86_400_000
    told["purchases"] = math.log(1 + n[item])
    told["slow"] = max(d.slow[item] - rate * (at_ms - d.landmark_ms), -20)
    told["fast"] = max(d.fast[item] - 24 * rate * (at_ms - d.landmark_ms), -20)
    told["momentum"] = told["slow"] - told["purchases"]
    told["product_purchases"] = math.log(1 + sold[mine]) if mine >= 0 else told["purchases"]
    told["product_place"] = mine / (f.n_products - 1)
    told["percentile"] = s.percentile[item]
    told["share_of_group"], told["share_of_product"] = s.group_share[item], s.product_share[item]
    told["product_items"] = float((f.product == mine).sum()) if mine >= 0 else 1.0
    told["word_items"] = math.log(1 + (a.word == a.word[item]).sum())
    genders = [int(f.gender[j]) for j, _, _ in past]
    votes = {code: genders.count(code) for code in (1, 2, 4)}
    customer = max(votes, key=lambda code: votes[code]) if any(votes.values()) else 0
    theirs = int(f.gender[item])
    told["gender"] = 0.5 if 0 in {customer, theirs} else float(theirs in {customer, 3})
    told["trend_fit"] = 1 - (s.percentile[item] - query.trendiness[row]) ** 2
    told["proximity"] = 0.5
    usual = (d.in_store.sum() + 1) / (n.sum() + 2)
    share = (d.in_store[item] + 3 * usual) / (n[item] + 3)
    told["in_store_share"], told["in_store_now"] = share, float(query.stores[row, 0] != -1)
    told["place_lift"] = share / usual if told["in_store_now"] else (1 - share) / (1 - usual)
    total = sum(w for _, w, _ in past)
    price = {j: math.log(d.price_level(np.array([j]))[0]) for j in [item, *(j for j, _, _ in past)]}
    told["price"], told["price_to_last"] = price[item], price[item] - price[last]
    told["price_to_history"] = price[item] - sum(w / total * price[j] for j, w, _ in past)
    assert f.season is not None
    now, usual = f.season.same_weeks(at_ms, spread_weeks=1), f.season.usual(at_ms)
    told["season_item"] = math.log(1 + now[item])
    told["season_product"] = math.log(1 + now[f.product == mine].sum()) if mine >= 0 else 0.0
    for place, name in ((0, "season_group_lift"), (1, "season_type_lift")):
        if a.dense[item, place] >= 0:
            same = a.dense[:, place] == a.dense[item, place]
            ratio = now.sum() / usual.sum()
            told[name] = math.log((now[same].sum() / ratio + 2) / (usual[same].sum() + 2))
    told["table_mean"] = float(sum(w / total * tables[j] for j, w, _ in past) @ tables[item])
    told["lifted"] = 0.7 * told["slow"]
    for place, name in enumerate(DENSE):
        if a.dense[item, place] < 0:
            continue
        counts = plain_transitions(it, place)
        sums = counts.sum(axis=1)
        everybody = sums / max(sums.sum(), 1.0)
        value = int(a.dense[item, place])
        chance = (counts[:, value] + 5 * everybody[value]) / (sums + 5)
        now = sum(w / total * chance[a.dense[j, place]] for j, w, _ in past if a.dense[j, place] >= 0)
        told[f"{name}_chance"], told[f"{name}_lift"] = now, now / (everybody[value] + 1e-4)
        if any(a.dense[j, place] >= 0 for j, _, _ in past):
            told["lifts"] += math.log(max(told[f"{name}_lift"], 1e-3))
            told["lifted"] += LIFT_POWERS[place] * math.log(max(told[f"{name}_lift"], 1e-3))
        if a.dense[last, place] >= 0:
            told[f"{name}_chance_after_last"] = chance[a.dense[last, place]]
        told[f"{name}_share"] = sum(w / total for j, w, _ in past if a.dense[j, place] == value)
        told[f"{name}_today"] = sum(days == 0 for j, _, days in past if a.dense[j, place] == value)
    told["product_in_colour"] = told["product_cosine"] * math.sqrt(s.product_share[item]) * (0.3 + told["colour_lift"])
    told["in_likely_group"] = told["group_chance"] * s.group_share[item]
    told["groups_bought"] = len({int(a.dense[j, 0]) for j, _, _ in past})
    told["bought_today"] = sum(days == 0 for _, _, days in past)
    told["history"] = len(past)
    told["trendiness"] = query.trendiness[row]
    told["last_purchases"] = math.log(1 + n[last])
    told["fusion"] = told["knn"] + 0.0003 * math.exp(told["slow"])
    if mine >= 0:
        told["fusion"] += 0.1 * told["product_evidence"] / (sold[mine] + 20) ** 0.7 * s.product_share[item]
        told["fusion"] += 0.4 * told["variant"] * (0.25 + 0.75 * s.product_share[item])
    told["fusion"] += 9.0 * told["group_chance"] * s.group_share[item]
    return told


def plain_transitions(it: Small, place: int) -> np.ndarray:
    size = it.attributes.n_values
    counts = np.zeros((size, size))
    for row in it.loop.dynamics.co.rows().tolist():
        for column, weight in it.loop.dynamics.co.row(row).items():
            one, other = it.attributes.dense[row, place], it.attributes.dense[column, place]
            if min(one, other) >= 0:
                counts[one, other] += weight
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_signals_are_those_of_the_transcription(seed: int) -> None:
    it, query = small(seed), asking(some_histories(seed, 12, n=N))
    query.stores[::2, 0] = UNKNOWN_STORE
    found = it.described(query)
    left_out = {"two_steps", "knn_most", "knn_total"} | {SIGNALS[rank] for _, rank in RANKED}
    checked = 0
    for row in range(query.size):
        for at in range(found.starts[row], found.starts[row + 1], 7):
            told = plain_signals(it, query, row, int(found.item[at]))
            for place, name in enumerate(SIGNALS):
                if name not in left_out:
                    assert found.signals[at, place] == pytest.approx(told[name], rel=1e-4, abs=1e-5), name
            checked += 1
    assert checked > 50


@pytest.mark.parametrize("seed", range(2))
def test_what_goes_two_steps_is_summed_over_the_best_neighbours(seed: int) -> None:
    it, query = small(seed), asking(some_histories(seed, 8, n=N))
    found, n, co = it.described(query), it.loop.dynamics.purchases, it.loop.dynamics.co
    for row in range(query.size):
        part = slice(found.starts[row], found.starts[row + 1])
        evidence: dict[int, float] = {}
        for j, w in zip(query.history[row].tolist(), query.recency(0.95, 0.7)[row].tolist(), strict=True):
            for item, count in co.row(j).items() if w else ():
                evidence[item] = evidence.get(item, 0.0) + w * 0.5 * count
        knn = {item: value / (n[item] + 100) ** 0.7 for item, value in evidence.items()}
        best = sorted(knn.values(), reverse=True)
        least = best[19] if len(best) > 20 else 0.0
        two: dict[int, float] = {}
        for step, value in knn.items():
            if value >= least:
                for item, count in co.row(step).items():
                    two[item] = two.get(item, 0.0) + value / (n[step] + 10) * 0.5 * count
        expected = [two.get(item, 0.0) / math.sqrt(n[item] + 30) for item in found.item[part].tolist()]
        assert found.signals[part, SIGNALS.index("two_steps")].tolist() == pytest.approx(expected, rel=1e-4)
        assert found.signals[part, SIGNALS.index("knn_most")].tolist() == pytest.approx(
            [max(best)] * len(expected), rel=1e-5
        )
        ranks = found.signals[part, SIGNALS.index("knn_rank")]
        values = found.signals[part, SIGNALS.index("knn")]
        assert (np.diff(values[np.argsort(ranks, kind="stable")]) <= 0).all()


@pytest.mark.parametrize("seed", range(2))
def test_places_go_by_the_signal_that_they_are_of(seed: int) -> None:
    it, query = small(seed), asking(some_histories(seed, 8, n=N))
    found = it.described(query)
    for row in range(query.size):
        rows = found.signals[found.starts[row] : found.starts[row + 1]]
        for by, rank in RANKED:
            there = rows[:, by] != 0
            assert sorted(rows[there, rank].tolist()) == list(range(int(there.sum())))
            assert (rows[~there, rank] == 999).all()
            assert (np.diff(rows[there, by][np.argsort(rows[there, rank])]) <= 0).all()


@pytest.mark.parametrize("seed", range(2))
def test_what_is_sold_most_for_its_likely_values_is_a_candidate(seed: int) -> None:
    it, query = small(seed), asking(some_histories(seed, 10, n=N))
    few = replace(PRESET, retrieve={**PRESET.retrieve, "lifted": 6, "section": 4})
    it.lists = LearnedLists(
        it.loop.features, it.attributes, few, k=10, exclude_other_views=False, history_length=8, co_limit=128
    )
    it.lists.rebuild_pairs(it.loop.dynamics.co)
    it.lists.touch(None, it.loop.dynamics)
    found = it.described(query)
    for row in range(query.size):
        part = slice(found.starts[row], found.starts[row + 1])
        bought = set(query.history[row][query.history[row] >= 0].tolist())
        worth = []
        for item in it.standing.by_popularity.tolist():
            told = plain_signals(it, query, row, item)
            section = int(it.attributes.dense[item, 3])
            total = sum(
                math.exp(it.standing.slow[one] - it.standing.slow.max())
                for one in it.standing.by_popularity.tolist()
                if it.attributes.dense[one, 3] == section
            )
            share = math.exp(it.standing.slow[item] - it.standing.slow.max()) / total
            worth.append((item, told["lifted"], told["section_chance"] * share if section >= 0 else 0.0))
        for column, source, count in ((1, 1 << SOURCES.index("lifted"), 6), (2, 1 << SOURCES.index("section"), 4)):
            ranked = sorted((one for one in worth if one[column] != 0.0), key=lambda one: -one[column])
            best = {one[0] for one in ranked[:count]} - bought
            marked = set(found.item[part][(found.source[part] & source) > 0].tolist())
            assert marked - bought == best


def test_lists_are_those_of_the_trees_and_explain_themselves() -> None:
    it, query = small(4), asking(some_histories(4, 30, n=N))
    forest = stump("knn", 0.05)
    top = it.lists.rank(query, it.loop.dynamics, it.standing, forest)
    found = it.described(query)
    assert top.preset == "learned"
    assert top.part_names == PARTS
    for row in range(query.size):
        part = slice(found.starts[row], found.starts[row + 1])
        order = np.lexsort((found.item[part], -forest.sums(found.signals[part])))[:10]
        assert top.items[row].tolist() == found.item[part][order].tolist()
    assert np.abs(top.parts.sum(axis=2) - top.scores).max() < 1e-12
    assert set(np.unique(top.scores)) <= {0.0, 1.0}
    assert (top.parts[:, :, PARTS.index("base")] == 0.25).all()
    others = [place for place in range(len(PARTS)) if PARTS[place] not in {"base", "co_purchase"}]
    assert not top.parts[:, :, others].any()


@pytest.mark.parametrize("views", [False, True])
def test_what_was_just_bought_other_views_and_what_is_barred_stay_out(*, views: bool) -> None:
    it, query = small(5, views=views), asking(some_histories(5, 40, n=N))
    barred = np.zeros(N, np.bool_)
    barred[::3] = True
    top = it.lists.rank(query, it.loop.dynamics, it.standing, stump("purchases", 1.0), barred)
    features = it.loop.features
    for row, items in enumerate(top.items.tolist()):
        listed = {item for item in items if item >= 0}
        today = query.days_ago[row] == 0
        assert not listed & set(query.history[row][today].tolist())
        assert not any(barred[item] for item in listed)
        view = features.view_group[query.item[row]]
        if views and view >= 0:
            assert all(features.view_group[item] != view for item in listed)


def test_the_same_question_gets_the_same_list_whatever_was_asked_between() -> None:
    it, query = small(6), asking(some_histories(6, 20, n=N))
    first = it.lists.rank(query, it.loop.dynamics, it.standing, stump("slow", -1.0))
    it.described(asking(some_histories(7, 50, n=N)))
    again = it.lists.rank(query, it.loop.dynamics, it.standing, stump("slow", -1.0))
    assert again.items.tolist() == first.items.tolist()


def test_an_item_that_the_catalogue_does_not_know_asks_for_a_list_too() -> None:
    it = small(8)
    top = it.lists.rank(asking([[(500, 0), (3, 1000)], [(4, 0)]]), it.loop.dynamics, it.standing, stump("slow", -1.0))
    assert (top.items[:, 0] >= 0).all()


def test_pairs_learnt_one_by_one_are_those_rebuilt_from_the_counts() -> None:
    it = small(9)
    learned = AttributePairs(it.attributes)
    co = it.loop.dynamics.co
    for row in co.rows().tolist():
        for column, weight in co.row(row).items():
            if row < column:
                learned.learn_pairs(np.array([row]), np.array([column]), np.array([weight]))
    assert learned.counts.tolist() == AttributePairs.rebuilt(it.attributes, co).counts.tolist()


def test_without_prices_and_earlier_years_their_signals_say_nothing() -> None:
    it = small(3)
    it.loop.features = replace(it.loop.features, season=None)
    it.loop.dynamics.priced, it.loop.dynamics.spent = np.zeros(0, np.int64), np.zeros(0)
    it.lists = LearnedLists(
        it.loop.features, it.attributes, PRESET, k=10, exclude_other_views=False, history_length=8, co_limit=128
    )
    found = it.described(asking(some_histories(3, 8, n=N)))
    silent = [place for place, name in enumerate(SIGNALS) if name.startswith(("price", "season"))]
    assert len(silent) == 7
    assert found.item.size > 0
    assert not found.signals[:, silent].any()


def test_the_season_goes_on_with_the_week() -> None:
    it, rows = small(3), some_histories(3, 8, n=N)
    column = SIGNALS.index("season_item")
    for now_ms in (START_MS + 5 * DAY_MS, START_MS + 12 * DAY_MS):
        found = it.described(asking(rows, now_ms=now_ms))
        assert it.loop.features.season is not None
        expected = np.log1p(it.loop.features.season.same_weeks(now_ms, spread_weeks=1))[found.item]
        assert found.signals[:, column].tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_every_signal_belongs_to_a_part() -> None:
    assert len(PART_OF_SIGNAL) == len(SIGNALS) == len(set(SIGNALS))
    assert max(PART_OF_SIGNAL) == len(PARTS) - 2
