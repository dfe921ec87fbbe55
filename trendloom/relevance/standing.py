"""A snapshot of how all items stand in popularity, shared by the purchases of a batch (or of several batches).

It is the only part of relevance that looks at every item; whoever scores small batches keeps one for a while, since an
item-level state that is a little old is allowed and a younger one is not. Read next: :mod:`trendloom.relevance.score`.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from trendloom.relevance.features import ItemDynamics, ItemFeatures, Lists
from trendloom.relevance.popularity import percentile_ranks

__all__ = ["Standing"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Standing:
    """Popularity of all N items at one moment; it copies what it needs, so later purchases do not change it."""

    def __init__(self, features: ItemFeatures, dynamics: ItemDynamics) -> None:
        n = features.size
        self._features = features
        #: (N,) initial popularity plus purchases: what the preset ``paper`` calls popularity
        self._purchases = dynamics.purchases[:n].astype(np.float64)
        self.total: Floats = dynamics.initial[:n] + self._purchases
        self._outermost: dict[int, tuple[Ints, Ints]] = {}
        self._slow = dynamics.slow[:n].copy()

    @cached_property
    def by_popularity(self) -> Ints:
        """Numbers of the sold items, the most popular first (slow half-life), equal ones by number."""
        sold = np.flatnonzero(self._slow > -np.inf)
        return sold[np.argsort(-self._slow[sold], kind="stable")]

    @cached_property
    def percentile(self) -> Floats:
        """Percentile rank (N,) of each item by its slow popularity; 0 where never sold."""
        return percentile_ranks(self._slow)

    def outermost(self, count: int) -> tuple[Ints, Ints]:
        """Numbers of the ``count`` least popular and of the ``count`` most popular items by total popularity.

        Numbers that stand for no item (spare capacity) are left out.
        """
        if count not in self._outermost:
            item = np.flatnonzero(self._features.exists | (self.total > 0))
            total = self.total[item]
            least = total.min(initial=np.inf)
            low = item[total == least][:count]
            if low.size < count:
                low = item[np.argsort(total, kind="stable")[:count]]
            above = item[total > least]
            high = above[np.argsort(-self.total[above], kind="stable")[:count]]
            if high.size < count:
                high = np.concatenate([high, item[total == least][: count - high.size]])
            self._outermost[count] = (low, high)
        return self._outermost[count]

    @cached_property
    def in_group(self) -> Lists:
        """The sold items of each transition group, the most popular first."""
        order = self.by_popularity
        return Lists.by_code(self._features.group[order], order, self._features.n_groups)

    @cached_property
    def group_share(self) -> Floats:
        """Each item's share (N,) of its group's slow popularity; 0 where never sold or of no group."""
        return _share(self._relative, self._features.group, self._features.n_groups)

    @cached_property
    def product_share(self) -> Floats:
        """Each item's share (N,) of its product's slow popularity; 0 where never sold or of no product."""
        return _share(self._relative, self._features.product, self._features.n_products)

    @cached_property
    def product_purchases(self) -> Floats:
        """Purchases (products,) of all items of a product, initial popularity not counted."""
        known = self._features.product >= 0
        return np.bincount(
            self._features.product[known], self._purchases[known], minlength=self._features.n_products
        ).astype(np.float64)

    @cached_property
    def _relative(self) -> Floats:
        top = self._slow.max(initial=-np.inf)
        return np.exp(self._slow - top) if top > -np.inf else np.zeros(self._slow.size)


def _share(weight: Floats, code: npt.NDArray[np.integer], n_codes: int) -> Floats:
    known = code >= 0
    total = np.bincount(code[known], weight[known], minlength=n_codes)
    share = np.zeros(weight.size)
    share[known] = weight[known] / np.maximum(total[code[known]], np.finfo(np.float64).tiny)
    return share
