"""From scores to lists: the k best items of each row, without what may not be listed, ties at random.

Nothing here knows where a score comes from. Read next: :mod:`evaluation.contestants.popularity`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["best_of_pairs", "best_of_ranking", "best_of_scores", "filled"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def best_of_ranking(ranking: Ints, barred: Ints, k: int) -> Ints:
    """Return for each row of ``barred`` (B, H) the first k items (B, k) of one ranking (R,) that it does not bar.

    >>> best_of_ranking(np.array([5, 6, 7]), np.array([[6, -1], [-1, -1]]), k=2).tolist()
    [[5, 7], [5, 6]]
    """
    head = ranking[: k + barred.shape[1]]
    out = np.full((barred.shape[0], k), -1, np.int64)
    free = np.ones((barred.shape[0], head.size), np.bool_)
    if head.size:
        place_of = np.full(int(max(head.max(), barred.max(initial=-1))) + 1, -1, np.int64)
        place_of[head] = np.arange(head.size)
        place = np.where(barred >= 0, place_of[barred], -1)
        row, column = np.nonzero(place >= 0)
        free[row, place[row, column]] = False
    order = np.cumsum(free, axis=1) - 1
    row, column = np.nonzero(free & (order < k))
    out[row, order[row, column]] = head[column]
    return out


def best_of_pairs(row: Ints, item: Ints, score: Floats, n_rows: int, k: int) -> Ints:
    """Return the k best items (n_rows, k) of each row among pairs (E,), each at most once; ties by item number.

    Item numbers of an evaluation are drawn at random, so ties are, too.

    >>> best_of_pairs(np.array([0, 0, 1]), np.array([4, 3, 9]), np.array([1.0, 1.0, 2.0]), n_rows=2, k=2).tolist()
    [[3, 4], [9, -1]]
    """
    order = np.lexsort((item, -score, row))
    row, item = row[order], item[order]
    place = np.arange(row.size) - np.searchsorted(row, np.arange(n_rows))[row]
    kept = place < k
    out = np.full((n_rows, k), -1, np.int64)
    out[row[kept], place[kept]] = item[kept]
    return out


def best_of_scores(scores: npt.NDArray[np.floating], barred: Ints, k: int, rng: np.random.Generator) -> Ints:
    """Return the k best items (B, k) by scores (B, N), none of ``barred`` (B, H); -inf is never listed; ties at random.

    >>> scores = np.array([[0.5, -np.inf, 1.0]])
    >>> best_of_scores(scores, np.array([[-1]]), k=3, rng=np.random.default_rng(1)).tolist()
    [[2, 0, -1]]
    """
    scores = scores.copy()
    row, place = np.nonzero(barred >= 0)
    scores[row, barred[row, place]] = -np.inf
    out = np.full((scores.shape[0], k), -1, np.int64)
    width = min(k, scores.shape[1])
    if width == 0:
        return out
    kth = np.partition(scores, scores.shape[1] - width, axis=1)[:, scores.shape[1] - width]  # (B,)
    for number, least in enumerate(kth.tolist()):
        mine = scores[number]
        candidates = np.flatnonzero((mine >= least) & (mine > -np.inf))
        chosen = candidates[np.lexsort((rng.random(candidates.size), -mine[candidates]))][:k]
        out[number, : chosen.size] = chosen
    return out


def filled(lists: Ints, ranking: Ints, barred: Ints) -> Ints:
    """Return lists (B, k) whose free places are taken by the next of a ranking (R,) that is not barred (B, H).

    >>> filled(np.array([[9, -1, -1]]), np.array([9, 4, 5]), np.array([[4]])).tolist()
    [[9, 5, -1]]
    """
    k = lists.shape[1]
    more = best_of_ranking(ranking, np.concatenate([barred, lists], axis=1), k)
    joined = np.concatenate([lists, more], axis=1)
    order = np.argsort(joined < 0, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(joined, order, axis=1)
