"""Untaken items: never a taken one, each as likely as any other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.collaborative.negatives import Untaken


@given(st.lists(st.sets(st.integers(0, 7), max_size=7), min_size=1, max_size=5))
def test_the_untaken_items_are_all_there_in_order(taken: list[set[int]]) -> None:
    start = np.cumsum([0, *(len(mine) for mine in taken)])
    item = np.array([one for mine in taken for one in sorted(mine, reverse=True)], np.int64)
    untaken = Untaken(start, item, 8)
    for user, mine in enumerate(taken):
        nth = np.arange(untaken.sizes[user])
        assert untaken.nth(np.full(nth.size, user), nth).tolist() == sorted(set(range(8)) - mine)


def test_draws_are_uniform_and_distinct_ones_differ() -> None:
    untaken = Untaken(np.array([0, 3]), np.array([5, 1, 2]), 10)
    rng = np.random.default_rng(4)
    counts = np.bincount(untaken.draw(np.zeros(2000, np.int64), 7, rng).ravel(), minlength=10)
    assert counts[[1, 2, 5]].tolist() == [0, 0, 0]
    assert abs(counts[counts > 0] / 2000 - 1).max() < 0.12
    distinct = untaken.draw_distinct(np.zeros(500, np.int64), 6, rng)
    assert all(len(set(row)) == 6 for row in distinct.tolist())
    assert abs(np.bincount(distinct.ravel(), minlength=10)[[0, 3, 9]] / 500 - 6 / 7).max() < 0.08


def test_who_took_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="every item"):
        Untaken(np.array([0, 2]), np.array([0, 1]), 2)
    with pytest.raises(ValueError, match="fewer than 2"):
        Untaken(np.array([0, 1]), np.array([0]), 2).draw_distinct(np.array([0]), 2, np.random.default_rng(0))
