from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trendloom.errors import MissingExtra
from trendloom.similar.agreement import label_bonus
from trendloom.similar.gallery import Gallery

Floats = npt.NDArray[np.float32]

needs_numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="the extra `fast` is not installed")
COMPILED = [False, pytest.param(True, marks=needs_numba)]


def unit(rows: npt.NDArray[np.floating]) -> Floats:
    found: Floats = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return found


def some(count: int, dims: int, seed: int = 0) -> Floats:
    return unit(np.random.default_rng(seed).normal(size=(count, dims)))


def plainly(rows: Floats, query: Floats, k: int, added: npt.ArrayLike = 0.0) -> list[int]:
    """Sort all, as anybody would, in the steps that count as equal."""
    score = rows.astype(np.float64) @ query.astype(np.float64) + np.asarray(added, np.float64)
    steps = np.rint(score.astype(np.float32) / np.float32(2.0**-20))
    return [int(row) for row in np.lexsort((np.arange(len(rows)), -steps))[:k]]


def close(rows: Floats, query: Floats, found: list[int], wanted: list[int], added: npt.ArrayLike = 0.0) -> bool:
    """The same rows, or such whose scores differ by no more than two ways to add up do."""
    score = rows.astype(np.float64) @ query.astype(np.float64) + np.broadcast_to(added, len(rows))
    return len(set(found)) == len(wanted) and bool(np.allclose(score[found], score[wanted], atol=4e-6))


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize(("count", "k"), [(1, 1), (5, 9), (40, 3), (700, 5), (5000, 10), (5000, 400)])
def test_one_query_finds_what_sorting_everything_finds(count: int, k: int, compiled: bool) -> None:
    rows, queries = some(count, 24), some(3, 24, seed=1)
    gallery = Gallery(rows, compiled=compiled)
    for query in queries:
        found = gallery.nearest(query[None], k)
        wanted = plainly(rows, query, k)
        assert found.rows[0, : len(wanted)].tolist() == wanted
        assert (found.rows[0, len(wanted) :] == -1).all()
        assert found.cosine[0, : len(wanted)] == pytest.approx(rows[wanted] @ query, abs=1e-6)


def test_a_batch_is_many_single_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trendloom.similar.gallery._BLOCK_SCORES", 9000)  # blocks of three queries
    rows, queries = some(3000, 16), some(10, 16, seed=2)
    gallery = Gallery(rows)
    together = gallery.nearest(queries, 7)
    for number, query in enumerate(queries):
        assert together.rows[number].tolist() == gallery.nearest(query[None], 7).rows[0].tolist()


@pytest.mark.parametrize("compiled", COMPILED)
def test_within_a_label_only_its_rows_are_found(compiled: bool) -> None:
    rows, query = some(4000, 20), some(1, 20, seed=3)
    labels = np.random.default_rng(4).integers(-1, 5, size=len(rows))
    gallery = Gallery(rows, labels=labels, label_count=6, compiled=compiled)
    for label in range(5):
        inside = np.flatnonzero(labels == label)
        wanted = inside[plainly(rows[inside], query[0], 8)].tolist()
        assert gallery.nearest_within(query, 8, label=label).rows[0].tolist() == wanted
    assert gallery.nearest_within(query, 8, label=5).rows.tolist() == [[-1] * 8]
    for label in (-1, 6):
        with pytest.raises(IndexError, match="outside 0 .. 5"):
            gallery.nearest_within(query, 8, label=label)


@pytest.mark.parametrize("compiled", COMPILED)
def test_equal_rows_come_in_their_order(compiled: bool) -> None:
    rows = np.repeat(some(5, 12), 8, axis=0)
    labels = np.tile([2, 0, 1, -1], 10)
    gallery = Gallery(rows, labels=labels, label_count=3, compiled=compiled)
    assert gallery.nearest(rows[17][None], 8).rows[0].tolist() == list(range(16, 24))


@pytest.mark.parametrize("compiled", COMPILED)
def test_a_bonus_is_added_to_the_rows_of_its_label(compiled: bool) -> None:
    rows, query = some(2000, 16), some(1, 16, seed=5)
    labels = np.random.default_rng(6).integers(-1, 3, size=len(rows))
    bonus = np.array([[0.0, -0.3, -0.1, -0.2]], np.float32)  # the last is that of unknown labels
    found = Gallery(rows, labels=labels, label_count=3, compiled=compiled).nearest(query, 30, bonus=bonus)
    assert found.rows[0].tolist() == plainly(rows, query[0], 30, bonus[0, labels])
    assert found.score[0] == pytest.approx(found.cosine[0] + bonus[0, labels[found.rows[0]]], abs=1e-6)
    assert found.cosine[0] == pytest.approx(rows[found.rows[0]] @ query[0], abs=1e-6)


