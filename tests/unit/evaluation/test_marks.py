from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.marks import METRICS, gini, mark
from evaluation.metrics import average_precision_at_k, hit_at_k, ndcg_at_k
from trendloom.relevance.features import Lists

ITEMS = 12
LISTED = st.lists(st.integers(0, ITEMS - 1), min_size=0, max_size=6, unique=True)
WANTED = st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=8, unique=True)


def padded(lists: list[list[int]], k: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    out = np.full((len(lists), k), -1, np.int64)
    for row, items in enumerate(lists):
        out[row, : len(items)] = items
    return out


def answers_of(wanted: list[list[int]]) -> Lists:
    starts = np.cumsum([0, *map(len, wanted)]).astype(np.int64)
    return Lists(starts, np.array([item for items in wanted for item in items], np.int64))


@given(st.lists(st.tuples(LISTED, WANTED), min_size=1, max_size=6))
def test_marks_are_the_means_metrics_list_by_list(pairs: list[tuple[list[int], list[int]]]) -> None:
    listed, wanted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = mark(padded(listed, 6), answers_of(wanted), np.arange(len(pairs)), ITEMS)
    for row, (items, basket) in enumerate(pairs):
        assert found[row, METRICS.index("map")] == pytest.approx(average_precision_at_k(items, basket, 6))
        assert found[row, METRICS.index("hit")] == float(bool(set(items) & set(basket)))
        assert found[row, METRICS.index("recall")] == pytest.approx(len(set(items) & set(basket)) / len(basket))
        first = [place for place, item in enumerate(items, 1) if item in basket]
        assert found[row, METRICS.index("mrr")] == pytest.approx(1 / first[0] if first else 0.0)
        assert 0.0 <= found[row, METRICS.index("ndcg")] <= 1.0 + 1e-6


@given(st.lists(st.tuples(LISTED, st.integers(0, ITEMS - 1)), min_size=1, max_size=6))
def test_of_one_wanted_item_hit_and_ndcg_are_the_metrics(pairs: list[tuple[list[int], int]]) -> None:
    lists, targets = padded([pair[0] for pair in pairs], 6), np.array([pair[1] for pair in pairs])
    found = mark(lists, answers_of([[target] for target in targets.tolist()]), np.arange(len(pairs)), ITEMS)
    assert found[:, 0].mean() == pytest.approx(hit_at_k(lists, targets, 6))
    assert found[:, 3].mean() == pytest.approx(ndcg_at_k(lists, targets, 6), abs=1e-6)


def test_a_perfect_list_is_perfect_in_all() -> None:
    found = mark(np.array([[3, 4, -1]]), answers_of([[4, 3]]), np.array([0]), ITEMS)
    assert found[0].tolist() == [1.0] * len(METRICS)


def test_gini_does_not_depend_on_the_order_or_the_amount() -> None:
    assert gini(np.array([5, 1, 0, 2])) == pytest.approx(gini(np.array([0, 4, 10, 2])))
    assert gini(np.zeros(4, np.int64)) == 0.0
