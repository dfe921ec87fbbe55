from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trendloom.catalogue.synthetic import random_catalogue
from trendloom.refresh.assortment import features_by_number
from trendloom.relevance.visual import cosine, similarity

VECTORS = arrays(np.float64, (3, 5), elements=st.floats(-10, 10))


@given(VECTORS, VECTORS)
def test_cosine_is_bounded_and_symmetric(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> None:
    there = cosine(a, b)
    assert (np.abs(there) <= 1.0).all()
    assert there.tolist() == pytest.approx(cosine(b, a).tolist())


@given(VECTORS, st.floats(0.1, 100))
def test_cosine_ignores_length(a: npt.NDArray[np.float64], factor: float) -> None:
    whole = np.linalg.norm(a, axis=1) > 1e-3
    assert cosine(a, factor * a)[whole].tolist() == pytest.approx([1.0] * int(whole.sum()))


def test_zero_rows_are_like_nothing() -> None:
    assert cosine(np.zeros((1, 4)), np.ones((1, 4))).tolist() == [0.0]


@pytest.mark.parametrize("runs", [True, False])
def test_similarity_agrees_with_the_catalogue(runs: bool) -> None:
    catalogue = random_catalogue(60, np.random.default_rng(4), photo_share=0.6)
    features = features_by_number(catalogue, np.arange(60), 60, {})
    rng = np.random.default_rng(5)
    bought, items = rng.integers(60, size=900), rng.integers(60, size=900)
    if runs:  # as scoring asks: all candidates of one purchase in a row
        bought = np.sort(bought) // 10
    expected = catalogue.similarity(bought, items)
    assert similarity(features, bought, items).tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_unknown_items_are_like_nothing() -> None:
    catalogue = random_catalogue(10, np.random.default_rng(4))
    features = features_by_number(catalogue, np.arange(10), 12, {})
    assert similarity(features, np.array([-1, 3, 3, 11]), np.array([3, -1, 99, 3])).tolist() == [0.0] * 4
