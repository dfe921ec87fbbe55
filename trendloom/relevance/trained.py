"""What a trained model must be able to tell on the stream, and the candidates and the part of the score made of it.

It knows no file and no network: :class:`trendloom.collaborative.on_stream.StreamModel` is one that answers.
Read next: :mod:`trendloom.relevance.score`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["TrainedScores", "customer_vectors"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]


class TrainedScores(Protocol):
    """A model by item number; customers are vectors (B, W), NaN rows for those of whom nothing is known."""

    def customers(self, names: Sequence[str]) -> Vectors:
        """Return the trained vectors (B, W) of customers by id."""
        ...

    def standing_in(self, history: Ints, weight: Floats) -> Vectors:
        """Return vectors (B, W) for histories (B, H) of item numbers weighed (B, H)."""
        ...

    def chances(self, customers: Vectors, rows: Ints, items: Ints) -> Floats:
        """Return a value in [0, 1] for each pair (P,) of a row of ``customers`` and an item; 0 where unknown."""
        ...

    def best(self, customers: Vectors, count: int) -> Ints:
        """Return each customer's best items (B, count), -1 where there are fewer."""
        ...


def customer_vectors(model: TrainedScores, trained: Vectors | None, history: Ints, weight: Floats) -> Vectors:
    """Return a vector for each row (B, W): the customer's own if it was trained, else what stands in for it.

    ``trained`` (B, W) is None where nobody's customers were asked for: then all are strangers.
    """
    stand_in = model.standing_in(history, weight)
    if trained is None:
        return stand_in
    return np.where(np.isnan(trained), stand_in, trained)
