"""Scores from items that were taken together: direct neighbours, and neighbours of neighbours.

Counts only, nothing is trained. Needs scipy. Read next: :mod:`evaluation.leave_one_out.blending`, which weighs them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from trendloom.errors import MissingExtra
from trendloom.logs.interactions import Interactions

__all__ = ["ItemNeighbours", "SecondNeighbours"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_USERS_AT_ONCE = 256
#: Popularity's weight beside co-purchases: it orders items that are equal otherwise and nothing else.
_TIE_BREAK = 1e-5


class ItemNeighbours:
    """score(u, i) = Σ_j d^age(j) C_ij / (n_i + s)^b + ε log(1 + n_i), ε = ``tie_break``, over the items j that u took.

    C_ij is the number of users who took both, n_i of those who took i; a user's latest item has age 0. With b = 0 they
    are plain counts, which suits full ranking: the weight that other forms give to rare items is lost there. With
    ``row_damping`` a, C_ij is divided by (n_j + s)^a too; with ``nearness`` g below 1 two items count together as
    g^(distance in the user's row - 1).
    """

    def __init__(
        self,
        known: Interactions,
        *,
        damping: float = 0.0,
        shrinkage: float = 1.0,
        position_decay: float = 0.9,
        row_damping: float = 0.0,
        nearness: float = 1.0,
        tie_break: float = _TIE_BREAK,
    ) -> None:
        counts = known.counts
        scale = (counts + shrinkage) ** -damping
        self._near = scaled_columns(together(known) if nearness == 1 else near_together(known, nearness), scale)
        self._taken = scaled_columns(weighted_rows(known, position_decay), (counts + shrinkage) ** -row_damping)
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

    def __init__(self, known: Interactions, *, shrinkage: float = 20.0) -> None:
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


def together(known: Interactions) -> Any:
    """Return C (N, N), the number of users who took both, as a scipy CSR matrix without its diagonal."""
    taken = weighted_rows(known, 1.0)
    both = (taken.T @ taken).tocsr()
    both.setdiag(0)
    both.eliminate_zeros()
    return both


def near_together(known: Interactions, nearness: float, *, reach: int = 11) -> Any:
    """Return (N, N): Σ over users of nearness^(d - 1) for two of their items d places apart, d up to ``reach``."""
    from scipy import sparse

    user, item = known.user, known.item
    rows, columns, values = [], [], []
    for distance in range(1, reach + 1):
        first = np.flatnonzero(user[:-distance] == user[distance:]) if distance < item.size else np.zeros(0, np.int64)
        rows += [item[first], item[first + distance]]
        columns += [item[first + distance], item[first]]
        values.append(np.full(2 * first.size, nearness ** (distance - 1), np.float32))
    pairs = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_matrix((np.concatenate(values), pairs), shape=(known.n_items, known.n_items))


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
