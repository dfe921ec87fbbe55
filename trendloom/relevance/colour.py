"""Which colours follow which: co-purchase counts between colours, and how far they are from chance.

Fed with the very pairs that the co-purchase counts are fed with, so it can be made anew from those; colours are codes
here, their names are the catalogue's. Read next: :mod:`trendloom.relevance.score`, whose part ``colour`` asks it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts

__all__ = ["PRIOR_HALVES", "ColourPairs"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: A colour's successors are shrunk towards everybody's by this many half units.
PRIOR_HALVES = 20.0
_ROWS = 4_096


class ColourPairs:
    """Counts between the colours of N items, in half units (2 = bought on the same day); ``colour`` (N,), -1 unknown.

    >>> learned = ColourPairs(np.array([0, 1]))
    >>> learned.learn_pairs(np.array([0]), np.array([1]), np.array([20]))
    >>> learned.lifts().round(2).tolist()      # chance (20 + 20 / 2) / (20 + 20), against 1/2 by chance
    [[0.5, 1.5], [1.5, 0.5]]
    """

    def __init__(self, colour: npt.NDArray[np.integer]) -> None:
        self._colour = np.asarray(colour, np.int64)
        n = int(self._colour.max(initial=-1)) + 1
        #: (K, K) how often items of these colours were bought by the same customer
        self.counts: Floats = np.zeros((n, n))
        self._lifts: Floats | None = None

    @classmethod
    def rebuilt(cls, co: BoundedCounts, colour: npt.NDArray[np.integer]) -> ColourPairs:
        """Return what the co-purchase counts imply; pairs that were cut from them are forgotten."""
        learned = cls(colour)
        rows = co.rows()
        for start in range(0, rows.size, _ROWS):
            here = rows[start : start + _ROWS]
            columns, counts = co.gather(here)
            place, column = np.nonzero(columns >= 0)
            learned._count(here[place], columns[place, column].astype(np.int64), counts[place, column])
        return learned

    def learn_pairs(self, rows: npt.ArrayLike, columns: npt.ArrayLike, weights: npt.ArrayLike) -> None:
        """Add weights (P,) in half units to the pairs (rows (P,), columns (P,)), in both directions."""
        row, column, weight = (np.asarray(one, np.int64) for one in (rows, columns, weights))
        self._count(row, column, weight)
        self._count(column, row, weight)

    def lifts(self) -> Floats:
        """Return how many times as often as by chance each colour follows each (K, K); 1 where nothing is known.

        lift(c, d) = (C_cd + prior p_d) / (C_c + prior) / p_d, p_d the share of colour d in all pairs. The array is
        handed out again until something is learnt: nothing may be changed.
        """
        if self._lifts is None:
            sums = self.counts.sum(axis=1)
            share = sums / max(float(sums.sum()), 1.0)
            chance = (self.counts + PRIOR_HALVES * share) / (sums[:, None] + PRIOR_HALVES)
            self._lifts = np.where(share > 0, chance / np.where(share > 0, share, 1.0), 1.0)
        return self._lifts

    def _count(self, row: Ints, column: Ints, weight: npt.NDArray[np.integer]) -> None:
        known = (row >= 0) & (column >= 0) & (row < self._colour.size) & (column < self._colour.size)
        one, other = self._colour[row[known]], self._colour[column[known]]
        told = (one >= 0) & (other >= 0)
        if told.any():
            np.add.at(self.counts, (one[told], other[told]), weight[known][told])
            self._lifts = None
