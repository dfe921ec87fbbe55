"""Item-kNN, online: what other customers bought together with the items of this customer's history.

C_ij counts customers' pairs, of one day 1 and of different days a half, without decay; a list sums w_j C_ij over the
history and divides by how often i sold at all. Read next: :mod:`trendloom.relevance.co_purchase`, whose form it is.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS, Ground, Histories, Purchases
from evaluation.contestants.choosing import best_of_pairs, filled
from evaluation.contestants.popularity import Popularity
from evaluation.contestants.repurchase import distinct_weights
from trendloom.bounded_counts import BoundedCounts
from trendloom.relevance.co_purchase import damped, neighbour_evidence

__all__ = ["ItemKnn"]

Ints = npt.NDArray[np.int64]


class ItemKnn:
    """Items by sum over j of w_j C_ij / (n_i + shrinkage)^exponent, w_j = .95^place * .7^days; then what is popular.

    As ``cosine`` each term is divided by sqrt(n_j) as well, and nothing is added to n_i: C_ij / sqrt(n_i n_j).
    A row of C holds at most ``limit`` items; a fuller one is cut to its ``limit * 3 / 4`` greatest.
    """

    def __init__(
        self,
        name: str,
        ground: Ground,
        *,
        form: Literal["damped", "cosine"] = "damped",
        shrinkage: float = 20.0,
        exponent: float = 0.7,
        limit: int = 512,
        window: int = 64,
        compiled: bool = False,
    ) -> None:
        self.name = name
        self._ground = ground
        self._form = form
        self._shrinkage, self._exponent = (0.0, 0.5) if form == "cosine" else (shrinkage, exponent)
        self._window = window
        self._counts = BoundedCounts(keep=limit * 3 // 4, limit=limit, compiled=compiled)
        self._purchases = np.zeros(ground.n_items, np.int64)
        self._popular = Popularity(name, ground, half_life_s=86_400.0)
        self._learner = _PairReader(ground, window)

    def after(self, batch: Purchases, k: int) -> Ints:
        """Return what goes with the customer's purchases, the one just made among them."""
        return self._list(self._ground.customers.after(batch), batch.at_ms, k)

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        """Return what goes with the customer's earlier purchases."""
        return self._list(self._ground.customers.before(customer), at_ms, k)

    def learn(self, batch: Purchases) -> None:
        """Count the batch's items and pairs."""
        self._counts.count_pairs(*self._learner.pairs(batch))
        np.add.at(self._purchases, batch.item, 1)
        self._popular.learn(batch)

    def _list(self, histories: Histories, at_ms: Ints, k: int) -> Ints:
        barred = histories.bought_on(at_ms)
        weight = distinct_weights(histories, at_ms, position_decay=0.95, day_decay=0.7)
        if self._form == "cosine":
            sold = np.maximum(self._purchases[np.maximum(histories.item, 0)], 1)
            weight = weight / np.sqrt(sold)
        size = self._purchases.size
        evidence = neighbour_evidence(self._counts, histories.item, weight, size)
        row = evidence.key // size
        item = evidence.key - row * size
        score = damped(evidence.value, np.maximum(self._purchases[item], 1), self._shrinkage, self._exponent)
        kept = score >= _kth_best(score, row, at_ms.size, k + barred.shape[1])[row]
        row, item, score = row[kept], item[kept], score[kept]
        free = ~(item[:, None] == barred[row]).any(axis=1)
        lists = best_of_pairs(row[free], item[free], score[free], at_ms.size, k)
        return filled(lists, self._popular.ranking(), barred)


class _PairReader:
    """A batch's purchases as pairs with the customer's purchases before them; it keeps histories of its own.

    They are those of what was learnt, which may lag behind what the ground knows.
    """

    def __init__(self, ground: Ground, window: int) -> None:
        from evaluation.contestant import Customers

        self._customers = Customers(window + 1)

    def pairs(self, batch: Purchases) -> tuple[Ints, Ints, Ints]:
        """Return (item, earlier item, half-units: 2 of one day, 1 of different days), each (P,), and remember."""
        histories = self._customers.after(batch)
        earlier = histories.item[:, 1:]
        weight = distinct_weights(histories, batch.at_ms, position_decay=1.0, day_decay=1.0)[:, 1:]
        row, place = np.nonzero((weight > 0) & (earlier != batch.item[:, None]))
        same_day = histories.at_ms[row, place + 1] // DAY_MS == batch.at_ms[row] // DAY_MS
        self._customers.learn(batch)
        return batch.item[row], earlier[row, place], np.where(same_day, 2, 1).astype(np.int64)


def _kth_best(score: npt.NDArray[np.float64], row: Ints, n_rows: int, k: int) -> npt.NDArray[np.float64]:
    """Return the k-th greatest score of each row (n_rows,), -inf where a row has no more than k; rows ascend."""
    sizes = np.bincount(row, minlength=n_rows)
    out = np.full(n_rows, -np.inf)
    ends = np.cumsum(sizes)
    for one in np.flatnonzero(sizes > k).tolist():
        mine = score[ends[one] - sizes[one] : ends[one]]
        out[one] = np.partition(mine, mine.size - k)[mine.size - k]
    return out
