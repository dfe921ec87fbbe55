"""A trained model on the stream: by item number, with rules for whom and what it lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from small_shop import START_MS, shop

from trendloom.candidates import recommend
from trendloom.collaborative.model import CollaborativeModel
from trendloom.collaborative.on_stream import StreamModel, mean_takers
from trendloom.relevance.presets import Preset
from trendloom.relevance.query import Query
from trendloom.relevance.trained import customer_vectors


def two_tastes() -> CollaborativeModel:
    """Ann and amy like a0 to a2, bob likes b0 to b2."""
    none = np.zeros((3, 0), np.float32)
    return CollaborativeModel(
        kind="gmf",
        user_ids=("ann", "amy", "bob"),
        item_ids=("a0", "a1", "a2", "b0", "b1", "b2"),
        user_dot=np.array([[2, 0], [1, 0], [0, 2]], np.float32),
        item_dot=np.array([[1, 0], [2, 0], [3, 0], [0, 1], [0, 2], [0, 3]], np.float32),
        item_bias=np.zeros(6, np.float32),
        user_hidden=none,
        item_hidden=np.zeros((6, 0), np.float32),
        layers=(),
        out=np.zeros(0, np.float32),
        start=np.array([0, 1, 2, 3]),
        taken=np.array([0, 0, 3], np.int32),
    )


#: The state numbers the items its own way; a2 is unknown to it, and 0 is an item that the model lacks.
NUMBERS = {"b2": 1, "b1": 2, "b0": 3, "a1": 4, "a0": 5, "new": 0}


def test_scores_are_those_of_the_model_by_number() -> None:
    stream = StreamModel(two_tastes(), NUMBERS, 8)
    customers = stream.customers(["bob", "nobody", "ann"])
    assert np.isnan(customers[1]).all()
    chances = stream.chances(customers, np.array([0, 0, 1, 2, 2]), np.array([1, 0, 1, 4, 7]))
    np.testing.assert_allclose(chances, [1 / (1 + np.exp(-6)), 0, 0, 1 / (1 + np.exp(-4)), 0])
    assert set(stream.best(customers, 2)[0].tolist()) == {1, 2}
    assert stream.best(customers, 2)[1].tolist() == [-1, -1]


def test_a_stranger_stands_for_those_who_took_what_he_took() -> None:
    model = two_tastes()
    np.testing.assert_allclose(mean_takers(model)[0], [1.5, 0])
    stream = StreamModel(model, NUMBERS, 8)
    history = np.array([[5, 3], [0, -1], [5, -1]])
    weight = np.array([[0.75, 0.25], [1, 0], [1, 0]])
    vectors = customer_vectors(stream, stream.customers(["x", "y", "bob"]), history, weight)
    np.testing.assert_allclose(vectors[0], 0.75 * np.array([1.5, 0]) + 0.25 * np.array([0, 2]))
    assert np.isnan(vectors[1]).all()  # nothing known: the part says nothing
    np.testing.assert_allclose(vectors[2], [0, 2])  # whoever was trained keeps his own


def test_lists_hold_what_the_model_proposes() -> None:
    some = shop(1)
    stream = StreamModel(two_tastes(), NUMBERS, some.features.size)
    features = replace(some.features, trained=stream)
    query = Query(
        item=np.array([3, 3], np.int32),
        history=np.array([[3], [3]], np.int32),
        history_ms=np.full((2, 1), START_MS),
        at_ms=np.full(2, START_MS),
        stores=np.full((2, 1), -1, np.int16),
        trendiness=np.zeros(2),
        percentile=np.zeros(2),
        trained=stream.customers(["ann", "stranger"]),
    )
    preset = Preset(name="one", weights={"trained": 1.0})
    top = recommend(query, features, some.dynamics, preset, k=1, exclude_other_views=False)
    assert top.items[:, 0].tolist() == [4, 1]  # ann's taste; the stranger's only purchase is b0
    assert (top.parts[:, 0, 0] > 0.5).all()
