"""Co-purchase: what other customers bought together with the items of this customer's history.

The counts are the state's; these are the formulas that turn them into evidence for items. Read next:
:mod:`trendloom.relevance.score`, which lays the evidence onto candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts

__all__ = ["Evidence", "damped", "damping", "neighbour_evidence"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """Something said for columns of rows: key = row * n_columns + column, and a value; keys ascend once summed."""

    key: Ints
    value: Floats

    def summed(self) -> Evidence:
        """Return the same evidence with every key once, ascending.

        >>> Evidence(np.array([7, 3, 7]), np.array([1.0, 5.0, 0.5])).summed().value.tolist()
        [5.0, 1.5]
        """
        if self.key.size == 0:
            return self
        order = np.argsort(self.key, kind="stable")
        key = self.key[order]
        starts = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
        return Evidence(key[starts], np.add.reduceat(self.value[order], starts))

    def at(self, keys: Ints) -> Floats:
        """Return the value (E,) at any keys (E,), of evidence that is summed; 0 where nothing was said.

        >>> Evidence(np.array([3, 7]), np.array([5.0, 1.5])).at(np.array([7, 2])).tolist()
        [1.5, 0.0]
        """
        if self.key.size == 0:
            return np.zeros(keys.size)
        place = np.minimum(np.searchsorted(self.key, keys), self.key.size - 1)
        return np.where(self.key[place] == keys, self.value[place], 0.0)


def neighbour_evidence(
    counts: BoundedCounts, history: npt.NDArray[np.integer], weight: Floats, n_columns: int
) -> Evidence:
    """Return the sum of w_j C_j,column over the history items j (B, H) of weight w > 0, for every column met.

    Counts are held in half units, so C is half of what is stored. Columns beyond ``n_columns`` are left out.
    """
    row, position = np.nonzero((weight > 0) & (history >= 0))
    columns, halves = counts.gather(history[row, position])
    place, column = np.nonzero((columns >= 0) & (columns < n_columns))
    values = weight[row, position][place] * (0.5 * halves[place, column])
    return Evidence(row[place] * n_columns + columns[place, column], values).summed()


def damping(purchases: npt.ArrayLike, shrinkage: float, exponent: float) -> Floats:
    """Return what evidence for items (or products) that sold so often is divided by: (purchases + shrinkage)^exponent.

    >>> damping([0, 3], shrinkage=1.0, exponent=0.5).tolist()
    [1.0, 2.0]
    """
    return np.asarray((np.asarray(purchases, np.float64) + shrinkage) ** exponent)


def damped(evidence: npt.ArrayLike, purchases: npt.ArrayLike, shrinkage: float, exponent: float) -> Floats:
    """Return evidence / (purchases + shrinkage)^exponent: what everybody buys says less.

    >>> damped([8.0], [44.0], shrinkage=20.0, exponent=0.5).tolist()        # 8 / sqrt(64)
    [1.0]
    """
    divisor = damping(purchases, shrinkage, exponent)
    return np.asarray(np.asarray(evidence, np.float64) / divisor, np.float64)
