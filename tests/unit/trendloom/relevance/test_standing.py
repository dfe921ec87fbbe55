from __future__ import annotations

import numpy as np
import pytest

from evaluation.light_loop import LightLoop
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.refresh.assortment import features_by_number
from trendloom.relevance.standing import Standing


def sold(items: list[int], *, size: int = 12) -> LightLoop:
    features = features_by_number(random_catalogue(10, np.random.default_rng(2)), np.arange(10), size, {})
    loop = LightLoop(features)
    for place, item in enumerate(items):
        loop.take(np.array([place]), np.array([item]), np.array([1_600_000_000_000 + place]), None)
    return loop


def test_the_most_popular_come_first_and_equal_ones_by_number() -> None:
    loop = sold([])
    loop.take(np.array([1, 2, 3, 4]), np.array([7, 3, 5, 7]), np.full(4, 1_600_000_000_000), None)
    assert Standing(loop.features, loop.dynamics).by_popularity.tolist() == [7, 3, 5]


def test_a_snapshot_does_not_follow_later_purchases() -> None:
    loop = sold([4, 4, 6])
    standing = Standing(loop.features, loop.dynamics)
    loop.take(np.array([9]), np.array([8]), np.array([1_600_000_000_000]), None)
    assert standing.by_popularity.tolist() == [4, 6]
    assert standing.total[8] == 0
    assert standing.percentile[[4, 6, 8]].tolist() == [0.75, 0.25, 0.0]


def test_shares_add_up_to_one_in_every_group_that_sold() -> None:
    loop = sold([0, 1, 2, 2, 5, 9])
    standing = Standing(loop.features, loop.dynamics)
    group = loop.features.group
    totals = {code: standing.group_share[group == code].sum() for code in set(group[[0, 1, 2, 5, 9]].tolist())}
    assert list(totals.values()) == pytest.approx([1.0] * len(totals))
    assert standing.product_purchases.tolist() == [2.0, 2.0, 1.0, 0.0, 1.0]


def test_the_outermost_are_the_extremes_of_the_catalogues_items_and_no_spare_room() -> None:
    loop = sold([])
    loop.dynamics.initial[:10] = [5, 1, 9, 3, 7, 2, 8, 4, 6, 10]
    standing = Standing(loop.features, loop.dynamics)
    low, high = standing.outermost(3)
    assert sorted(low.tolist()) == [1, 3, 5]
    assert sorted(high.tolist()) == [2, 6, 9]
    low, high = standing.outermost(30)
    assert set(low.tolist()) == set(high.tolist()) == set(range(10))
