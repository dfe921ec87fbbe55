"""The relevance function against a plain-Python transcription of its formulas, written with loops and dictionaries.

The transcription starts from the raw purchases: it counts, decays and ranks by itself, and shares no code with what it
checks.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
import pytest

from evaluation.light_loop import LightLoop, LoopRules
from trendloom.candidates import recommend
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.refresh.assortment import features_by_number
from trendloom.relevance.features import ItemFeatures
from trendloom.relevance.presets import PART_NAMES, PLAIN_PARTS, PRESETS, Preset
from trendloom.relevance.query import Query
from trendloom.relevance.score import PARTS

DAY_MS = 86_400_000
HALF_LIFE_S = 86_400.0
STORES = {f"store-{number}": (0.1 * number, -0.3 * number) for number in range(1, 6)}
GROUP_OF = {"Graphic_Tees": "A", "Pants": "B", "Dresses": "D", "Skirts": "D", "Sweaters": "E"}
BETWEEN = {"AB": 0.2, "AD": 0.1, "AE": 0.4, "BD": 0.1, "BE": 0.2, "DE": 0.1}


@dataclass(frozen=True)
class Bought:
    customer: int
    item: int
    at_ms: int


def shop(seed: int, *, n: int = 48, photo_share: float = 1.0) -> ItemFeatures:
    catalogue = random_catalogue(n, np.random.default_rng(seed), photo_share=photo_share, lowest=12)
    return features_by_number(catalogue, np.arange(n), n, STORES)


def purchases(seed: int, *, n: int = 48, events: int = 160, customers: int = 12) -> list[Bought]:
    rng = np.random.default_rng(seed)
    start_ms = 1_600_000_000_000
    times = np.sort(rng.integers(0, 3 * DAY_MS, size=events)) + start_ms
    items = (n * rng.random(events) ** 2).astype(int)
    return [
        Bought(int(rng.integers(customers)), item, at_ms)
        for item, at_ms in zip(items.tolist(), times.tolist(), strict=True)
    ]


def learnt(features: ItemFeatures, log: list[Bought]) -> LightLoop:
    loop = LightLoop(features, LoopRules(history_length=6, co_purchase_window=5, co_purchase_keep=128))
    for event in log:
        loop.take(np.array([event.customer]), np.array([event.item]), np.array([event.at_ms]), None)
    loop.dynamics.initial[:] = np.random.default_rng(len(log)).integers(0, 9, size=features.size)
    return loop


def histories(log: list[Bought], asking: list[Bought], length: int = 6) -> list[list[Bought]]:
    result = []
    for event in asking:
        past = [other for other in log if other.customer == event.customer]
        result.append([event, *reversed(past)][:length])
    return result


def question(log: list[Bought], asking: list[Bought], seed: int) -> Query:
    rng = np.random.default_rng(seed)
    history = np.full((len(asking), 6), -1, np.int32)
    history_ms = np.zeros((len(asking), 6), np.int64)
    stores = np.full((len(asking), 6), -1, np.int16)
    for row, past in enumerate(histories(log, asking)):
        history[row, : len(past)] = [event.item for event in past]
        history_ms[row, : len(past)] = [event.at_ms for event in past]
        stores[row, : len(past)] = rng.integers(-1, 5, size=len(past)) if row % 2 else -1
    return Query(
        item=history[:, 0],
        history=history,
        history_ms=history_ms,
        at_ms=history_ms[:, 0],
        stores=stores,
        trendiness=rng.random(len(asking)),
        percentile=rng.random(len(asking)),
    )


@dataclass
class Facts:
    """What the log says, counted with dictionaries."""

    purchases: Counter[int]
    co: dict[tuple[int, int], float]
    product_co: dict[tuple[int, int], float]
    group_co: dict[tuple[int, int], float]
    decayed: dict[int, float]
    last_ms: int


def facts(log: list[Bought], features: ItemFeatures) -> Facts:
    co: dict[tuple[int, int], float] = defaultdict(float)
    tails: dict[int, list[Bought]] = defaultdict(list)
    last_ms = log[-1].at_ms
    decayed: dict[int, float] = defaultdict(float)
    for event in log:
        decayed[event.item] += 0.5 ** ((last_ms - event.at_ms) / 1000 / HALF_LIFE_S)
        met = {event.item}
        for other in reversed(tails[event.customer][-5:]):
            if other.item not in met:
                met.add(other.item)
                same_day = other.at_ms // DAY_MS == event.at_ms // DAY_MS
                co[event.item, other.item] += 1.0 if same_day else 0.5
                co[other.item, event.item] += 1.0 if same_day else 0.5
        tails[event.customer].append(event)
    product_co: dict[tuple[int, int], float] = defaultdict(float)
    group_co: dict[tuple[int, int], float] = defaultdict(float)
    for (bought, with_it), count in co.items():
        p, q = int(features.product[bought]), int(features.product[with_it])
        if p != q:
            product_co[p, q] += count
        group_co[int(features.group[bought]), int(features.group[with_it])] += count
    return Facts(Counter(event.item for event in log), co, product_co, group_co, decayed, last_ms)


def recency(past: list[Bought], preset: Preset) -> dict[int, float]:
    weights: dict[int, float] = {}
    for event in past:
        if event.item not in weights:
            days = past[0].at_ms // DAY_MS - event.at_ms // DAY_MS
            weights[event.item] = preset.position_decay ** len(weights) * preset.day_decay**days
    return weights


def dot(features: ItemFeatures, one: int, other: int) -> float:
    a, b = int(features.photo_row[one]), int(features.photo_row[other])
    table = features.photo_embeddings
    if a < 0 or b < 0:
        assert features.table_embeddings is not None
        a, b, table = one, other, features.table_embeddings
    return sum(float(x) * float(y) for x, y in zip(table[a], table[b], strict=True))


def scaled(values: dict[int, float], unbought: list[int], item: int) -> float:
    low, high = min(values[i] for i in unbought), max(values[i] for i in unbought)
    return (values[item] - low) / (high - low) if high > low else 1.0


def kilometres(one: tuple[float, float], other: tuple[float, float]) -> float:
    (lat_a, lon_a), (lat_b, lon_b) = ([math.radians(x) for x in place] for place in (one, other))
    angle = math.acos(
        min(1.0, math.sin(lat_a) * math.sin(lat_b) + math.cos(lat_a) * math.cos(lat_b) * math.cos(lon_a - lon_b))
    )
    return 6371.0 * angle


def transcribed(
    features: ItemFeatures,
    known: Facts,
    past: list[Bought],
    *,
    query: Query,
    row: int,
    preset: Preset,
    initial: list[float],
) -> dict[int, dict[str, float]]:
    """Return every part of every item, unweighted, for one purchase."""
    bought, at_ms = past[0].item, past[0].at_ms
    everything = list(range(features.size))
    unbought = [item for item in everything if item not in {event.item for event in past}]
    weights = recency(past, preset)
    trend = float(query.trendiness[row])
    similar = {item: dot(features, bought, item) for item in everything}
    total = {item: initial[item] + known.purchases[item] for item in everything}
    product = {item: int(features.product[item]) for item in everything}
    group = {item: int(features.group[item]) for item in everything}
    sold = sorted(item for item in everything if known.purchases[item])
    products_bought: dict[int, int] = defaultdict(int)
    for item in sold:
        products_bought[product[item]] += known.purchases[item]

    genders = Counter(int(features.gender[event.item]) for event in past)
    votes = {code: genders[code] for code in (1, 2, 4) if genders[code]}
    customer_gender = min(votes, key=lambda code: (-votes[code], code)) if votes else 0
    named = [int(store) for store in query.stores[row] if store >= 0]
    stood = named or [int(features.store[event.item]) for event in past if features.store[event.item] >= 0]
    places = [(float(features.store_latitude_deg[s]), float(features.store_longitude_deg[s])) for s in stood]
    home = tuple(sum(axis) / len(places) for axis in zip(*places, strict=True)) if places else None

    result: dict[int, dict[str, float]] = {}
    for item in everything:
        decay = known.decayed.get(item, 0.0)
        part: dict[str, float] = {}
        evidence = sum(w * known.co.get((j, item), 0.0) for j, w in weights.items())
        part["co_purchase"] = evidence / (known.purchases[item] + preset.shrinkage) ** preset.damping
        of_product = sum(known.decayed.get(i, 0.0) for i in everything if product[i] == product[item])
        product_share = decay / of_product if of_product else 0.0
        evidence = sum(w * known.product_co.get((product[j], product[item]), 0.0) for j, w in weights.items())
        divisor = (products_bought[product[item]] + preset.product_shrinkage) ** preset.damping
        part["product_co_purchase"] = evidence / divisor * product_share
        chance = 0.0
        for j, w in weights.items():
            leaving = sum(count for (g, _), count in known.group_co.items() if g == group[j])
            if leaving:
                chance += (
                    w / sum(weights.values()) * known.group_co.get((group[j], group[item]), 0.0) / max(leaving, 0.5)
                )
        of_group = sum(known.decayed.get(i, 0.0) for i in everything if group[i] == group[item])
        part["transition"] = chance * (decay / of_group if of_group else 0.0)
        recent = sum(w for j, w in weights.items() if product[j] == product[item])
        part["variants"] = recent * (1 - preset.variant_share + preset.variant_share * product_share)
        part["popularity"] = decay * 0.5 ** ((at_ms - known.last_ms) / 1000 / HALF_LIFE_S)
        if preset.scaling == "extremes":
            part["visual"] = scaled(similar, unbought, item)
            standing = scaled(total, unbought, item)
        else:
            part["visual"] = max(similar[item], 0.0)
            lower = sum(known.decayed[i] < decay for i in sold)
            equal = sum(known.decayed[i] == decay for i in sold)
            standing = (lower + equal / 2) / len(sold) if item in sold else 0.0
        part["popularity_fit"] = 1 - abs(standing - trend) ** preset.fit_exponent
        names = [features.category_names[features.category[i]] for i in (bought, item)]
        families = "".join(sorted(GROUP_OF[name] for name in names))
        part["category"] = 1.0 if names[0] == names[1] else 0.8 if families[0] == families[1] else BETWEEN[families]
        gender = int(features.gender[item])
        part["gender"] = 0.5 if 0 in {customer_gender, gender} else float(gender in {customer_gender, 3})
        store = int(features.store[item])
        part["proximity"] = 0.5
        if home is not None and store >= 0:
            there = (float(features.store_latitude_deg[store]), float(features.store_longitude_deg[store]))
            part["proximity"] = math.exp(-kilometres((home[0], home[1]), there) / preset.proximity_scale_km)
        part["repurchase"] = weights.get(item, 0.0)
        result[item] = part
    return result


#: All but the parts that need something beside the catalogue and the stream; they have tests of their own.
EVERYTHING = {name: 0.1 + 0.07 * place for place, name in enumerate(PART_NAMES) if name not in PLAIN_PARTS}


@pytest.mark.parametrize("photo_share", [1.0, 0.0])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    "preset",
    [
        PRESETS["paper"],
        PRESETS["balanced"],
        PRESETS["paper"].weighing({**EVERYTHING, "repurchase": 0.0}),
        PRESETS["balanced"].weighing(EVERYTHING),
    ],
    ids=["paper", "balanced", "paper with every part", "balanced with every part"],
)
def test_every_score_equals_the_transcription(preset: Preset, seed: int, photo_share: float) -> None:
    features = shop(seed, photo_share=photo_share)
    log = purchases(seed)
    log, asking = log[:140], log[140:152]
    loop = learnt(features, log)
    query = question(log, asking, seed)
    top = recommend(query, features, loop.dynamics, preset, k=features.size, exclude_other_views=False, exhaustive=True)
    known = facts(log, features)
    for row, past in enumerate(histories(log, asking)):
        truth = transcribed(
            features, known, past, query=query, row=row, preset=preset, initial=loop.dynamics.initial.tolist()
        )
        listed = [item for item in top.items[row].tolist() if item >= 0]
        assert len(listed) >= features.size - 6
        for place, item in enumerate(listed):
            for name, value in zip(top.part_names, top.parts[row, place].tolist(), strict=True):
                assert value == pytest.approx(preset.weights[name] * truth[item][name], abs=1e-6), (item, name)
            score = sum(preset.weights[name] * truth[item][name] for name in top.part_names)
            assert top.scores[row, place] == pytest.approx(score, abs=1e-6)


def test_paper_scores_reach_from_0_to_their_maximum() -> None:
    features = shop(5)
    log = purchases(5)
    loop = learnt(features, log[:140])
    query = question(log[:140], log[140:], 5)
    preset = PRESETS["paper"]
    top = recommend(query, features, loop.dynamics, preset, k=48, exclude_other_views=False, exhaustive=True)
    shown = top.items >= 0
    assert top.part_names == ("visual", "popularity_fit")
    assert top.scores[shown].max() <= 0.6
    assert top.parts[..., 0][shown].min() == 0.0
    assert top.parts[..., 0].max() == pytest.approx(0.4)


def test_every_named_part_has_a_formula() -> None:
    assert tuple(PARTS) == PART_NAMES


def test_nothing_sold_yet_still_gives_scores() -> None:
    features = shop(7)
    loop = LightLoop(features)
    query = question([], [Bought(1, 3, 1_600_000_000_000)], 7)
    for preset in PRESETS.values():
        top = recommend(query, features, loop.dynamics, preset, k=10, exclude_other_views=True)
        assert (top.items >= 0).all()
        assert np.isfinite(top.scores).all()


def test_an_item_unknown_to_the_catalogue_asks_without_harm() -> None:
    features = shop(8)
    loop = learnt(features, purchases(8)[:50])
    query = question([], [Bought(1, 48, 1_600_000_000_000)], 8)
    for preset in PRESETS.values():
        top = recommend(query, features, loop.dynamics, preset, k=5, exclude_other_views=True)
        assert np.isfinite(top.scores).all()
        assert (top.items >= 0).all()
