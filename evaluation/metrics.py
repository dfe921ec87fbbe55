"""Ranking metrics over top-k lists: hit@k, NDCG@k and MAP@k, each a mean over the purchases that have a target.

Lists are arrays of item numbers, the best first, padded with -1; a missing target is -1 and is left out of the mean.
Read next: :mod:`evaluation.next_in_session`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["average_precision_at_k", "hit_at_k", "map_at_k", "ndcg_at_k", "rank_of_target"]

Items = npt.NDArray[np.integer]


def rank_of_target(lists: Items, targets: Items) -> npt.NDArray[np.int64]:
    """Return the place (Q,), from 0, of each target (Q,) in its list (Q, k); -1 where it is not listed or is -1.

    >>> rank_of_target(np.array([[4, 7], [4, 7]]), np.array([7, 9])).tolist()
    [1, -1]
    """
    met = (lists == targets[:, None]) & (targets[:, None] >= 0)
    return np.where(met.any(axis=1), met.argmax(axis=1), -1).astype(np.int64)


def hit_at_k(lists: Items, targets: Items, k: int) -> float:
    """Return the share of targets that are among the first k of their lists; 0 without any target.

    >>> hit_at_k(np.array([[4, 7], [4, 7], [1, 2]]), np.array([7, 9, -1]), k=2)
    0.5
    """
    asked = targets >= 0
    rank = rank_of_target(lists[asked], targets[asked])
    return float(((rank >= 0) & (rank < k)).mean()) if rank.size else 0.0


def ndcg_at_k(lists: Items, targets: Items, k: int) -> float:
    """Return the mean of 1 / log2(rank + 2) over targets at rank (from 0) < k, 0 for the others: NDCG of one target.

    >>> ndcg_at_k(np.array([[4, 7, 5], [4, 7, 5]]), np.array([4, 5]), k=3)      # (1 / log2(2) + 1 / log2(4)) / 2
    0.75
    """
    asked = targets >= 0
    rank = rank_of_target(lists[asked], targets[asked])
    if not rank.size:
        return 0.0
    met = (rank >= 0) & (rank < k)
    return float(np.where(met, 1.0 / np.log2(np.maximum(rank, 0) + 2.0), 0.0).mean())


def average_precision_at_k(listed: Sequence[int], basket: Sequence[int], k: int) -> float:
    """Return the average precision of one list against a basket: sum of precision at each hit, over min(|basket|, k).

    >>> average_precision_at_k([5, 1, 6], basket=[5, 6, 8], k=3)      # hits at 1 and 3: (1/1 + 2/3) / 3, rounded below
    0.5555555555555555
    """
    wanted = set(basket)
    if not wanted:
        return 0.0
    hits, total = 0, 0.0
    for place, item in enumerate(listed[:k], start=1):
        if item in wanted:
            hits += 1
            total += hits / place
            wanted.discard(item)
    return total / min(len(set(basket)), k)


def map_at_k(lists: Sequence[Sequence[int]], baskets: Sequence[Sequence[int]], k: int) -> float:
    """Return the mean average precision at k over all lists; 0 without any list.

    >>> map_at_k([[5, 1], [2, 3]], [[5], [4]], k=2)
    0.5
    """
    if not lists:
        return 0.0
    precisions = [average_precision_at_k(row, basket, k) for row, basket in zip(lists, baskets, strict=True)]
    return sum(precisions) / len(precisions)
