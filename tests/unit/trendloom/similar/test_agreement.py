from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.similar.agreement import LABEL_WEIGHT, label_bonus, match_labels


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=30), st.floats(0, 10))
def test_no_label_gains_and_none_loses_more_than_the_weight(raw: list[float], weight: float) -> None:
    probabilities = np.array([raw]) / sum(raw)
    bonus = label_bonus(probabilities, weight)[0]
    assert bonus.max() <= 0.0
    assert bonus[int(probabilities.argmax())] == 0.0
    assert bonus.min() >= -weight - 1e-6
    assert bonus[:-1].min() <= bonus[-1] <= 0.0


@given(st.floats(1e-9, 1.0), st.integers(1, 60), st.floats(0, 10))
def test_equal_probabilities_weigh_exactly_nothing(probability: float, labels: int, weight: float) -> None:
    assert not label_bonus(np.full((2, labels), probability), weight).any()
    assert not label_bonus(np.full((2, labels), probability, np.float32), weight).any()


def test_the_default_weight_is_mild() -> None:
    assert label_bonus(np.array([[1.0, 0.0]]))[0] == pytest.approx([0.0, -LABEL_WEIGHT, -LABEL_WEIGHT / 2])
    assert 0 < LABEL_WEIGHT < 1


def test_names_are_matched_as_people_would() -> None:
    told = ["T-Shirt", "tees", "Dress", "DRESSES", "Polo shirts", ""]
    assert match_labels(told, ["polo_shirt", "Dress", "Tee", "tshirt"]).tolist() == [3, 2, 1, -1, 0, -1]
