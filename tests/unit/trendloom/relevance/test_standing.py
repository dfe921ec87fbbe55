from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluation.light_loop import LightLoop
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.refresh.assortment import features_by_number
from trendloom.relevance.standing import Standing

#: Few different scores, so that many are equal, and some that never sold.
SCORES = st.sampled_from([-np.inf, 0.0, 0.5, 1.0, 1.5, 2.0, 7.0])


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


@given(st.data())
def test_a_mended_order_is_the_one_made_anew(data: st.DataObject) -> None:
    """Whatever changed, sold for the first time, or was lost: ``before`` saves time and changes nothing."""
    loop = sold([])
    n = loop.features.size
    scores: npt.NDArray[np.float64] = data.draw(arrays(np.float64, n, elements=SCORES))
    before = Standing(loop.features, replace(loop.dynamics, slow=scores))
    if data.draw(st.booleans()):
        assert before.by_popularity.size == (scores > -np.inf).sum()
    for _ in range(3):
        scores = scores.copy()
        scores[data.draw(st.lists(st.integers(0, n - 1), max_size=3))] = data.draw(SCORES)
        dynamics = replace(loop.dynamics, slow=scores)
        mended, anew = Standing(loop.features, dynamics, before), Standing(loop.features, dynamics)
        assert mended.by_popularity.tolist() == anew.by_popularity.tolist()
        assert mended.percentile.tolist() == anew.percentile.tolist()
        before = mended


def test_a_long_order_is_mended_with_many_ties_and_with_few() -> None:
    rng = np.random.default_rng(3)
    features = features_by_number(random_catalogue(2, rng), np.arange(2), 20_000, {})
    for kinds in (3, 5_000, 10**9):
        dynamics = LightLoop(features).dynamics
        dynamics.slow[:] = rng.integers(kinds, size=features.size)
        before = Standing(features, dynamics)
        assert before.by_popularity.size == features.size
        dynamics.slow[rng.integers(features.size, size=900)] = rng.integers(kinds, size=900)
        mended = Standing(features, dynamics, before)
        assert mended.by_popularity.tolist() == np.lexsort((np.arange(features.size), -dynamics.slow)).tolist()


@pytest.mark.parametrize("kinds", [2, 40, 10**9])
def test_the_outermost_of_many_are_those_of_a_full_sort(kinds: int) -> None:
    rng = np.random.default_rng(kinds)
    features = features_by_number(random_catalogue(2, rng), np.arange(2), 30_000, {})
    dynamics = LightLoop(features).dynamics
    dynamics.initial[:] = 1 + rng.integers(kinds, size=features.size)
    low, high = Standing(features, dynamics).outermost(21)
    number, total = np.arange(features.size), dynamics.initial
    assert low.tolist() == np.lexsort((number, total))[:21].tolist()
    assert high.tolist() == np.lexsort((number, -total))[:21].tolist()
