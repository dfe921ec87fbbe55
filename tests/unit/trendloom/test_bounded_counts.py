from __future__ import annotations

import subprocess
import sys

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
    assert small < counts.nbytes < 4 * 3_000 * (3 + 1) * 8


@pytest.mark.parametrize(("keep", "limit"), [(0, 3), (4, 3)])
def test_bounds_that_cannot_be(keep: int, limit: int) -> None:
    with pytest.raises(ValueError, match="keep must lie in 1..limit"):
        BoundedCounts(keep=keep, limit=limit)


def test_nothing_added_changes_nothing() -> None:
    counts = BoundedCounts()
    counts.add([], [], [])
    assert counts.rows().size == 0


Pair = tuple[int, int, int]


class OneByOne:
    """The rule for pairs in order: add one, cut its row if that is too full, go on."""

    def __init__(self, keep: int, limit: int) -> None:
        self.keep, self.limit = keep, limit
        self.rows: dict[int, dict[int, int]] = {}

    def count(self, pairs: list[Pair]) -> None:
        for row, column, weight in pairs:
            held = self.rows.setdefault(row, {})
            held[column] = held.get(column, 0) + weight
            if len(held) > self.limit:
                best = sorted(held, key=lambda column: (-held[column], column))[: self.keep]
                self.rows[row] = {column: held[column] for column in best}

    def count_pairs(self, pairs: list[Pair]) -> None:
        for row, column, weight in pairs:
            self.count([(row, column, weight), (column, row, weight)])


def held_by(counts: BoundedCounts) -> dict[int, dict[int, int]]:
    return {row: counts.row(row) for row in counts.rows().tolist()}


def columns_of(pairs: list[Pair]) -> tuple[list[int], list[int], list[int]]:
    rows, columns, weights = np.array(pairs, np.int64).reshape(-1, 3).T.tolist()
    return rows, columns, weights


def pairs_of(most: int) -> st.SearchStrategy[list[Pair]]:
    return st.lists(st.tuples(st.integers(0, most), st.integers(0, most), st.integers(1, 3)), max_size=40)


_pair_calls = st.lists(st.tuples(st.booleans(), st.one_of(pairs_of(6), pairs_of(14))), max_size=8)


@settings(max_examples=150)
@given(calls=_pair_calls, keep=st.integers(1, 6), room=st.integers(0, 4))
def test_pairs_are_counted_one_by_one_plain_and_compiled(
    calls: list[tuple[bool, list[Pair]]], keep: int, room: int
) -> None:
    reference = OneByOne(keep, keep + room)
    plain = BoundedCounts(keep=keep, limit=keep + room)
    compiled = BoundedCounts(keep=keep, limit=keep + room, compiled=True)
    for both, pairs in calls:
        (reference.count_pairs if both else reference.count)(pairs)
        for counts in (plain, compiled):
            (counts.count_pairs if both else counts.count)(*columns_of(pairs))
            assert held_by(counts) == reference.rows


@settings(max_examples=10)
@given(seed=st.integers(0, 999), limit=st.sampled_from([63, 64, 100, 128, 129]))
def test_wide_rows_that_are_cut_often_hold_what_the_rule_says(seed: int, limit: int) -> None:
    """Rows of several search steps, counts with many ties and a few that are great."""
    rng = np.random.default_rng(seed)
    keep = 3 * limit // 4
    reference = OneByOne(keep, limit)
    plain, compiled = BoundedCounts(keep=keep, limit=limit), BoundedCounts(keep=keep, limit=limit, compiled=True)
    for _ in range(3):
        rows, columns = rng.integers(8, size=700), 10 + rng.integers(400, size=700) ** 2 // 400
        weights = np.where(rng.random(700) < 0.02, rng.integers(1, 10**6, size=700), rng.integers(1, 3, size=700))
        reference.count_pairs(list(zip(rows.tolist(), columns.tolist(), weights.tolist(), strict=True)))
        for counts in (plain, compiled):
            counts.count_pairs(rows, columns, weights)
            assert held_by(counts) == reference.rows
            met, units = counts.gather(rows)
            assert met.shape == (700, limit)
            assert units[met < 0].sum() == 0  # nothing is left of what was cut


def test_where_a_call_ends_makes_no_difference() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.integers(12, size=(300, 2))
    weights = rng.integers(1, 4, size=300)
    for compiled in (False, True):
        whole, pieces = (BoundedCounts(keep=3, limit=5, compiled=compiled) for _ in range(2))
        whole.count_pairs(pairs[:, 0], pairs[:, 1], weights)
        for start in range(0, 300, 7):
            piece = slice(start, start + 7)
            pieces.count_pairs(pairs[piece, 0], pairs[piece, 1], weights[piece])
        assert held_by(whole) == held_by(pieces)


@pytest.mark.parametrize("compiled", [False, True])
def test_tables_grow_in_the_midst_of_a_call(compiled: bool) -> None:
    counts = BoundedCounts(keep=2, limit=3, compiled=compiled)
    rows = np.arange(0, 6_000, 2)
    counts.count_pairs(rows, rows + 1, np.full(rows.size, 3))
    counts.count(rows, rows + 1, np.ones(rows.size))
    counts.count([2], [10**8], [5])  # a column needs no row
    assert counts.rows().tolist() == list(range(6_000))
    assert all(counts.row(row + 1) == {row: 3} for row in rows.tolist())
    assert counts.row(2) == {3: 4, 10**8: 5}
    counts.set_row(2, [7], [1])
    counts.count_pairs([2], [7], [1])
    assert counts.row(2) == {7: 2}


@pytest.mark.parametrize("compiled", [False, True])
def test_pairs_that_cannot_be(compiled: bool) -> None:
    counts = BoundedCounts(compiled=compiled)
    counts.count_pairs([], [], [])
    for rows, columns in (([1, -1], [2, 2]), ([1, 2], [2, -5])):
        with pytest.raises(ValueError, match="numbers from 0 on"):
            counts.count_pairs(rows, columns, [1, 1])
    with pytest.raises(ValueError, match="columns"):
        counts.count([1, 2], [3], [1, 1])
    assert counts.rows().size == 0


def test_numba_is_loaded_only_by_those_who_ask_for_it() -> None:
    program = (
        "import sys; from trendloom.relevance.transitions import Transitions; "
        "from trendloom.bounded_counts import BoundedCounts; BoundedCounts().count_pairs([1], [2], [1]); "
        "Transitions.empty(); sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
