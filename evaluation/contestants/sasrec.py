"""SASRec as a contestant: trained on the customers' sequences of the earlier days, asked with the history as it is.

What follows a history depends on its order alone; how long ago it was bought is not asked. Read next:
:mod:`evaluation.sasrec`, and :mod:`evaluation.contestants.trained`, which says when it is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.contestants.sequences import Sequences
from evaluation.contestants.trained import Model, Silent
from evaluation.leave_one_out.sequence_scorer import SequenceModel
from evaluation.sasrec import SasRecRecipe, train_sasrec

__all__ = ["FollowingModel", "train_contestant"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FollowingModel:
    """A sequence model in the shape of the other trained contestants, whose histories have the newest item first."""

    model: SequenceModel

    def scores(self, column: Ints, weight: Floats) -> Floats:
        """Return the scores (B, C) of what follows histories ``column`` (B, H); where ``weight`` is 0 nothing stands.

        >>> class Echo:
        ...     def scores(self, history): return history.astype(np.float32)
        >>> FollowingModel(Echo()).scores(np.array([[4, 8, 6]]), np.array([[1.0, 0.0, 0.5]])).tolist()
        [[-1.0, 6.0, 4.0]]
        """
        there = weight[:, ::-1] > 0
        history = np.where(there, column[:, ::-1], -1)
        order = np.argsort(there, axis=1, kind="stable")  # what stands nowhere to the left
        return self.model.scores(np.take_along_axis(history, order, axis=1))


def train_contestant(sequences: Sequences, rng: np.random.Generator, *, recipe: SasRecRecipe | None = None) -> Model:
    """Return SASRec of the sequences, the last epoch of it; of single items nothing is learnt.

    Raises :class:`~trendloom.errors.MissingExtra` without ``cornac``.
    """
    seed = int(rng.integers(2**31))
    if not (np.diff(sequences.start) > 1).any():
        return Silent(sequences.item.size)
    recipe = SasRecRecipe(epochs=4) if recipe is None else recipe
    return FollowingModel(train_sasrec(sequences.start, sequences.column, sequences.item.size, recipe, seed=seed))
