from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics import average_precision_at_k, hit_at_k, map_at_k, ndcg_at_k, rank_of_target

LISTS = np.array([[3, 1, 2], [3, 1, 2], [3, 1, 2], [-1, -1, -1]])


def test_only_the_first_k_count() -> None:
    targets = np.array([3, 1, 2, 3])
    assert [hit_at_k(LISTS, targets, k) for k in (1, 2, 3)] == [0.25, 0.5, 0.75]


def test_ndcg_falls_with_the_rank() -> None:
    expected = (1 + 1 / np.log2(3) + 1 / np.log2(4) + 0) / 4
    assert ndcg_at_k(LISTS, np.array([3, 1, 2, 3]), 3) == pytest.approx(expected)


def test_a_purchase_without_a_target_is_left_out_and_padding_is_never_a_hit() -> None:
    targets = np.array([3, -1, -1, -1])
    assert rank_of_target(LISTS, targets).tolist() == [0, -1, -1, -1]
    assert hit_at_k(LISTS, targets, 3) == 1.0
    assert ndcg_at_k(LISTS, targets, 3) == 1.0


def test_nothing_asked_is_zero() -> None:
    none = np.array([-1, -1, -1, -1])
    assert (hit_at_k(LISTS, none, 3), ndcg_at_k(LISTS, none, 3), map_at_k([], [], 3)) == (0.0, 0.0, 0.0)


def test_average_precision_by_hand() -> None:
    assert average_precision_at_k([9, 4, 9, 7], basket=[4, 7], k=4) == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert average_precision_at_k([4, 4], basket=[4], k=2) == 1.0
    assert average_precision_at_k([4], basket=[], k=2) == 0.0
    assert average_precision_at_k([1, 2], basket=[1, 2, 3, 4, 5], k=2) == 1.0
