from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_shop import asking, shop

from trendloom.bounded_counts import BoundedCounts
from trendloom.candidates import recommend
from trendloom.relevance.colour import PRIOR_HALVES, ColourPairs
from trendloom.relevance.presets import PRESETS


def test_what_nobody_bought_follows_as_by_chance() -> None:
    assert ColourPairs(np.array([0, 1, -1])).lifts().tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert ColourPairs(np.array([-1])).lifts().shape == (0, 0)


def test_a_lift_is_the_shrunk_chance_against_the_share() -> None:
    learned = ColourPairs(np.array([0, 0, 1]))
    learned.learn_pairs(np.array([0, 0]), np.array([1, 2]), np.array([2, 6]))
    # colour 0: 2 + 2 with itself, 6 with colour 1; 16 half units in all, of which 10 begin at colour 0
    share = np.array([10 / 16, 6 / 16])
    chance = (4 + PRIOR_HALVES * share[0]) / (10 + PRIOR_HALVES)
    np.testing.assert_allclose(learned.lifts()[0, 0], chance / share[0])


def test_unknown_items_and_colours_teach_nothing() -> None:
    learned = ColourPairs(np.array([0, -1]))
    learned.learn_pairs(np.array([0, 0]), np.array([1, 9]), np.array([2, 2]))
    assert learned.counts.sum() == 0


def test_what_is_learnt_can_be_made_anew_from_the_co_purchase_counts() -> None:
    rng = np.random.default_rng(3)
    colour = rng.integers(-1, 4, size=40)
    co, learned = BoundedCounts(keep=96, limit=128), ColourPairs(colour)
    rows, columns = rng.integers(40, size=(2, 300))
    rows, columns = rows[rows != columns], columns[rows != columns]
    weights = rng.integers(1, 3, size=rows.size)
    co.count_pairs(rows, columns, weights)
    learned.learn_pairs(rows, columns, weights)
    np.testing.assert_array_equal(ColourPairs.rebuilt(co, colour).counts, learned.counts)


def test_the_part_is_the_transition_times_how_much_the_colour_is_beyond_chance() -> None:
    some = shop(4)
    colour = (np.arange(some.features.size) % 3).astype(np.int16)
    features = replace(some.features, colour=colour)
    some.dynamics.colours = ColourPairs.rebuilt(some.dynamics.co, colour)
    query = asking([[(7, 0), (12, 40_000_000)], [(30, 0)]])
    preset = PRESETS["balanced"].weighing({"colour": 9.0})
    top = recommend(query, features, some.dynamics, preset, k=30, exclude_other_views=False)
    transition, part = (top.part_names.index(name) for name in ("transition", "colour"))
    lifts = some.dynamics.colours.lifts()
    met = top.items[1] >= 0
    lift = lifts[colour[30], colour[top.items[1][met]]]
    np.testing.assert_allclose(top.parts[1, met, part], top.parts[1, met, transition] * (lift - 1.0), atol=1e-12)


def test_without_colours_the_part_is_0() -> None:
    some = shop(4)
    top = recommend(
        asking([[(7, 0)]]),
        some.features,
        some.dynamics,
        PRESETS["balanced"].weighing({"colour": 9.0}),
        k=5,
        exclude_other_views=False,
    )
    assert top.parts[..., top.part_names.index("colour")] == pytest.approx(0.0)
