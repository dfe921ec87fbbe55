"""Co-purchase: what other customers bought together with the items of this customer's history.

The counts are the state's; these are the formulas that turn them into evidence for items. Read next:
:mod:`trendloom.relevance.score`, which lays the evidence onto candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts

__all__ = ["Evidence", "damped", "neighbour_evidence"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """Something said for columns of rows: key = row * n_columns + column, and a value; a key may occur several times."""

    key: Ints
    value: Floats

    def onto(self, sorted_keys: Ints) -> Floats:
        """Return the summed values (E,) for ascending, distinct keys (E,); 0 where nothing was said.

        >>> Evidence(np.array([7, 3, 7]), np.array([1.0, 5.0, 0.5])).onto(np.array([2, 7])).tolist()
        [0.0, 1.5]
        """
        if sorted_keys.size == 0:
            return np.zeros(0)
        place = np.minimum(np.searchsorted(sorted_keys, self.key), sorted_keys.size - 1)
        met = sorted_keys[place] == self.key
        return np.bincount(place[met], self.value[met], minlength=sorted_keys.size).astype(np.float64)

    def summed(self) -> Evidence:
        """Return the same evidence with every key once, ascending."""
        key, place = np.unique(self.key, return_inverse=True)
        return Evidence(key, np.bincount(place, self.value, minlength=key.size).astype(np.float64))

    def at(self, keys: Ints) -> Floats:
        """Return the value (E,) at any keys (E,), of evidence that is summed; 0 where nothing was said."""
        if self.key.size == 0:
            return np.zeros(keys.size)
        place = np.minimum(np.searchsorted(self.key, keys), self.key.size - 1)
        return np.where(self.key[place] == keys, self.value[place], 0.0)


def neighbour_evidence(counts: BoundedCounts, history: npt.NDArray[np.integer], weight: Floats, n_columns: int) -> Evidence:
    """Return w_j C_j,column for every history item j (B, H) of weight w > 0 and every column that it has a count with.

    Counts are held in half units, so C is half of what is stored. Columns beyond ``n_columns`` are left out.
    """
    row, position = np.nonzero((weight > 0) & (history >= 0))
    columns, halves = counts.gather(history[row, position])
    place, column = np.nonzero((columns >= 0) & (columns < n_columns))
    values = weight[row, position][place] * (0.5 * halves[place, column])
    return Evidence(row[place] * n_columns + columns[place, column], values)


def damped(evidence: npt.ArrayLike, purchases: npt.ArrayLike, shrinkage: float, exponent: float) -> Floats:
    """Return evidence / (purchases + shrinkage)^exponent: what everybody buys says less.

    >>> damped([8.0], [44.0], shrinkage=20.0, exponent=0.5).tolist()        # 8 / sqrt(64)
    [1.0]
    """
    divisor = (np.asarray(purchases, np.float64) + shrinkage) ** exponent
    return np.asarray(np.asarray(evidence, np.float64) / divisor, np.float64)
