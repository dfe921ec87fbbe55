"""Scores from items that were taken together: direct neighbours, neighbours of neighbours, and both with popularity.

Counts only; nothing is trained but :func:`fit_blend`'s handful of weights, on validation. Needs scipy.
Read next: :mod:`evaluation.leave_one_out.protocols`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.leave_one_out.protocols import Questions
from trendloom.errors import MissingExtra
from trendloom.logs.interactions import Interactions

__all__ = ["Blend", "ItemNeighbours", "SecondNeighbours", "fit_blend"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_USERS_AT_ONCE = 256
#: Popularity's weight beside co-purchases: it orders items that are equal otherwise and nothing else.
_TIE_BREAK = 1e-5


class ItemNeighbours:
    """score(u, i) = Σ_j d^age(j) C_ij / (n_i + s)^b + ε log(1 + n_i), ε = ``tie_break``, over the items j that u took.

    C_ij is the number of users who took both, n_i of those who took i; a user's latest item has age 0. With b = 0 they
    are plain counts, which suits full ranking: the weight that other forms give to rare items is lost there.

    >>> some = Interactions(np.array([0, 2, 4]), np.array([0, 1, 2, 1], np.int32), ("a", "b"), ("x", "y", "z"))
    >>> ItemNeighbours(some, damping=0.0).score_all(np.array([0])).round(2).tolist()   # z was taken with y, by b
    [[1.0, 0.9, 1.0]]
    """

    def __init__(
        self,
        known: Interactions,
        *,
        damping: float = 0.0,
        shrinkage: float = 1.0,
        position_decay: float = 0.9,
        tie_break: float = _TIE_BREAK,
    ) -> None:
        counts = known.counts
        scale = (counts + shrinkage) ** -damping
        self._near = scaled_columns(together(known), scale)
        self._taken = weighted_rows(known, position_decay)
        self._tie_break = (tie_break * np.log1p(counts)).astype(np.float32)

    def score_all(self, users: Ints) -> Floats:
        """Return (B, N) scores."""
        return np.asarray((self._taken[users] @ self._near).toarray() + self._tie_break, np.float32)

    def score_pairs(self, users: Ints, items: Ints) -> Floats:
        """Return (B, C) scores."""
        parts = [slice(low, low + _USERS_AT_ONCE) for low in range(0, len(users), _USERS_AT_ONCE)]
        return np.concatenate([np.take_along_axis(self.score_all(users[part]), items[part], axis=1) for part in parts])


class SecondNeighbours:
    """score(u, i) = Σ_j Σ_k S_jk S_ki over the items j that u took, S_ij = C_ij / sqrt((n_i + s)(n_j + s)).

    Two steps reach many more items than one, so that fewer candidates tie at nothing. Most pairs of items are reached,
    so the square of S is never made: steps are taken from each user's items.
    """

    def __init__(self, known: Interactions, *, shrinkage: float = 1.0) -> None:
        scale = (known.counts + shrinkage) ** -0.5
        self._near = scaled_columns(scaled_columns(together(known), scale).T.tocsr(), scale)  # symmetric
        self._taken = weighted_rows(known, 1.0)

    def score_all(self, users: Ints) -> Floats:
        """Return (B, N) scores."""
        once = np.asarray((self._taken[users] @ self._near).toarray())
        return np.ascontiguousarray((self._near @ once.T).T, np.float32)

    def score_pairs(self, users: Ints, items: Ints) -> Floats:
        """Return (B, C) scores: the second step goes to the asked items only."""
        first = self._near.indptr.astype(np.int64)
        scores = np.zeros(items.shape, np.float32)
        for low in range(0, len(users), _USERS_AT_ONCE):
            once = np.asarray((self._taken[users[low : low + _USERS_AT_ONCE]] @ self._near).toarray())
            asked = items[low : low + _USERS_AT_ONCE].ravel()
            degree = first[asked + 1] - first[asked]
            pair = np.repeat(np.arange(asked.size), degree)
            place = np.arange(pair.size) - np.repeat(np.cumsum(degree) - degree - first[asked], degree)
            value = once[pair // items.shape[1], self._near.indices[place]] * self._near.data[place]
            summed = np.bincount(pair, weights=value, minlength=asked.size)
            scores[low : low + _USERS_AT_ONCE] = summed.reshape(-1, items.shape[1])
        return scores


@dataclass(frozen=True)
class Blend:
    """score = Σ_p w_p log(s_p + ε_p): one answer from several scorers, whose products count rather than their sums."""

    scorers: Sequence[Any]
    offsets: Sequence[float]
    weights: Sequence[float]

    def score_all(self, users: Ints) -> Floats:
        """Return (B, N) scores."""
        return self._summed([scorer.score_all(users) for scorer in self.scorers])

    def score_pairs(self, users: Ints, items: Ints) -> Floats:
        """Return (B, C) scores."""
        return self._summed([scorer.score_pairs(users, items) for scorer in self.scorers])

    def _summed(self, parts: Sequence[Floats]) -> Floats:
        total = np.zeros(parts[0].shape, np.float32)
        for part, offset, weight in zip(parts, self.offsets, self.weights, strict=True):
            total += np.float32(weight) * np.log(part + np.float32(offset))
        return total


def fit_blend(scorers: Sequence[Any], questions: Questions, *, iterations: int = 50) -> Blend:
    """Return the blend whose softmax gives the targets the most chance among their drawn negatives.

    An offset is half of the median positive score, a part's constants: the weights, one a part, are found by Newton's
    method on the mean log-likelihood, which is concave. To be fitted on validation questions.
    """
    parts, offsets = [], []
    items = np.column_stack((questions.target, questions.negatives))
    for scorer in scorers:
        scores = scorer.score_pairs(questions.users, items)
        positive = scores[scores > 0]
        offsets.append(0.5 * float(np.median(positive)) if positive.size else 1.0)
        parts.append(np.log(scores + np.float32(offsets[-1])))
    seen = np.stack(parts, axis=-1).astype(np.float64)  # (Q, 1 + C, P)
    weights = np.zeros(len(scorers))
    likelihood, chance = _likelihood(seen, weights)
    for _ in range(iterations):
        expected = np.einsum("qc,qcp->qp", chance, seen)  # (Q, P)
        gradient = (seen[:, 0] - expected).mean(axis=0)
        second = np.einsum("qcp,qcr->pr", seen * chance[:, :, None], seen, optimize=True) / len(seen)
        curvature = second - expected.T @ expected / len(seen) + 1e-9 * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        before = likelihood
        for _ in range(20):  # a step that is too long is halved
            likelihood, chance = _likelihood(seen, weights + step)
            if likelihood >= before:
                break
            step = step / 2
        weights = weights + step
        if likelihood - before < 1e-9:
            break
    return Blend(tuple(scorers), tuple(offsets), tuple(weights.tolist()))


def _likelihood(seen: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> tuple[float, Any]:
    """Return the targets' mean log chance and all chances (Q, 1 + C)."""
    logits = seen @ weights
    logits -= logits.max(axis=1, keepdims=True)
    chance = np.exp(logits)
    total = chance.sum(axis=1, keepdims=True)
    return float((logits[:, 0] - np.log(total[:, 0])).mean()), chance / total


def together(known: Interactions) -> Any:
    """Return C (N, N), the number of users who took both, as a scipy CSR matrix without its diagonal."""
    taken = weighted_rows(known, 1.0)
    both = (taken.T @ taken).tocsr()
    both.setdiag(0)
    both.eliminate_zeros()
    return both


def weighted_rows(known: Interactions, position_decay: float) -> Any:
    """Return who took what (U, N) as a scipy CSR matrix: position_decay^age, age 0 for a user's latest item."""
    try:
        from scipy import sparse
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Neighbours need the package scipy, which is not installed. Action: pip install 'trendloom[evaluation]'."
        ) from error
    user = known.user
    age = known.start[1:][user] - 1 - np.arange(known.item.size)
    weight = (position_decay**age).astype(np.float32)
    return sparse.csr_matrix((weight, (user, known.item)), shape=(known.n_users, known.n_items))


def scaled_columns(matrix: Any, scale: npt.NDArray[np.floating]) -> Any:
    """Return a scipy CSR matrix with its columns multiplied by ``scale`` (N,)."""
    matrix = matrix.copy()
    matrix.data = (matrix.data * scale[matrix.indices]).astype(np.float32)
    return matrix
