"""BPR (Rendle and others 2009) on baskets: item factors that rank a basket's items above others, added up to a list.

Training is the library ``implicit``'s; BPR itself has no way to fold a new customer in, so a history is the weighted
sum of its items' factors. Read next: :mod:`evaluation.contestants.trained`, which says when it is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.contestants.baskets import Baskets, missing_extra

__all__ = ["BprModel", "train_bpr"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class BprModel:
    """Item factors (C, F), without the biases: those say only what sells."""

    factors: Floats

    def scores(self, column: Ints, weight: Floats) -> Floats:
        """Return sum over j of w_j y_j'y_i (B, C).

        >>> model = BprModel(np.array([[1.0, 0.0], [0.5, 2.0]], np.float32))
        >>> model.scores(np.array([[0, 1]]), np.array([[2.0, 0.0]], np.float32)).tolist()
        [[2.0, 1.0]]
        """
        wanted = np.einsum("bh,bhf->bf", weight, self.factors[column], optimize=True)
        return np.asarray(wanted @ self.factors.T, np.float32)


def train_bpr(
    baskets: Baskets,
    rng: np.random.Generator,
    *,
    factors: int = 128,
    learning_rate: float = 0.05,
    regularization: float = 0.03,
    iterations: int = 60,
) -> BprModel:
    """Return item factors that maximise the mean of ln sigmoid(x_b'y_i - x_b'y_o): i of the basket b, o not.

    Raises :class:`~trendloom.errors.MissingExtra` without the package ``implicit``.
    """
    try:
        from implicit.bpr import BayesianPersonalizedRanking
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    model = BayesianPersonalizedRanking(
        factors=factors,
        learning_rate=learning_rate,
        regularization=regularization,
        iterations=iterations,
        num_threads=1,  # with more of them a run cannot be repeated
        random_state=int(rng.integers(2**31)),
    )
    model.fit(baskets.sparse(), show_progress=False)
    return BprModel(np.asarray(model.item_factors, np.float32)[:, :-1])  # the last column is the bias
