"""Chance: items that were sold before, drawn at random; whoever is not better has learnt nothing.

Read next: :mod:`evaluation.contestants.popularity`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluation.contestant import Ground, Purchases

__all__ = ["Chance"]

Ints = npt.NDArray[np.int64]


class Chance:
    """Every item sold so far is as likely to be listed as any other.

    >>> from evaluation.ground import bare_ground
    >>> shop = Chance("random", bare_ground(9))
    >>> shop.learn(Purchases.of([1, 2], [3, 4], [0, 0]))
    >>> sorted(shop.before(np.array([5]), np.array([1000]), k=3)[0].tolist())
    [-1, 3, 4]
    """

    def __init__(self, name: str, ground: Ground) -> None:
        self.name = name
        self._customers = ground.customers
        self._rng = ground.generator(name)
        self._sold = np.zeros(ground.n_items, np.bool_)

    def after(self, batch: Purchases, k: int) -> Ints:
        """Return sold items, without what the customer has bought that day."""
        return self._drawn(self._customers.after(batch).bought_on(batch.at_ms), k)

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        """Return sold items."""
        return self._drawn(self._customers.before(customer).bought_on(at_ms), k)

    def learn(self, batch: Purchases) -> None:
        """Note what was sold."""
        self._sold[batch.item] = True

    def _drawn(self, barred: Ints, k: int) -> Ints:
        """Return runs (B, k) of one shuffled order, each from a place of its own on."""
        shuffled = self._rng.permutation(np.flatnonzero(self._sold))
        if not shuffled.size:
            return np.full((barred.shape[0], k), -1, np.int64)
        begin = self._rng.integers(shuffled.size, size=(barred.shape[0], 1))
        width = min(k + barred.shape[1], shuffled.size)
        drawn = shuffled[(begin + np.arange(width)) % shuffled.size]
        gone = (drawn[:, :, None] == barred[:, None, :]).any(axis=2)
        order = np.argsort(gone, axis=1, kind="stable")[:, :k]
        lists = np.where(np.take_along_axis(gone, order, axis=1), -1, np.take_along_axis(drawn, order, axis=1))
        return np.pad(lists, ((0, 0), (0, k - lists.shape[1])), constant_values=-1)
