"""A sequence model as a scorer of the leave-one-out protocols: a user is the items that are known of it, in order.

Nothing is trained here. Read next: :mod:`evaluation.sasrec`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from trendloom.logs.interactions import Interactions

__all__ = ["SequenceModel", "SequenceScorer", "latest_items"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class SequenceModel(Protocol):
    """Scores what follows a history (B, H), oldest first, padded with -1 on the left."""

    def scores(self, history: Ints) -> Floats:
        """Return the scores of all items (B, N)."""
        ...

    def score_pairs(self, history: Ints, items: Ints) -> Floats:
        """Return the scores of some items (B, C)."""
        ...


def latest_items(known: Interactions, users: Ints, length: int) -> Ints:
    """Return the latest ``length`` items (B, length) of users (B,), oldest first, padded with -1 on the left.

    >>> some = Interactions(np.array([0, 3, 4]), np.array([2, 0, 1, 2], np.int32), ("a", "b"), ("x", "y", "z"))
    >>> latest_items(some, np.array([0, 1]), 2).tolist()
    [[0, 1], [-1, 2]]
    """
    place = known.start[users + 1][:, None] + np.arange(-length, 0)  # (B, length)
    there = place >= known.start[users][:, None]
    return np.where(there, known.item[np.where(there, place, 0)], -1).astype(np.int64)


class SequenceScorer:
    """Scores of a model for users by number, from their latest ``length`` known items."""

    def __init__(self, model: SequenceModel, known: Interactions, *, length: int) -> None:
        self.model = model
        self._known = known
        self._length = length

    def score_all(self, users: Ints) -> Floats:
        """Return (B, N) scores."""
        return self.model.scores(latest_items(self._known, users, self._length))

    def score_pairs(self, users: Ints, items: Ints) -> Floats:
        """Return (B, C) scores."""
        return self.model.score_pairs(latest_items(self._known, users, self._length), items)
