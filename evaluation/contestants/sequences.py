"""Sequences: what each customer bought, in order, as the table that sequence models learn from.

An item that a customer buys again counts where it was bought first. Nothing here trains. Read next:
:mod:`evaluation.contestants.sasrec`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.contestant import Purchases

__all__ = ["Sequences"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sequences:
    """S customers' distinct items, earliest first: ``column[start[s]:start[s + 1]]``, columns into ``item`` (C,).

    ``item`` are the numbers of the items that were bought at all, ascending.
    """

    start: Ints
    column: Ints
    item: Ints

    @classmethod
    def of(cls, purchases: Sequence[Purchases], before_ms: int) -> Sequences:
        """Return the sequences of all purchases before ``before_ms``.

        >>> made = Sequences.of([Purchases.of([1, 2, 1, 1], [9, 7, 7, 9], [0, 5, 6, 8])], before_ms=8)
        >>> made.start.tolist(), made.column.tolist(), made.item.tolist(), made.count
        ([0, 2, 3], [1, 0, 0], [7, 9], 2)
        """
        known = [one.part(one.at_ms < before_ms) for one in purchases]
        none = np.zeros(0, np.int64)
        customer = np.concatenate([none, *(one.customer for one in known)])
        bought = np.concatenate([none, *(one.item for one in known)])
        at_ms = np.concatenate([none, *(one.at_ms for one in known)])
        item, column = np.unique(bought, return_inverse=True)
        order = np.lexsort((at_ms, customer))
        customer, column = customer[order], column[order].astype(np.int64)
        first = np.sort(np.unique(customer * max(item.size, 1) + column, return_index=True)[1])
        customer, column = customer[first], column[first]
        ends = np.flatnonzero(np.diff(customer)) + 1
        start = np.concatenate([[0], ends, [customer.size]]) if customer.size else np.zeros(1)
        return cls(start.astype(np.int64), column, item.astype(np.int64))

    @property
    def count(self) -> int:
        """The number of sequences."""
        return int(self.start.size) - 1
