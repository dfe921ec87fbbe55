"""The scorers that any model must beat: random, constant, and how many users took the item.

Read next: :mod:`evaluation.leave_one_out.neighbours`, which is harder to beat.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trendloom.logs.interactions import Interactions

__all__ = ["Chance", "Popularity"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Chance:
    """Scores drawn uniformly, anew at each question."""

    def __init__(self, n_items: int, rng: np.random.Generator) -> None:
        self._n_items = n_items
        self._rng = rng

    def score_all(self, users: Ints) -> Floats:
        """Return (B, N) draws."""
        return self._rng.random((users.size, self._n_items), np.float32)

    def score_pairs(self, users: Ints, items: Ints) -> Floats:
        """Return (B, C) draws."""
        return self._rng.random(items.shape, np.float32)


class Popularity:
    """An item's score is the number of users who are known to have taken it, the same for everybody.

    >>> some = Interactions(np.array([0, 1, 3]), np.array([1, 1, 0], np.int32), ("a", "b"), ("x", "y"))
    >>> Popularity(some).score_all(np.array([0]))
    array([[1., 2.]], dtype=float32)
    """

    def __init__(self, known: Interactions) -> None:
        self._counts = known.counts.astype(np.float32)

    def score_all(self, users: Ints) -> Floats:
        """Return (B, N) counts."""
        return np.broadcast_to(self._counts, (users.size, self._counts.size))

    def score_pairs(self, users: Ints, items: Ints) -> Floats:
        """Return (B, C) counts."""
        counts: Floats = self._counts[items]
        return counts
