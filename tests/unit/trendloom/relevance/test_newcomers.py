"""New items get the places that are kept for them, and nothing that is barred comes with them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from trendloom.catalogue.synthetic import random_catalogue
from trendloom.refresh.assortment import features_by_number
from trendloom.relevance.features import ItemFeatures
from trendloom.relevance.newcomers import with_newcomers
from trendloom.relevance.query import Query
from trendloom.relevance.top_k import TopK

N, K = 40, 5


@pytest.fixture
def features() -> ItemFeatures:
    return features_by_number(random_catalogue(N, np.random.default_rng(3)), np.arange(N), N, {})


def asking(*bought: int, before: int = -1) -> Query:
    item = np.array(bought, np.int32)
    history = np.stack([item, np.full(len(bought), before, np.int32)], axis=1)
    nothing = np.zeros(len(bought))
    return Query(
        item, history, np.zeros(history.shape, np.int64), np.zeros(len(bought), np.int64), history, nothing, nothing
    )


def listing(*rows: list[int]) -> TopK:
    items = np.array([row + [-1] * (K - len(row)) for row in rows], np.int32)
    parts = np.where(items >= 0, np.linspace(2.0, 1.0, K), 0.0)[:, :, None] * np.array([0.25, 0.75])
    return TopK(items, parts.sum(axis=2), parts, ("popularity", "visual"))


def sold_all_but(*new: int) -> npt.NDArray[np.int64]:
    purchases = np.full(N, 9)
    purchases[list(new)] = 0
    return purchases


def around(features: ItemFeatures, bought: int, count: int) -> list[int]:
    """Return the nearest neighbours that are no other views of the garment."""
    view = features.view_group[bought]
    near = [int(item) for item in features.neighbours[bought] if item >= 0]
    return [item for item in near if view < 0 or features.view_group[item] != view][:count]


def test_the_nearest_new_items_take_the_last_places(features: ItemFeatures) -> None:
    one, two, three = around(features, 0, 3)
    others = [item for item in range(1, N) if item not in {one, two, three}][:K]
    top = listing(others, others[:2])
    found = with_newcomers(top, asking(0, 0), features, sold_all_but(one, two, three), places=2, visual_weight=0.5)
    assert found.items[0].tolist() == [*others[:3], one, two]
    assert found.items[1].tolist() == [*others[:2], one, two, -1]  # a list with room loses nothing
    similarity = features.neighbour_similarity[0, features.neighbours[0].tolist().index(one)]
    assert found.parts[0, 3].tolist() == pytest.approx([0.0, 0.5 * float(similarity)])
    assert found.scores == pytest.approx(found.parts.sum(axis=2))
    assert found.scores[0, :3] == pytest.approx(top.scores[0, :3])


def test_a_new_item_that_won_its_place_counts_and_stays(features: ItemFeatures) -> None:
    one, two = around(features, 0, 2)
    others = [item for item in range(1, N) if item not in {one, two}][: K - 1]
    top = listing([*others, one])
    same = with_newcomers(top, asking(0), features, sold_all_but(one, two), places=1)
    assert same is top
    found = with_newcomers(top, asking(0), features, sold_all_but(one, two), places=2)
    assert found.items[0].tolist() == [*others[:-1], one, two]


def test_what_is_barred_stays_out(features: ItemFeatures) -> None:
    one, two, three = around(features, 0, 3)
    others = [item for item in range(1, N) if item not in {one, two, three}][:K]
    withdrawn = np.zeros(N, np.bool_)
    withdrawn[two] = True
    found = with_newcomers(
        listing(others),
        asking(0, before=one),
        features,
        sold_all_but(one, two, three),
        places=1,
        withdrawn=withdrawn,
    )
    assert found.items[0].tolist() == [*others[:-1], three]


def test_other_views_of_the_garment_are_no_newcomers_unless_they_may_be_listed(features: ItemFeatures) -> None:
    bought = next(
        item for item in range(N) if len(around(features, item, N)) < int((features.neighbours[item] >= 0).sum())
    )
    view = next(
        int(other)
        for other in features.neighbours[bought]
        if other >= 0 and features.view_group[other] == features.view_group[bought]
    )
    top = listing([item for item in range(N) if item not in {bought, view}][:K])
    assert with_newcomers(top, asking(bought), features, sold_all_but(view), places=1) is top
    found = with_newcomers(top, asking(bought), features, sold_all_but(view), places=1, exclude_other_views=False)
    assert found.items[0, -1] == view


def test_an_item_is_new_until_it_was_bought_so_often(features: ItemFeatures) -> None:
    (one,) = around(features, 0, 1)
    purchases = np.full(N, 9)
    purchases[one] = 4
    top = listing([item for item in range(1, N) if item != one][:K])
    assert with_newcomers(top, asking(0), features, purchases, places=1, sold_fewer_than=4) is top
    assert with_newcomers(top, asking(0), features, purchases, places=1, sold_fewer_than=5).items[0, -1] == one


def test_nothing_bought_or_nothing_new_changes_nothing(features: ItemFeatures) -> None:
    top = listing([1, 2, 3, 4, 5])
    assert with_newcomers(top, asking(-1), features, sold_all_but(7), places=1) is top
    assert with_newcomers(top, asking(0), features, np.full(N, 9), places=3) is top
