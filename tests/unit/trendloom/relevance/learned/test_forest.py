"""Forests: what LightGBM's text says, walked without LightGBM."""

import numpy as np
import pytest

from trendloom.errors import InputError
from trendloom.relevance.compiled.steps import BUCKETS
from trendloom.relevance.learned.forest import Forest, forest_of_text
from trendloom.relevance.learned.steps import sum_best

pytestmark = pytest.mark.timeout(120)  # the first one compiles the walk

TEXT = """tree
version=v4
num_class=1

Tree=0
num_leaves=3
num_cat=0
split_feature=1 0
threshold=0.5 -2
decision_type=2 2
left_child=1 -1
right_child=-2 -3
leaf_value=1 -1 4
leaf_count=10 30 60
is_linear=0
shrinkage=1


Tree=1
num_leaves=1
num_cat=0
leaf_value=0.25
shrinkage=1


end of trees
"""


def test_a_text_model_is_walked_as_it_says() -> None:
    forest = forest_of_text(TEXT)
    rows = np.array([[-2.0, 0.5], [-1.9, 0.4], [9.0, 0.6]], np.float32)
    assert forest.n_trees == 2
    assert forest.sums(rows).tolist() == [1.25, 4.25, -0.75]


def test_only_the_best_after_the_first_trees_are_asked_of_the_rest() -> None:
    forest = forest_of_text(TEXT)
    rows = np.array([[-2.0, 0.5], [-1.9, 0.4], [9.0, 0.6]], np.float32)
    out, spare = np.empty(3), np.empty(3)
    order, walk, counts = np.empty(3, np.int64), np.empty(3, np.int32), np.empty(BUCKETS, np.int64)
    sum_best(rows, 3, *forest.walk, 1, 2, out, walk, order, spare, counts)
    assert out.tolist() == [1.25, 4.25, -np.inf]
    sum_best(rows, 3, *forest.walk, 1, 3, out, walk, order, spare, counts)
    assert out.tolist() == [1.25, 4.25, -0.75]


def test_a_limit_between_two_floats_parts_them_as_the_threshold_does() -> None:
    below = np.float32(0.1)  # .1 as a float32 lies above .1
    above = np.nextafter(below, np.float32(0.0))
    rows = np.array([[below], [above]], np.float32)
    inner, none = np.array([0, -1, -1], np.int32), np.zeros(1, np.int32)
    forest = Forest(
        inner,
        np.array([0.1, 0.0, 0.0]),
        np.array([1, 0, 0], np.int32),
        np.array([2, 0, 0], np.int32),
        np.array([0.0, -1.0, 2.0]),
        none,
    )
    assert forest.sums(rows).tolist() == [2.0, -1.0]


def test_parts_follow_the_path_and_sum_to_the_score() -> None:
    forest = forest_of_text(TEXT)
    mean_left = (10 * 1 + 60 * 4) / 70
    mean = (10 * 1 + 60 * 4 - 30) / 100
    assert forest.base == pytest.approx(mean + 0.25)
    parts = forest.parts(np.array([9.0, 0.0], np.float32))
    assert parts.tolist() == pytest.approx([4 - mean_left, mean_left - mean])
    assert parts.sum() + forest.base == pytest.approx(4.25)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [("num_cat=0", "num_cat=1"), ("decision_type=2 2", "decision_type=4 4"), ("Tree=", "Bush=")],
)
def test_what_is_not_known_is_refused(was: str, becomes: str) -> None:
    with pytest.raises(InputError, match="Action: train"):
        forest_of_text(TEXT.replace(was, becomes))


def test_sums_are_those_that_lightgbm_predicts() -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="the extra ranking is not installed")
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(2_000, 6)).astype(np.float32)
    rows[:, 5] = rng.integers(0, 4, size=2_000)
    label = (rows[:, 0] + rows[:, 1] * rows[:, 5] + rng.normal(size=2_000) > 1).astype(int)
    parameters = {"objective": "lambdarank", "num_leaves": 15, "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}
    booster = lightgbm.train(parameters, lightgbm.Dataset(rows, label, group=[20] * 100), 30)
    forest: Forest = forest_of_text(booster.model_to_string())
    assert forest.n_trees == 30
    assert np.abs(forest.sums(rows) - booster.predict(rows)).max() < 1e-12
    explained = np.array([forest.parts(row) for row in rows[:50]]).sum(axis=1) + forest.base
    assert np.abs(explained - forest.sums(rows[:50])).max() < 1e-9
