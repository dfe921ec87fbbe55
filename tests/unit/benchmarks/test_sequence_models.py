from __future__ import annotations

import numpy as np

from benchmarks.sequence_models import choosing_sequences
from evaluation.leave_one_out.protocols import Questions
from trendloom.logs.interactions import Interactions


def test_a_held_out_item_stands_at_the_end_of_what_is_known() -> None:
    known = Interactions(np.array([0, 2, 3]), np.array([4, 1, 2], np.int32), ("a", "b"), tuple("uvwxyz"))
    asked = Questions(np.array([0, 1]), np.array([5, 3]), np.zeros((2, 0), np.int64), known)
    start, item = choosing_sequences(asked, 2, np.random.default_rng(1))
    assert start.tolist() == [0, 3, 5]
    assert item.tolist() == [4, 1, 5, 2, 3]
    start, item = choosing_sequences(asked, 1, np.random.default_rng(1))
    assert start[-1] == item.size
    assert item[-1] in {5, 3}
