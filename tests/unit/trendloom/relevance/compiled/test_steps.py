from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trendloom.relevance.compiled.steps import (
    BUCKETS,
    FIRST,
    add_noted,
    ask_for_row,
    gather,
    keep_greatest,
    kth_greatest,
    note_product,
)

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


ROWS = st.lists(st.lists(st.tuples(st.integers(-1, 12), st.integers(1, 9)), max_size=30), max_size=6)


@given(ROWS)
def test_evidence_is_summed_and_every_item_named_once(rows: list[list[tuple[int, int]]]) -> None:
    evidence, items, n = np.zeros(10), np.empty(200, np.int32), 0
    expected: dict[int, float] = {}
    for weight, row in enumerate(rows, start=1):
        columns, counts = np.array(row or [(-1, 0)], np.int32).T.copy()
        n = gather(evidence, columns, counts, len(row), weight / 2, 10, items, n)
        for column, count in row:
            if 0 <= column < 10:  # the catalogue knows ten items
                expected[column] = expected.get(column, 0.0) + weight / 2 * count
    assert sorted(items[:n].tolist()) == sorted(expected)
    assert {column: evidence[column] for column in expected} == expected


@given(ROWS, st.sets(st.integers(0, 9)))
def test_only_noted_products_are_summed_and_place_0_says_nothing(
    rows: list[list[tuple[int, int]]], asked: set[int]
) -> None:
    place_of, products = np.zeros(10, np.int32), np.zeros(10, np.int32)
    co, recency, n = np.full(10 + FIRST, 7.0), np.full(10 + FIRST, 7.0), 0
    co[0] = 0.0
    for product in [*asked, *asked]:
        place, n = note_product(product, n, place_of, products, co, recency)
        assert place >= FIRST
    assert sorted(products[:n].tolist()) == sorted(asked)
    for row in rows:
        columns, counts = np.array(row or [(-1, 0)], np.int32).T.copy()
        add_noted(co, place_of, columns, counts, len(row), 0.5)
    for product in asked:
        assert co[place_of[product]] == sum(0.5 * count for row in rows for column, count in row if column == product)
    assert co[0] == 0.0


def test_asking_for_a_row_ahead_changes_nothing_whether_there_is_one_or_not() -> None:
    slots, length = np.array([1, -1, 0], np.int32), np.array([3, 129], np.int32)
    columns, counts = np.arange(258, dtype=np.int32).reshape(2, 129), np.ones((2, 129), np.int32)
    for row in (-1, 0, 1, 2, 3):
        ask_for_row(row, slots, columns, counts, length)
    assert columns.ravel().tolist() == list(range(258))
    assert counts.min() == counts.max() == 1
