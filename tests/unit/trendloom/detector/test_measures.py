from __future__ import annotations

import pytest

from trendloom.detector.boxes import Box, BoxTable
from trendloom.detector.measures import average_precision, mean_boxes, recall, score_boxes


def box(label: str, score: float, left: float, top: float = 0.0, side: float = 10.0) -> Box:
    return Box(label, score, left, top, left + side, top + side)


WANTED = {"a": [box("top", 1, 0), box("bag", 1, 50)], "b": [box("top", 1, 0)]}


def test_perfect_boxes_have_a_precision_and_a_recall_of_one() -> None:
    scores = score_boxes(WANTED, WANTED, ("top", "bag", "shoes"))
    assert scores.mean_average_precision == 1.0
    assert dict(scores.average_precision) == {"top": 1.0, "bag": 1.0}  # there are no shoes to be found
    assert set(scores.recall.values()) == {1.0}
    assert (scores.photos, scores.boxes, scores.proposals_per_photo) == (2, 3, 1.5)


def test_a_garment_found_twice_is_right_once() -> None:
    found = {"a": [box("top", 0.9, 0), box("top", 0.8, 1)], "b": [box("top", 0.7, 0)]}
    # right, wrong, right: 1/2 at precision 1, 1/2 at precision 2/3
    assert average_precision(found, WANTED, "top") == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_the_class_counts_for_precision_and_not_for_recall() -> None:
    found = {"a": [box("bag", 0.9, 0), box("bag", 0.3, 50)], "b": []}
    assert average_precision(found, WANTED, "top") == 0.0
    assert recall(found, WANTED, 6) == pytest.approx(2 / 3)
    assert recall(found, WANTED, 1) == pytest.approx(1 / 3)


def test_too_little_overlap_is_nothing() -> None:
    found = {"a": [box("top", 0.9, 4)], "b": []}  # 6 of 14 in common
    assert average_precision(found, WANTED, "top") == 0.0
    assert average_precision(found, WANTED, "top", iou=0.4) == 0.5


def test_mean_boxes_are_in_shares_of_the_photos_sides() -> None:
    table = BoxTable(
        {"a": (box("top", 1, 0),), "b": (box("top", 1, 20),), "c": (box("bag", 1, 0),)},
        {"b": (200, 200)},
        ("bag", "top"),
    )
    sizes = {"a": (100, 100), "b": (100, 100), "c": (50, 100)}
    found = mean_boxes(table, ["a", "b"], sizes)
    (only,) = found["c"]
    assert (only.label, only.score) == ("top", 1.0)
    # in a 0..0.1, in b 10..15 of 100: the mean is 0.05..0.125 of 50
    assert only.left == pytest.approx(2.5)
    assert only.right == pytest.approx(6.25)
