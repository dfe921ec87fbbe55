"""Baskets: what each customer bought on each day, as the table that the trained contestants learn from.

A basket knows neither order nor pieces; nothing here trains. Read next: :mod:`evaluation.contestants.trained`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS, Purchases
from trendloom.errors import MissingExtra

__all__ = ["Baskets", "missing_extra"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Baskets:
    """P distinct pairs of a basket and an item: ``basket`` (P,) ascending from 0, ``column`` (P,) into ``item`` (C,).

    ``item`` are the numbers of the items that were bought at all, ascending.
    """

    basket: Ints
    column: Ints
    item: Ints

    @classmethod
    def of(cls, purchases: Sequence[Purchases], before_ms: int) -> Baskets:
        """Return the baskets of all purchases before ``before_ms``, one for each customer and UTC day.

        >>> made = Baskets.of([Purchases.of([1, 1, 2, 1], [7, 9, 9, 7], [0, 5, 6, DAY_MS])], before_ms=DAY_MS)
        >>> made.basket.tolist(), made.column.tolist(), made.item.tolist(), made.count
        ([0, 0, 1], [0, 1, 1], [7, 9], 2)
        """
        known = [one.at_ms < before_ms for one in purchases]
        none = np.zeros(0, np.int64)
        customer = np.concatenate([none, *(one.customer[kept] for one, kept in zip(purchases, known, strict=True))])
        bought = np.concatenate([none, *(one.item[kept] for one, kept in zip(purchases, known, strict=True))])
        day = np.concatenate([none, *(one.at_ms[kept] // DAY_MS for one, kept in zip(purchases, known, strict=True))])
        item, column = np.unique(bought, return_inverse=True)
        order = np.lexsort((column, customer, day))
        day, customer, column = day[order], customer[order], column[order]
        new = np.append(True, (day[1:] != day[:-1]) | (customer[1:] != customer[:-1]))[: day.size]
        distinct = new | np.append(True, column[1:] != column[:-1])[: day.size]
        basket = np.cumsum(new) - 1
        return cls(basket[distinct].astype(np.int64), column[distinct].astype(np.int64), item.astype(np.int64))

    @property
    def count(self) -> int:
        """The number of baskets."""
        return int(self.basket[-1]) + 1 if self.basket.size else 0

    @property
    def sizes(self) -> Ints:
        """How many baskets (C,) hold each item."""
        return np.bincount(self.column, minlength=self.item.size).astype(np.int64)

    def sparse(self) -> Any:  # a scipy.sparse.csr_matrix; scipy brings no types
        """Return the table (baskets, C) of ones as a sparse float32 matrix; needs the extra ``evaluation``."""
        try:
            from scipy.sparse import csr_matrix
        except ModuleNotFoundError as error:
            raise missing_extra(error) from error
        ones = np.ones(self.basket.size, np.float32)
        return csr_matrix((ones, (self.basket, self.column)), shape=(self.count, self.item.size))


def missing_extra(error: ModuleNotFoundError) -> MissingExtra:
    """Return what to raise where a package of the extra ``evaluation`` is not installed."""
    return MissingExtra(
        f"This model needs the package {error.name}, which is not installed. "
        "Action: pip install 'trendloom[evaluation]'."
    )
