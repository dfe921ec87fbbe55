"""How well single lists did: hit, recall, average precision, NDCG and reciprocal rank of each list of a batch.

The means of :mod:`evaluation.metrics`, list by list and vectorised, so that whoever resamples customers can weigh
lists. Read next: :mod:`evaluation.prequential`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trendloom.relevance.features import Lists

__all__ = ["METRICS", "gini", "mark", "met"]

Ints = npt.NDArray[np.int64]
#: What each column of a mark is; every one is a number from 0 to 1, and their means are hit@k, recall@k, MAP@k ...
METRICS = ("hit", "recall", "map", "ndcg", "mrr")


def met(lists: Ints, answers: Lists, rows: Ints, n_items: int) -> npt.NDArray[np.bool_]:
    """Return which entries of ``lists`` (B, k) are among the answers of ``rows`` (B,)."""
    place, item = answers.expand(rows, int(answers.items.size))
    right = np.sort(place * n_items + item)
    if right.size == 0:
        return np.zeros(lists.shape, np.bool_)
    keys = np.arange(lists.shape[0])[:, None] * n_items + lists
    found = right[np.minimum(np.searchsorted(right, keys), right.size - 1)] == keys
    return np.asarray(found & (lists >= 0))


def mark(lists: Ints, answers: Lists, rows: Ints, n_items: int) -> npt.NDArray[np.float32]:
    """Return the marks (B, 5) of ``lists`` (B, k) against the answers of ``rows`` (B,), of which each has some.

    >>> right = Lists(np.array([0, 2]), np.array([7, 9]))
    >>> mark(np.array([[7, 5, 9]]), right, np.array([0]), n_items=10).round(3).tolist()
    [[1.0, 1.0, 0.8330000042915344, 0.9200000166893005, 1.0]]
    """
    k = lists.shape[1]
    hits = met(lists, answers, rows, n_items)
    wanted = (answers.starts[rows + 1] - answers.starts[rows]).astype(np.float64)
    rank = np.arange(1, k + 1)
    discount = 1.0 / np.log2(rank + 1.0)
    any_hit = hits.any(axis=1)
    ideal = np.cumsum(discount)[np.minimum(np.maximum(wanted, 1), k).astype(np.int64) - 1]
    out = np.empty((lists.shape[0], len(METRICS)), np.float32)
    out[:, 0] = any_hit
    out[:, 1] = hits.sum(axis=1) / wanted
    out[:, 2] = (hits * np.cumsum(hits, axis=1) / rank).sum(axis=1) / np.minimum(wanted, k)
    out[:, 3] = (hits * discount).sum(axis=1) / ideal
    out[:, 4] = np.where(any_hit, 1.0 / (hits.argmax(axis=1) + 1.0), 0.0)
    return out


def gini(shown: Ints) -> float:
    """Return how unequally items (N,) are shown: 0 if all equally often, near 1 if a few get everything.

    >>> gini(np.array([1, 1, 1, 1])), gini(np.array([0, 0, 0, 4]))
    (0.0, 0.75)
    """
    total, size = float(shown.sum()), shown.size
    if not total:
        return 0.0
    ordered = np.sort(shown).astype(np.float64)
    return float(2.0 * (np.arange(1, size + 1) * ordered).sum() / (size * total) - (size + 1) / size)
