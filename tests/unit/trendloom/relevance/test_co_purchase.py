from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trendloom.bounded_counts import BoundedCounts
from trendloom.relevance.co_purchase import Evidence, neighbour_evidence


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(-8, 8)), max_size=40), st.lists(st.integers(0, 20), max_size=20)
)
def test_summed_evidence_looks_up_like_a_dictionary(said: list[tuple[int, int]], asked: list[int]) -> None:
    total: dict[int, float] = {}
    for key, value in said:
        total[key] = total.get(key, 0.0) + value
    evidence = Evidence(
        np.array([key for key, _ in said], np.int64), np.array([value for _, value in said], np.float64)
    )
    assert evidence.summed().at(np.array(asked, np.int64)).tolist() == [total.get(key, 0.0) for key in asked]


def test_every_history_item_speaks_with_its_weight() -> None:
    counts = BoundedCounts()
    counts.add(np.array([3, 3, 4]), np.array([5, 99, 5]), np.array([2, 4, 1]))
    evidence = neighbour_evidence(counts, np.array([[3, 4], [4, -1]]), np.array([[1.0, 0.5], [1.0, 0.0]]), n_columns=10)
    assert dict(zip(evidence.key.tolist(), evidence.value.tolist(), strict=True)) == {5: 1.25, 15: 0.5}
