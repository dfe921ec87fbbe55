from __future__ import annotations

import importlib.util

import pytest

from trendloom.refresh.compile_ahead import compile_ahead
from trendloom.relevance.compiled.kernel import rank


def test_what_is_compiled_ahead_is_what_every_catalogue_needs() -> None:
    assert compile_ahead()
    known = len(rank.signatures)
    assert known >= 1
    assert compile_ahead()
    assert len(rank.signatures) == known


def test_without_numba_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert not compile_ahead()
