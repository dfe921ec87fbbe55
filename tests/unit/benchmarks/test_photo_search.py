from __future__ import annotations

import numpy as np
import pytest

from benchmarks.photo_search import measure, nearest_by_loop, nearest_by_request, unit_rows
from trendloom.similar.gallery import Gallery


def test_the_baselines_find_what_the_gallery_finds() -> None:
    pytest.importorskip("sklearn", reason="benchmarks/requirements-search.txt is not installed")
    rng = np.random.default_rng(1)
    rows, queries = unit_rows(600, 24, rng), unit_rows(3, 24, rng)
    for query in queries:
        wanted = Gallery(rows).nearest(query[None], 6).rows[0].tolist()
        assert nearest_by_request(list(rows), query, 6) == wanted
        assert nearest_by_loop(rows, query, 6) == wanted


def test_every_search_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="benchmarks/requirements-search.txt is not installed")
    monkeypatch.setattr("benchmarks.photo_search.DIMS", 16)
    monkeypatch.setattr("benchmarks.photo_search.BATCH", 8)
    told = measure(300, 200, 3, None)
    assert set(told) == {"one_photo", "batch", "within_label"}
    for found in told.values():
        assert found["baseline_ms"] > 0
        assert found["ratio"] == pytest.approx(found["baseline_ms"] / found["ours_ms"], rel=0.2)


def test_made_up_rows_are_unit_rows() -> None:
    rows = unit_rows(50, 12, np.random.default_rng(2))
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(50), abs=1e-5)
    assert (rows >= 0).all()
