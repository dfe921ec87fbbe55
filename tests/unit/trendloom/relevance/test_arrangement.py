from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trendloom.catalogue.synthetic import random_catalogue
from trendloom.refresh.assortment import features_by_number
from trendloom.relevance.arrangement import DIVERSITY, Arrangement, arranged
from trendloom.relevance.features import ItemFeatures
from trendloom.relevance.top_k import TopK
from trendloom.relevance.visual import similarity

FEATURES: ItemFeatures = features_by_number(random_catalogue(60, np.random.default_rng(4)), np.arange(60), 60, {})


def pool(seed: int, *, rows: int = 6, width: int = 20) -> tuple[TopK, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    rng = np.random.default_rng(seed)
    items = np.stack([rng.permutation(60)[:width] for _ in range(rows)]).astype(np.int32)
    parts = np.sort(rng.random((rows, width, 2)), axis=1)[:, ::-1]
    ends = rng.integers(width // 2, width + 1, size=rows)  # some lists are shorter
    closed = np.arange(width) >= ends[:, None]
    items[closed] = -1
    parts = np.where(closed[:, :, None], 0.0, parts)
    return TopK(items, parts.sum(axis=2), parts, ("visual", "popularity")), rng.integers(-1, 60, size=rows)


def by_hand(top: TopK, bought: int, rules: Arrangement, k: int, row: int) -> list[tuple[int, float]]:
    """One list, one place after the other, as the docstring says it."""
    items = [int(item) for item in top.items[row] if item >= 0]
    scores = dict(zip(items, top.scores[row].tolist(), strict=False))
    own = FEATURES.category[bought] if bought >= 0 else -1
    others = {item for item in items if FEATURES.category[item] != own}
    owed = min(len(others), rules.complements, k)
    best, chosen = max(top.scores[row, 0], 0.0), list[tuple[int, float]]()

    def like(one: int, two: int) -> float:
        if FEATURES.product[one] == FEATURES.product[two] >= 0:
            return 1.0
        return max(float(similarity(FEATURES, np.array([one]), np.array([two]))[0]), 0.0)

    def fits(item: int) -> bool:
        held = [other for other, _ in chosen]
        of_product = sum(FEATURES.product[other] == FEATURES.product[item] >= 0 for other in held)
        of_type = sum(FEATURES.category[other] == FEATURES.category[item] for other in held)
        return not (0 < rules.per_product <= of_product) and not (0 < rules.per_type <= of_type)

    while len(chosen) < k:
        left = [item for item in items if item not in {other for other, _ in chosen} and fits(item)]
        if owed >= k - len(chosen) and any(item in others for item in left):
            left = [item for item in left if item in others]
        if not left:
            break
        value = {
            item: scores[item] - rules.diversity * best * max((like(item, other) for other, _ in chosen), default=0.0)
            for item in left
        }
        taken = max(left, key=lambda item: value[item])
        owed -= taken in others
        chosen.append((taken, value[taken]))
    return chosen


@pytest.mark.parametrize(
    "rules",
    [
        Arrangement(per_type=2),
        Arrangement(per_product=1),
        Arrangement(diversity=0.3),
        Arrangement(complements=7),
        Arrangement(per_product=1, per_type=2, complements=6, diversity=0.5),
    ],
)
@pytest.mark.parametrize("seed", range(6))
def test_lists_are_those_made_by_hand(rules: Arrangement, seed: int) -> None:
    top, bought = pool(seed)
    found = arranged(top, FEATURES, bought, rules, 8)
    for row in range(len(bought)):
        wanted = by_hand(top, int(bought[row]), rules, 8, row)
        listed = found.items[row][found.items[row] >= 0].tolist()
        assert listed == [item for item, _ in wanted]
        assert found.scores[row, : len(wanted)] == pytest.approx([value for _, value in wanted], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(0, 3),
    st.integers(0, 4),
    st.integers(0, 10),
    st.floats(0.0, 1.0),
)
def test_what_holds_for_all_rules(seed: int, product: int, kind: int, complements: int, diversity: float) -> None:
    top, bought = pool(seed, rows=3)
    rules = Arrangement(per_product=product, per_type=kind, complements=complements, diversity=diversity)
    found = arranged(top, FEATURES, bought, rules, 10)
    assert found.items.shape == (3, 10)
    assert found.parts.sum(axis=2) == pytest.approx(found.scores)
    for row in range(3):
        items = found.items[row][found.items[row] >= 0]
        assert np.unique(items).size == items.size
        assert np.isin(items, top.items[row]).all()
        scores = found.scores[row, : items.size]
        assert (np.diff(scores) <= 1e-9).all() or complements
        if product:
            known = FEATURES.product[items]
            assert np.bincount(known[known >= 0], minlength=1).max() <= product
        if kind:
            assert np.bincount(FEATURES.category[items], minlength=1).max() <= kind


def test_no_rule_and_no_likeness_change_nothing() -> None:
    top, bought = pool(1)
    found = arranged(top, FEATURES, bought, Arrangement(), 10)
    assert found.items.tolist() == top.first(10).items.tolist()
    assert found.part_names == top.part_names
    assert not Arrangement(pool=80).rules


def test_the_more_diversity_the_less_alike() -> None:
    top, bought = pool(3, rows=40)

    def alike(weight: float) -> float:
        items = arranged(top, FEATURES, bought, Arrangement(diversity=weight), 5).items
        pairs = [(one, two) for row in items.tolist() for one in row for two in row if one < two]
        one, two = (np.array(column) for column in zip(*pairs, strict=True))
        return float(similarity(FEATURES, one, two).mean())

    assert alike(0.0) > alike(0.3) > alike(1.0)
    assert arranged(top, FEATURES, bought, Arrangement(diversity=0.3), 5).part_names[-1] == DIVERSITY


def test_complements_come_where_there_are_any() -> None:
    kind = FEATURES.category
    bought = np.array([0, 0])
    same, other = np.flatnonzero(kind == kind[0])[1:7], np.flatnonzero(kind != kind[0])[:2]
    items = np.stack([np.append(same, other), np.append(same, [-1, -1])]).astype(np.int32)
    scores = np.linspace(1, 0.1, items.shape[1])[None, :] * np.ones((2, 1)) * (items >= 0)
    top = TopK(items, scores, scores[:, :, None], ("visual",))
    found = arranged(top, FEATURES, bought, Arrangement(complements=2), 4).items
    assert found[0].tolist() == [*same[:2], *other]
    assert found[1].tolist() == same[:4].tolist()


def test_nobody_and_nothing() -> None:
    empty = TopK(np.empty((0, 20), np.int32), np.empty((0, 20)), np.empty((0, 20, 1)), ("visual",))
    rules = Arrangement(per_type=1, diversity=0.5)
    assert arranged(empty, FEATURES, np.empty(0, np.int64), rules, 5).items.shape == (0, 5)
    none = TopK(np.full((2, 20), -1, np.int32), np.zeros((2, 20)), np.zeros((2, 20, 1)), ("visual",))
    assert (arranged(none, FEATURES, np.array([1, -1]), rules, 5).items == -1).all()


def test_diversity_counts_where_scores_are_below_zero() -> None:
    top, bought = pool(3, rows=40)
    shift = np.where(top.items[:, :, None] >= 0, -4.0, 0.0)
    below = TopK(top.items, top.scores + shift[:, :, 0] * 2, top.parts + shift, top.part_names)
    plain = arranged(below, FEATURES, bought, Arrangement(), 5)
    diverse = arranged(below, FEATURES, bought, Arrangement(diversity=1.0), 5)
    assert plain.items.tolist() == below.first(5).items.tolist()
    assert (diverse.items != plain.items).any(axis=1).mean() > 0.5
    assert diverse.parts.sum(axis=2) == pytest.approx(diverse.scores)
