"""What is learnt from co-purchases one level up: between products, and between groups (departments, categories).

Fed with the very pairs that the co-purchase counts are fed with, in the same order, so it needs no memory of its own in
a store: it is made anew from those counts at a start. Read next: :mod:`trendloom.relevance.co_purchase`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts, checked_pairs

__all__ = ["Transitions"]

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.integer]


class Transitions:
    """Co-purchase counts between products (bounded) and between groups (dense), in half units.

    ``product`` and ``group`` (N,) are codes of the items 0 ... N - 1, -1 for none; other items teach nothing. If
    ``compiled``, numba kernels learn (the extra ``fast``), to the same result; the first one made compiles them.

    >>> learned = Transitions(product=np.array([0, 0, 1]), group=np.array([0, 0, 1]))
    >>> learned.learn_pairs(np.array([0]), np.array([2]), np.array([2]))
    >>> learned.products.row(0), learned.groups.tolist()
    ({1: 2}, [[0.0, 2.0], [2.0, 0.0]])
    """

    def __init__(
        self, *, product: Codes, group: Codes, keep: int = 96, limit: int = 128, compiled: bool = False
    ) -> None:
        self._product = np.array(product, np.int64)
        self._group = np.array(group, np.int64)
        n_groups = int(self._group.max(initial=-1)) + 1
        self.products = BoundedCounts(keep=keep, limit=limit, compiled=compiled)
        #: (G, G) how often the groups' items were bought by the same customer
        self.groups: npt.NDArray[np.float64] = np.zeros((n_groups, n_groups))
        self._chances: npt.NDArray[np.float64] | None = None
        self._lift: Callable[..., int] | None = None
        if compiled:
            from trendloom.relevance.compiled.pairs import lift_pairs

            self._lift = lift_pairs
            nothing = np.empty(0, np.int64)
            self._lifted(lift_pairs, nothing, nothing, nothing, both=False)  # compiled now

    @classmethod
    def empty(cls) -> Transitions:
        """Return one that knows no product and no group, and so learns nothing."""
        return cls(product=np.zeros(0, np.int64), group=np.zeros(0, np.int64))

    @classmethod
    def rebuilt(
        cls,
        co: BoundedCounts,
        *,
        product: Codes,
        group: Codes,
        keep: int = 96,
        limit: int = 128,
        compiled: bool = False,
    ) -> Transitions:
        """Return what the co-purchase counts imply: each count of each row, in the one direction in which it stands.

        As every pair lies in both of its rows, that is what ``learn_pairs`` learnt, exactly, as long as no row was
        cut, here or there. A pair that was cut from one of its rows still counts in the other direction; what was cut
        from both is forgotten. So after cuts the groups' counts are too small, those of rare pairs above all; and
        which products a full row keeps may differ, as the rows are read in the order of their numbers.
        """
        learned = cls(product=product, group=group, keep=keep, limit=limit, compiled=compiled)
        rows = co.rows()
        for start in range(0, rows.size, 4096):
            here = rows[start : start + 4096]
            columns, counts = co.gather(here)
            place, column = np.nonzero(columns >= 0)
            learned.learn(here[place], columns[place, column], counts[place, column])
        return learned

    def chances(self, n_groups: int) -> npt.NDArray[np.float64]:
        """Return the chance (G, G) of each group after each group; all 0 after one of which nothing is known.

        The array is handed out again until something is learnt: nothing may be changed.
        """
        if self.groups.shape[0] < n_groups:  # nothing learnt yet
            return np.zeros((n_groups, n_groups))
        if self._chances is None:
            self._chances = self.groups / np.maximum(self.groups.sum(axis=1, keepdims=True), 1.0)
        return self._chances

    def learn_pairs(self, rows: npt.ArrayLike, columns: npt.ArrayLike, weights: npt.ArrayLike) -> None:
        """Add weights (P,) in half units to the pairs (rows (P,), columns (P,)), one after the other, both directions.

        Pairs may repeat. Each is counted as (row, column), next as (column, row). Raises ``ValueError`` if a row or a
        column is negative.
        """
        self._learn(rows, columns, weights, both=True)

    def learn(self, rows: npt.ArrayLike, columns: npt.ArrayLike, weights: npt.ArrayLike) -> None:
        """Add as ``learn_pairs`` does, but each pair in one direction, (row, column): for rows as a store has them."""
        self._learn(rows, columns, weights, both=False)

    def _learn(self, rows: npt.ArrayLike, columns: npt.ArrayLike, weights: npt.ArrayLike, *, both: bool) -> None:
        row, column, weight = checked_pairs(rows, columns, weights)
        if row.size == 0:
            return
        self._chances = None
        if self._lift is None:
            pairs = self._lifted_plain(row, column, weight, both=both)
        else:
            pairs = self._lifted(self._lift, row, column, weight, both=both)
        (self.products.count_pairs if both else self.products.count)(*pairs)

    def _lifted(
        self, lift: Callable[..., int], row: Ints, column: Ints, weight: Ints, *, both: bool
    ) -> tuple[Ints, Ints, Ints]:
        """Count the groups' pairs and return the products', compiled."""
        one, other, units = np.empty((3, row.size), np.int64)
        directions = 2 if both else 1
        found = lift(self._product, self._group, self.groups, row, column, weight, directions, one, other, units)
        return one[:found], other[:found], units[:found]

    def _lifted_plain(self, row: Ints, column: Ints, weight: Ints, *, both: bool) -> tuple[Ints, Ints, Ints]:
        """Count the groups' pairs and return the products'."""
        known = (row < self._product.size) & (column < self._product.size)
        row, column, weight = row[known], column[known], weight[known]
        one, other = self._group[row], self._group[column]
        known = (one >= 0) & (other >= 0)
        np.add.at(self.groups, (one[known], other[known]), weight[known])
        if both:
            np.add.at(self.groups, (other[known], one[known]), weight[known])
        one, other = self._product[row], self._product[column]
        known = (one >= 0) & (other >= 0) & (one != other)
        return one[known], other[known], weight[known]
