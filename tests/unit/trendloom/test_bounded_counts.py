import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trendloom.bounded_counts import CHUNK, BoundedCounts

Call = dict[tuple[int, int], int]


class PlainCounts:
    """The rule in plain Python: pairs in order of (row, column), 64 of a row at a time, and a cut after each."""

    def __init__(self, keep: int, limit: int) -> None:
        self.keep, self.limit = keep, limit
        self.rows: dict[int, dict[int, int]] = {}

    def add(self, call: Call) -> None:
        for row in sorted({row for row, _ in call}):
            held = self.rows.setdefault(row, {})
            columns = sorted(column for other, column in call if other == row)
            for start in range(0, len(columns), CHUNK):
                for column in columns[start : start + CHUNK]:
                    held[column] = held.get(column, 0) + call[row, column]
                if len(held) > self.limit:
                    best = sorted(held, key=lambda column: (-held[column], column))[: self.keep]
                    self.rows[row] = held = {column: held[column] for column in best}


def add(counts: BoundedCounts, call: Call, order: np.random.Generator) -> None:
    pairs = np.array(list(call), np.int64).reshape(-1, 2)
    shuffled = order.permutation(len(call))
    weights = np.array(list(call.values()), np.int64)
    counts.add(pairs[shuffled, 0], pairs[shuffled, 1], weights[shuffled])


_calls = st.lists(
    st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 12)), st.integers(1, 3), max_size=30), max_size=12
)


@settings(max_examples=50)
@given(calls=_calls, keep=st.integers(1, 6), room=st.integers(0, 4), seed=st.integers(0, 99))
def test_the_same_counts_as_the_plain_rule_evictions_included(
    calls: list[Call], keep: int, room: int, seed: int
) -> None:
    counts, plain = BoundedCounts(keep=keep, limit=keep + room), PlainCounts(keep, keep + room)
    order = np.random.default_rng(seed)
    for call in calls:
        add(counts, call, order)
        plain.add(call)
        assert {row: counts.row(row) for row in counts.rows().tolist()} == plain.rows
        assert all(len(row) <= keep + room for row in plain.rows.values())


@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(0, 3 * CHUNK), min_size=1, max_size=4),
    seed=st.integers(0, 999),
)
def test_calls_wider_than_a_chunk_are_cut_after_each_chunk(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts, plain = BoundedCounts(keep=40, limit=60), PlainCounts(40, 60)
    for size in sizes:
        columns = rng.choice(400, size, replace=False).tolist()
        call = {(2_000, column): int(rng.integers(1, 4)) for column in columns}
        add(counts, call, rng)
        plain.add(call)
    assert counts.row(2_000) == plain.rows.get(2_000, {})


def test_a_cut_forgets_counts_for_good() -> None:
    """A column that was cut begins at nothing again: this is what bounded means, and what the store does, too."""
    counts = BoundedCounts(keep=1, limit=2)
    for column, weight in ((1, 2), (2, 5), (3, 1)):
        counts.add([0], [column], [weight])
    assert counts.row(0) == {2: 5}
    counts.add([0], [1], [2])
    assert counts.row(0) == {1: 2, 2: 5}


def test_gathered_rows_hold_what_the_rows_hold_and_nothing_for_strangers() -> None:
    counts = BoundedCounts(keep=2, limit=3)
    counts.add([5, 5, 1], [7, 8, 9], [1, 2, 3])
    columns, weights = counts.gather([1, 5, -1, 4, 10_000])
    assert columns.shape == weights.shape == (5, 3)
    found = [
        {column: weight for column, weight in zip(*row, strict=True) if column >= 0}
        for row in zip(columns.tolist(), weights.tolist(), strict=True)
    ]
    assert found == [{9: 3}, {7: 1, 8: 2}, {}, {}, {}]
    assert weights[columns < 0].sum() == 0
    columns[:] = 77  # what is handed out is a copy
    assert counts.row(1) == {9: 3}


def test_a_row_from_the_store_replaces_the_old_one_and_counts_go_on() -> None:
    counts = BoundedCounts(keep=2, limit=3)
    counts.add([0], [4], [9])
    counts.set_row(0, [8, 2], [1, 5])
    counts.add([0, 0], [8, 3], [1, 1])
    assert counts.row(0) == {2: 5, 3: 1, 8: 2}
    counts.set_row(0, [], [])
    assert counts.row(0) == {}
    assert counts.rows().tolist() == []
    with pytest.raises(ValueError, match="more than the limit of 3"):
        counts.set_row(0, [1, 2, 3, 4], [1, 1, 1, 1])


def test_many_rows_grow_the_tables_and_lose_nothing() -> None:
    counts = BoundedCounts(keep=2, limit=3)
    small = counts.nbytes
    rows = np.arange(0, 6_000, 2)
    counts.add(rows, rows + 1, np.full(rows.size, 3))
    counts.add(rows, rows + 1, np.ones(rows.size))
    assert counts.rows().tolist() == rows.tolist()
    assert all(counts.row(row) == {row + 1: 4} for row in rows.tolist())
    assert counts.row(1) == {}
    assert small < counts.nbytes < 4 * 3_000 * (3 + CHUNK) * 8


@pytest.mark.parametrize(("keep", "limit"), [(0, 3), (4, 3)])
def test_bounds_that_cannot_be(keep: int, limit: int) -> None:
    with pytest.raises(ValueError, match="keep must lie in 1..limit"):
        BoundedCounts(keep=keep, limit=limit)


def test_nothing_added_changes_nothing() -> None:
    counts = BoundedCounts()
    counts.add([], [], [])
    assert counts.rows().size == 0
