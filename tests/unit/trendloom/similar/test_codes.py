from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba", reason="the extra `fast` is not installed")

from trendloom.similar.codes import Codes


def test_what_is_near_holds_the_best_and_few_others() -> None:
    rng = np.random.default_rng(1)
    rows = np.abs(rng.normal(size=(5000, 256))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    codes = Codes(rows)
    for query in rows[:5]:
        near = codes.near(query, 0, len(rows), 10, None, 1e-5)
        best = np.argsort(-(rows @ query))[:10]
        assert set(best.tolist()) <= set(near.tolist())
        assert len(near) < 500
        part = codes.near(query, 1000, 2000, 10, None, 1e-5)
        assert set((1000 + np.argsort(-(rows[1000:2000] @ query))[:10]).tolist()) <= set(part.tolist())


def test_long_rows_do_not_overflow() -> None:
    """20,000 numbers of the greatest size, all of one sign: the sum must stay within int32."""
    rows = np.full((3, 20_000), 1.0, np.float32)
    rows[1] *= -1.0
    assert Codes(rows).near(rows[0], 0, 3, 1, None, 1e-5).tolist() == [0, 2]


def test_rows_and_queries_of_zeros_are_no_fault() -> None:
    codes = Codes(np.zeros((4, 8), np.float32))
    assert codes.near(np.zeros(8, np.float32), 0, 4, 2, None, 1e-5).tolist() == [0, 1, 2, 3]
