from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trendloom.relevance.compiled.steps import BUCKETS, keep_greatest, kth_greatest

#: From far below the buckets' reach to far above one, some of them equal.
POSITIVE = st.floats(1e-300, 1e300) | st.floats(0.5, 2.0) | st.sampled_from([1.0, 1.5, 3e-20])


@given(st.lists(POSITIVE, min_size=1, max_size=200), st.integers(1, 80))
def test_the_kth_greatest_is_that_of_a_sort(values: list[float], k: int) -> None:
    room = np.array([*values, 9e300])  # what lies beyond n does not count
    found = kth_greatest(room, len(values), k, np.empty(BUCKETS, np.int64))
    assert found == (sorted(values, reverse=True)[k - 1] if len(values) > k else -np.inf)


@given(st.lists(st.floats(-1e9, 1e9) | st.sampled_from([0.0, 1.0]), max_size=60), st.integers(1, 12))
def test_what_is_kept_are_the_greatest_in_descending_order(values: list[float], size: int) -> None:
    greatest, n = np.empty(size), 0
    for value in values:
        n = keep_greatest(value, greatest, n)
    assert greatest[:n].tolist() == sorted(values, reverse=True)[:size]
