"""Implicit ALS (Hu, Koren and Volinsky 2008) on baskets: factors of the items, and a customer's by folding in.

Training is the library ``implicit``'s; folding in is written here, for whole batches. Read next:
:mod:`evaluation.contestants.trained`, which says when it is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.contestants.baskets import Baskets, missing_extra

__all__ = ["AlsModel", "train_als"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AlsModel:
    """Item factors Y (C, F) and what folding in needs of them: ``solved`` = Y (Y'Y + regularization I)^-1 (C, F)."""

    factors: Floats
    solved: Floats
    alpha: float

    @classmethod
    def of(cls, factors: Floats, *, regularization: float, alpha: float) -> AlsModel:
        """Return the model of some item factors (C, F)."""
        wide = factors.astype(np.float64)
        gram = wide.T @ wide + regularization * np.eye(factors.shape[1])
        return cls(factors, np.linalg.solve(gram, wide.T).T.astype(np.float32), alpha)

    def fold_in(self, column: Ints, weight: Floats) -> Floats:
        """Return the vectors (B, F) of histories ``column`` (B, H) with confidence c = alpha * ``weight`` (B, H).

        x = (Y'Y + reg I + V'(C - I)V)^-1 V'c with V (H, F) the history's factors, which by the Woodbury identity is
        V solved: x = Z'(I + (C - I) V Z')^-1 c, Z = V (Y'Y + reg I)^-1: a system of H unknowns instead of F.
        C - I is cut at 0, so that a weight that has faded below 1 / alpha never counts against its item.
        """
        confidence = (self.alpha * weight).astype(np.float64)  # (B, H)
        extra = np.where(weight > 0, np.maximum(confidence - 1.0, 0.0), 0.0)
        known, solved = self.factors[column], self.solved[column]  # (B, H, F)
        gram = np.matmul(known, solved.transpose(0, 2, 1)).astype(np.float64)  # (B, H, H)
        system = np.eye(column.shape[1]) + extra[:, :, None] * gram
        share = np.linalg.solve(system, confidence[:, :, None])[:, :, 0].astype(np.float32)
        return np.asarray(np.einsum("bh,bhf->bf", share, solved, optimize=True), np.float32)

    def scores(self, column: Ints, weight: Floats) -> Floats:
        """Return x'y_i (B, C) for the folded-in history x and every item i."""
        return np.asarray(self.fold_in(column, weight) @ self.factors.T, np.float32)


def train_als(
    baskets: Baskets,
    rng: np.random.Generator,
    *,
    factors: int = 128,
    regularization: float = 30.0,
    alpha: float = 40.0,
    iterations: int = 10,
) -> AlsModel:
    """Return item factors that minimise sum c_bi (p_bi - x_b'y_i)^2 + reg (|x|^2 + |y|^2), c = alpha where bought.

    Raises :class:`~trendloom.errors.MissingExtra` without the package ``implicit``.
    """
    try:
        from implicit.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    table = baskets.sparse()
    with threadpool_limits(limits=1, user_api="blas"):  # implicit has threads of its own and warns otherwise
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=regularization,
            alpha=alpha,
            iterations=iterations,
            num_threads=1,
            random_state=int(rng.integers(2**31)),
        )
        model.fit(table, show_progress=False)
    return AlsModel.of(np.asarray(model.item_factors, np.float32), regularization=regularization, alpha=alpha)
