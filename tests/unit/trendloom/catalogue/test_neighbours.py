from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trendloom.catalogue.neighbours import CHUNK, find_extremes, find_item_extremes


def brute_force(vectors: npt.NDArray[np.float16], row: int, count: int, sign: int) -> tuple[list[int], list[float]]:
    """Return the ``count`` other rows with the greatest ``sign`` * product, the smaller row first where equal."""
    products = vectors.astype(np.float64) @ vectors[row].astype(np.float64)
    order = sorted((other for other in range(len(vectors)) if other != row), key=lambda o: (-sign * products[o], o))
    padding = max(0, count - len(order))
    return order[:count] + [-1] * padding, [float(products[o]) for o in order[:count]] + [0.0] * padding


# halves and quarters: products are exact in float32, so equal ones are equal, and there are many
COORDINATES = st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0])


@settings(deadline=None)
@example(rows=[(-1.0, -1.0, -1.0)] * 37, nearest=0, farthest=1)  # all alike: the first is the farthest
@given(st.lists(st.tuples(*[COORDINATES] * 3), min_size=1, max_size=60), st.integers(0, 9), st.integers(0, 9))
def test_equal_to_brute_force_with_ties_and_padding(rows: list[tuple[float, ...]], nearest: int, farthest: int) -> None:
    vectors = np.array(rows, np.float16)
    found = find_extremes(vectors, nearest=nearest, farthest=farthest)
    assert found.nearest.shape == (len(rows), nearest)
    assert found.farthest.shape == (len(rows), farthest)
    for row in range(len(rows)):
        for ids, values, count, sign in (
            (found.nearest, found.nearest_similarity, nearest, 1),
            (found.farthest, found.farthest_similarity, farthest, -1),
        ):
            expected_ids, expected_values = brute_force(vectors, row, count, sign)
            assert ids[row].tolist() == expected_ids
            assert values[row].tolist() == expected_values


@pytest.mark.parametrize("size", [CHUNK * 9, CHUNK * 9 + 1, 700, 1999])
def test_chunks_lose_nothing(size: int) -> None:
    vectors = np.random.default_rng(size).normal(size=(size, 12)).astype(np.float16)
    queries = np.array([0, 1, size // 2, size - 1])
    found = find_extremes(vectors, nearest=7, farthest=5, queries=queries)
    for place, row in enumerate(queries):
        assert found.nearest[place].tolist() == brute_force(vectors, int(row), 7, 1)[0]
        assert found.farthest[place].tolist() == brute_force(vectors, int(row), 5, -1)[0]


def test_any_block_size_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(3).normal(size=(300, 8)).astype(np.float16)
    whole = find_extremes(vectors, nearest=10, farthest=4)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    ones = [find_extremes(vectors, nearest=10, farthest=4, queries=np.array([row])) for row in range(300)]
    assert (np.concatenate([one.nearest for one in ones]) == whole.nearest).all()
    assert (np.concatenate([one.farthest for one in ones]) == whole.farthest).all()


def test_equal_items_far_apart_in_the_table_are_all_found() -> None:
    """Copies of one vector lie in different chunks; each has all its copies before anything else."""
    vectors = np.random.default_rng(4).normal(size=(2000, 6)).astype(np.float16)
    copies = np.array([3, 70, 700, 1500, 1999])
    vectors[copies] = 0
    vectors[copies, 0] = 20
    found = find_extremes(vectors, nearest=8, farthest=0, queries=copies).nearest
    for place, row in enumerate(copies):
        assert found[place, :4].tolist() == [int(other) for other in copies if other != row]


def test_progress_counts_up_to_all_rows() -> None:
    told: list[tuple[int, int]] = []
    find_extremes(np.eye(130, 4, dtype=np.float16), nearest=1, farthest=1, progress=lambda *now: told.append(now))
    assert [total for _, total in told] == [130] * len(told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (130, 130)


def test_photographed_items_among_themselves_the_rest_among_all() -> None:
    rng = np.random.default_rng(8)
    photo_row = np.array([-1, 0, -1, 1, 2, -1, 3, 4], np.int32)
    photos, table = rng.normal(size=(5, 6)).astype(np.float16), rng.normal(size=(8, 4)).astype(np.float16)
    found = find_item_extremes(photo_row, photos, table, nearest=6, farthest=2)
    photographed = np.flatnonzero(photo_row >= 0)
    assert found.source.tolist() == [1, 0, 1, 0, 0, 1, 0, 0]
    for row in range(8):
        if photo_row[row] >= 0:
            ids, values = brute_force(photos, int(photo_row[row]), 6, 1)
            ids = [int(photographed[place]) if place >= 0 else -1 for place in ids]
        else:
            ids, values = brute_force(table, row, 6, 1)
        assert found.extremes.nearest[row].tolist() == ids
        assert found.extremes.nearest_similarity[row] == pytest.approx(values, abs=1e-5)
    # five photographed items have four others: the rest is padding
    assert (found.extremes.nearest[photographed, 4:] == -1).all()


def test_without_any_photo_and_without_any_table() -> None:
    vectors = np.eye(4, 3, dtype=np.float16)
    none, all_rows = np.full(4, -1, np.int32), np.arange(4, dtype=np.int32)
    by_table = find_item_extremes(none, np.zeros((0, 3), np.float16), vectors, nearest=2, farthest=1)
    by_photo = find_item_extremes(all_rows, vectors, None, nearest=2, farthest=1)
    assert (by_table.extremes.nearest == by_photo.extremes.nearest).all()
    assert by_table.source.tolist() == [1] * 4
    assert by_photo.source.tolist() == [0] * 4