def test_half_precision_rows_are_taken_as_they_are() -> None:
    rows = some(300, 8).astype(np.float16)
    assert Gallery(rows).nearest(rows[7:8].astype(np.float32), 1).rows.tolist() == [[7]]


def test_nothing_to_search_in_is_no_fault() -> None:
    assert Gallery(np.zeros((0, 4), np.float32)).nearest(some(2, 4), 3).rows.tolist() == [[-1] * 3] * 2
    assert Gallery(some(3, 4)).nearest(np.zeros((0, 4), np.float32), 3).rows.shape == (0, 3)


def test_labels_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="outside -1 .. 1"):
        Gallery(some(3, 4), labels=[0, 1, 2], label_count=2)


@pytest.mark.skipif(importlib.util.find_spec("numba") is not None, reason="numba is installed")
def test_without_numba_byte_codes_name_the_extra() -> None:
    with pytest.raises(MissingExtra, match="pip install 'trendloom\\[fast\\]'"):
        Gallery(some(3, 4), compiled=True)


@st.composite
def galleries(draw: st.DrawFn) -> tuple[Floats, npt.NDArray[np.int64], int, Floats, Any]:
    count, dims, labels = draw(st.integers(1, 120)), draw(st.integers(1, 6)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = unit(np.round(rng.normal(size=(count, dims)) * draw(st.sampled_from([1, 3, 100]))) + 1e-6)
    return rows, rng.integers(-1, labels, size=count), labels, unit(rng.normal(size=(1, dims))), rng


@given(galleries(), st.integers(1, 12), st.floats(0, 3))
@settings(max_examples=150, deadline=None)
def test_with_flat_probabilities_the_order_is_that_of_plain_search(
    made: tuple[Floats, npt.NDArray[np.int64], int, Floats, Any], k: int, weight: float
) -> None:
    rows, labels, count, query, _ = made
    gallery = Gallery(rows, labels=labels, label_count=count)
    flat = np.full((1, count), 1.0 / count, np.float32)
    aware, plain = gallery.nearest(query, k, bonus=label_bonus(flat, weight)), gallery.nearest(query, k)
    assert aware.rows.tolist() == plain.rows.tolist()
    assert aware.score.tolist() == plain.score.tolist()


@given(galleries(), st.floats(0, 2))
@settings(max_examples=150, deadline=None)
def test_an_unsure_label_hides_no_better_row(
    made: tuple[Floats, npt.NDArray[np.int64], int, Floats, Any], weight: float
) -> None:
    """Whoever is overtaken is so by less cosine than the weight times what the label is less probable."""
    rows, labels, count, query, rng = made
    probabilities = rng.dirichlet(np.ones(count), size=1)
    found = Gallery(rows, labels=labels, label_count=count).nearest(
        query, len(rows), bonus=label_bonus(probabilities, weight)
    )
    assert sorted(found.rows[0].tolist()) == list(range(len(rows)))  # nothing is hidden at all
    of_row = np.append(probabilities[0], probabilities[0].mean())[labels][found.rows[0]]
    for place in range(len(rows) - 1):
        lost = found.cosine[0, place + 1 :] - found.cosine[0, place]
        allowed = weight * (of_row[place] - of_row[place + 1 :])
        assert (lost <= allowed + 1e-5).all()


@given(galleries(), st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_a_certain_label_of_great_weight_is_a_search_within_it(
    made: tuple[Floats, npt.NDArray[np.int64], int, Floats, Any], k: int
) -> None:
    rows, labels, count, query, rng = made
    label = int(rng.integers(count))
    gallery = Gallery(rows, labels=labels, label_count=count)
    certain = np.eye(count)[[label]]
    soft = gallery.nearest(query, k, bonus=label_bonus(certain, 8.0)).rows[0]
    hard = gallery.nearest_within(query, k, label=label).rows[0]
    inside = hard[hard >= 0].tolist()
    if count > 1:
        assert close(rows, query[0], soft[: len(inside)].tolist(), inside)
        assert (labels[soft[: len(inside)]] == label).all()


@needs_numba
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 40), st.integers(1, 9), st.booleans())
@settings(max_examples=120, deadline=None)
def test_byte_codes_never_miss_one_of_the_best(seed: int, count: int, dims: int, k: int, alike: bool) -> None:
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(count, dims)) if not alike else 1.0 + 1e-3 * rng.normal(size=(count, dims))
    raw[rng.integers(count)] *= 1000.0 if not alike else 1.0
    rows, query = unit(raw), unit(rng.normal(size=(1, dims)))
    quick, slow = Gallery(rows, compiled=True).nearest(query, k), Gallery(rows, compiled=False).nearest(query, k)
    keep = min(k, count)
    assert close(rows, query[0], quick.rows[0, :keep].tolist(), slow.rows[0, :keep].tolist())
