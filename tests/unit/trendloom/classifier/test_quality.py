from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.classifier.quality import calibration_error, confusion, fit_temperature, measure, softmax


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 5.0))
def test_probabilities_sum_to_one_and_temperature_changes_no_choice(seed: int, temperature: float) -> None:
    logits = np.random.default_rng(seed).normal(scale=8.0, size=(20, 5))
    probabilities = softmax(logits, temperature)
    assert np.allclose(probabilities.sum(axis=1), 1.0)
    assert (probabilities.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_logits_of_any_size_give_numbers() -> None:
    assert softmax(np.array([[1e4, -1e4, 0.0]])).tolist() == [[1.0, 0.0, 0.0]]


def test_the_temperature_undoes_a_known_exaggeration() -> None:
    rng = np.random.default_rng(6)
    logits = rng.normal(size=(20_000, 3))
    wanted = np.array([rng.choice(3, p=row) for row in softmax(logits)])
    assert fit_temperature(3.0 * logits, wanted) == pytest.approx(3.0, rel=0.05)
    exaggerated, mended = softmax(3.0 * logits), softmax(3.0 * logits, 3.0)
    assert calibration_error(mended, wanted) < 0.02 < calibration_error(exaggerated, wanted)


def test_calibration_error_of_certain_photos() -> None:
    sure = np.array([[1.0, 0.0]] * 10)
    assert calibration_error(sure, np.zeros(10, int)) == 0.0
    assert calibration_error(sure, np.ones(10, int)) == 1.0


def test_classes_without_photos_do_not_count() -> None:
    quality = measure(np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]]), np.array([0, 1]))
    assert (quality.accuracy, quality.macro_recall) == (1.0, 1.0)
    assert np.isnan(quality.recall[2])
    told = quality.as_dict(("a", "b", "c"))
    assert told["classes"] == {
        "a": {"photos": 1, "recall": 1.0},
        "b": {"photos": 1, "recall": 1.0},
        "c": {"photos": 0, "recall": None},
    }


def test_rows_are_true_classes() -> None:
    assert confusion(np.array([1, 1, 2]), np.array([0, 0, 2]), 3).tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 1]]
