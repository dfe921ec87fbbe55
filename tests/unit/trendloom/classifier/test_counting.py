from __future__ import annotations

import pytest

from trendloom.classifier.counting import count_categories
from trendloom.classifier.head import Prediction


def test_counts_come_greatest_first_and_equal_ones_by_name() -> None:
    predictions = [Prediction(label, 0.5, ()) for label in ("hat", "coat", "shoe", "shoe", "hat", "shoe")]
    counts = count_categories(list("abcdef"), predictions)
    assert [(one.label, one.photos) for one in counts] == [("shoe", 3), ("hat", 2), ("coat", 1)]
    assert [one.label for one in count_categories(list("abc"), predictions[:3])] == ["coat", "hat", "shoe"]
    assert len(count_categories(list("abcdef"), predictions, most=1)) == 1


def test_the_expected_numbers_sum_to_the_photos() -> None:
    predictions = [Prediction("hat", 0.7, (("cap", 0.3),)), Prediction("cap", 0.6, (("hat", 0.4),))]
    counts = count_categories(["a", "b"], predictions)
    assert sum(one.expected for one in counts) == pytest.approx(2.0)


def test_no_photo_is_no_category() -> None:
    assert count_categories([], []) == []
