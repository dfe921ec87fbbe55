from __future__ import annotations

import numpy as np
import pytest

from trendloom.relevance.query import DAY_MS, Query


def query(history: list[list[int]], days: list[list[int]]) -> Query:
    shape = (len(history), len(history[0]))
    return Query(
        item=np.array([row[0] for row in history], np.int32),
        history=np.array(history, np.int32),
        history_ms=np.array(days, np.int64) * DAY_MS + 5,
        at_ms=np.array([row[0] for row in days], np.int64) * DAY_MS + 5,
        stores=np.full(shape, -1, np.int16),
        trendiness=np.zeros(shape[0]),
        percentile=np.zeros(shape[0]),
    )


def test_positions_count_distinct_items_only() -> None:
    asked = query([[4, 4, 6, 4, 9, -1], [1, 2, 3, 4, 5, 6]], [[9, 9, 9, 8, 7, 0], [9] * 6])
    weight = asked.recency(0.5, 0.1)
    assert weight[0].tolist() == pytest.approx([1.0, 0.0, 0.5, 0.0, 0.25 * 0.01, 0.0])
    assert weight[1].tolist() == pytest.approx([0.5**place for place in range(6)])


def test_a_history_that_seems_to_lie_ahead_counts_as_today() -> None:
    asked = query([[4, 6]], [[3, 4]])
    assert asked.days_ago.tolist() == [[0, 0]]
    assert asked.recency(1.0, 0.5).tolist() == [[1.0, 1.0]]
