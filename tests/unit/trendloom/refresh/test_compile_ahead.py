from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from trendloom.compiled_counts import count_pairs
from trendloom.refresh.compile_ahead import compile_ahead
from trendloom.relevance.compiled.kernel import rank
from trendloom.relevance.compiled.pairs import lift_pairs
from trendloom.relevance.learned.kernel import answer
from trendloom.relevance.transitions import Transitions

KERNELS = (rank, answer, count_pairs, lift_pairs)
pytestmark = pytest.mark.timeout(300)  # compiling takes its time


def test_what_is_compiled_ahead_is_what_every_catalogue_needs() -> None:
    assert compile_ahead()
    known = [len(kernel.signatures) for kernel in KERNELS]
    assert min(known) >= 1
    assert compile_ahead()
    learned = Transitions(product=np.arange(9, dtype=np.int32)[::2], group=np.zeros(5, np.int16), compiled=True)
    read_only = np.frombuffer(np.array([0, 1, 1, 2, 3, 4]).tobytes(), np.int64)
    learned.learn_pairs(read_only[::2], read_only[1::2].astype(np.int32), [1, 2, 3])
    assert learned.groups.tolist() == [[12.0]]
    assert [len(kernel.signatures) for kernel in KERNELS] == known


def test_without_numba_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert not compile_ahead()
