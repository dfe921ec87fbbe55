"""EASE (Steck 2019) on baskets, each item's weights kept to its strongest neighbours and served like co-purchase.

Closed form, one inverse of a dense table of items; those beyond ``most_items`` are left to popularity. Read next:
:mod:`evaluation.contestants.trained`, which says when it is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.contestants.baskets import Baskets

__all__ = ["EaseModel", "ease_weights", "train_ease"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class EaseModel:
    """For each column the ``neighbour`` columns (C, M) that it speaks for most, -1 padded, and ``strength`` (C, M)."""

    neighbour: Ints
    strength: Floats

    def scores(self, column: Ints, weight: Floats) -> Floats:
        """Return sum over j of w_j B_ji (B, C); -inf where no item of the history speaks for i.

        >>> model = EaseModel(np.array([[1], [0], [-1]]), np.array([[0.5], [0.25], [0.0]], np.float32))
        >>> model.scores(np.array([[0, 2]]), np.array([[2.0, 1.0]], np.float32)).tolist()
        [[-inf, 1.0, -inf]]
        """
        size = self.neighbour.shape[0]
        row, place = np.nonzero(weight > 0)
        near = self.neighbour[column[row, place]]  # (P, M)
        value = weight[row, place, None] * self.strength[column[row, place]]
        key = (row[:, None] * size + near)[near >= 0]
        total = np.bincount(key, value[near >= 0], minlength=column.shape[0] * size).astype(np.float32)
        said = np.where(total > 0, total, np.float32(-np.inf))
        return said.reshape(column.shape[0], size)


def ease_weights(gram: Floats, regularization: float) -> Floats:
    """Return B (C, C) with B_ji = -P_ji / P_ii and no diagonal, P = (gram + regularization I)^-1; ``gram`` is used up.

    B minimises |X - XB|^2 + regularization |B|^2 under diag(B) = 0, gram = X'X. Two items that share their only basket
    have P = [[2, -1], [-1, 2]] / 3 at regularization 1, so each speaks for the other with 1/2.
    """
    from scipy.linalg import lapack

    gram = np.asfortranarray(gram)
    gram[np.diag_indices_from(gram)] += np.float32(regularization)
    factor, fault = lapack.spotrf(gram, lower=1, overwrite_a=1)
    if not fault:
        inverse, fault = lapack.spotri(factor, lower=1, overwrite_c=1)
    if fault:
        message = f"the table of baskets cannot be inverted: LAPACK says {fault}"
        raise ArithmeticError(message)
    size = len(inverse)
    for start in range(0, size, _BLOCK):  # only the lower triangle was made
        end = min(start + _BLOCK, size)
        square = np.tril(inverse[start:end, start:end])
        inverse[start:end, start:end] = square + np.tril(square, -1).T
        inverse[start:end, end:] = inverse[end:, start:end].T
    diagonal = np.diag(inverse).copy()
    for start in range(0, size, _BLOCK):  # column by column: they lie together
        end = min(start + _BLOCK, size)
        inverse[:, start:end] /= -diagonal[start:end]
    inverse[np.diag_indices_from(inverse)] = 0.0
    return np.asarray(inverse, np.float32)


def train_ease(
    baskets: Baskets,
    rng: np.random.Generator,  # noqa: ARG001 - the solution is exact
    *,
    regularization: float = 100.0,
    neighbours: int = 100,
    most_items: int = 12_000,
) -> EaseModel:
    """Return each item's ``neighbours`` greatest positive weights, for the ``most_items`` items of the most baskets.

    Takes 4 bytes * items^2 twice over. Raises :class:`~trendloom.errors.MissingExtra` without scipy.
    """
    table = baskets.sparse()
    chosen = np.sort(np.argsort(-baskets.sizes, kind="stable")[:most_items])
    part = table[:, chosen]
    weights = ease_weights((part.T @ part).toarray(order="F"), regularization)
    width = min(neighbours, chosen.size)
    neighbour = np.full((baskets.item.size, width), -1, np.int64)
    strength = np.zeros((baskets.item.size, width), np.float32)
    for start in range(0, chosen.size, _BLOCK):
        block = weights[start : start + _BLOCK]
        best = np.argpartition(-block, width - 1, axis=1)[:, :width]
        value = np.take_along_axis(block, best, axis=1)
        mine = chosen[start : start + _BLOCK]
        neighbour[mine] = np.where(value > 0, chosen[best], -1)
        strength[mine] = np.maximum(value, 0.0)
    return EaseModel(neighbour, strength)
