"""Ranks with honest ties, and the hit rate and NDCG that follow: what is expected if equal scores are put in any order.

A constant scorer gets chance level, whatever stands first in its list. Nothing is drawn, so nothing needs a seed.
Read next: :mod:`evaluation.leave_one_out.protocols`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Ranks", "ranks_among"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranks:
    """For Q questions, how many other candidates score more than the target (Q,), and how many score the same (Q,)."""

    greater: npt.NDArray[np.int64]
    equal: npt.NDArray[np.int64]

    def hit_at(self, k: int) -> Floats:
        """Return the chance (Q,) that the target is among the first k when equal scores are ordered at random.

        >>> Ranks(np.array([0, 3, 0]), np.array([0, 0, 99])).hit_at(3).tolist()      # 99 others tie: 3 of 100 places
        [1.0, 0.0, 0.03]
        """
        places = self.equal + 1
        inside: Floats = np.clip(k - self.greater, 0, places) / places
        return inside

    def ndcg_at(self, k: int) -> Floats:
        """Return the expected 1 / log2(place + 2) (Q,), places from 0 and 0 beyond the first k.

        >>> Ranks(np.array([0, 2, 0]), np.array([0, 0, 1])).ndcg_at(2).round(4).tolist()  # (1 + 1 / log2(3)) / 2
        [1.0, 0.0, 0.8155]
        """
        gains = np.r_[0.0, np.cumsum(1.0 / np.log2(np.arange(k) + 2.0))]
        places = self.equal + 1
        low = np.minimum(self.greater, k)
        high = np.minimum(self.greater + places, k)
        expected: Floats = (gains[high] - gains[low]) / places
        return expected


def ranks_among(target: npt.NDArray[np.floating], others: npt.NDArray[np.floating]) -> Ranks:
    """Return where each target (Q,) stands among the scores of others (Q, C). Raises ``ValueError`` if one is NaN.

    >>> ranks_among(np.array([0.5]), np.array([[0.7, 0.5, 0.1]]))
    Ranks(greater=array([1]), equal=array([1]))
    """
    if np.isnan(target).any() or np.isnan(others).any():
        raise ValueError("a score is not a number")
    greater = (others > target[:, None]).sum(axis=1)
    equal = (others == target[:, None]).sum(axis=1)
    return Ranks(greater.astype(np.int64), equal.astype(np.int64))
