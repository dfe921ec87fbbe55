"""What is learnt from co-purchases one level up: between products, and between groups (departments, categories).

Fed with the very pairs that the co-purchase counts are fed with, so it needs no memory of its own in a store: it is
made anew from those counts at a start. Read next: :mod:`trendloom.relevance.co_purchase`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts

__all__ = ["Transitions"]

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.integer]


class Transitions:
    """Co-purchase counts between products (bounded) and between groups (dense), in half units.

    >>> learned = Transitions(product=np.array([0, 0, 1]), group=np.array([0, 0, 1]))
    >>> learned.learn(np.array([0, 2]), np.array([2, 0]), np.array([2, 2]))
    >>> learned.products.row(0), learned.groups.tolist()
    ({1: 2}, [[0.0, 2.0], [2.0, 0.0]])
    """

    def __init__(self, *, product: Codes, group: Codes, keep: int = 96, limit: int = 128) -> None:
        self._product = product.astype(np.int64)
        self._group = group.astype(np.int64)
        n_groups = int(self._group.max(initial=-1)) + 1
        self.products = BoundedCounts(keep=keep, limit=limit)
        #: (G, G) how often the groups' items were bought by the same customer
        self.groups: npt.NDArray[np.float64] = np.zeros((n_groups, n_groups))

    @classmethod
    def empty(cls) -> Transitions:
        """Return one that knows no product and no group, and so learns nothing."""
        return cls(product=np.zeros(0, np.int64), group=np.zeros(0, np.int64))

    @classmethod
    def rebuilt(
        cls, co: BoundedCounts, *, product: Codes, group: Codes, keep: int = 96, limit: int = 128
    ) -> Transitions:
        """Return what the co-purchase counts imply: exact as long as no row of theirs was cut."""
        learned = cls(product=product, group=group, keep=keep, limit=limit)
        rows = co.rows()
        for start in range(0, rows.size, 4096):
            here = rows[start : start + 4096]
            columns, counts = co.gather(here)
            place, column = np.nonzero(columns >= 0)
            learned.learn(here[place], columns[place, column], counts[place, column])
        return learned

    def chances(self, n_groups: int) -> npt.NDArray[np.float64]:
        """Return the chance (G, G) of each group after each group; all 0 after one of which nothing is known."""
        if self.groups.shape[0] < n_groups:  # nothing learnt yet
            return np.zeros((n_groups, n_groups))
        return np.asarray(self.groups / np.maximum(self.groups.sum(axis=1, keepdims=True), 1.0), np.float64)

    def learn(self, rows: npt.ArrayLike, columns: npt.ArrayLike, weights: npt.ArrayLike) -> None:
        """Add weights (P,) in half units to the pairs (rows (P,), columns (P,)); each pair comes in both directions."""
        row, column = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        weight = np.asarray(weights, np.int64)
        known = (row < self._product.size) & (column < self._product.size)
        row, column, weight = row[known], column[known], weight[known]
        self._learn_groups(self._group[row], self._group[column], weight)
        self._learn_products(self._product[row], self._product[column], weight)

    def _learn_groups(self, row: Ints, column: Ints, weight: Ints) -> None:
        known = (row >= 0) & (column >= 0)
        np.add.at(self.groups, (row[known], column[known]), weight[known])

    def _learn_products(self, row: Ints, column: Ints, weight: Ints) -> None:
        known = (row >= 0) & (column >= 0) & (row != column)
        if not known.any():
            return
        pair, place = np.unique(row[known] << 32 | column[known], return_inverse=True)
        total = np.bincount(place, weight[known]).astype(np.int64)
        self.products.add(pair >> 32, pair & 0xFFFFFFFF, total)
