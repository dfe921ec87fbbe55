"""A snapshot of how all items stand in popularity, shared by the purchases of a batch (or of several batches).

It is the only part of relevance that looks at every item; whoever scores small batches keeps one for a while, since an
item-level state that is a little old is allowed and a younger one is not. Read next: :mod:`trendloom.relevance.score`.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from trendloom.relevance.features import ItemDynamics, ItemFeatures, Lists
from trendloom.relevance.popularity import ranks_in_order

__all__ = ["Standing"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: An order is mended if at most one in so many of its items changed, and made anew otherwise.
_MEND_SHARE = 4
#: So many new scores that equal old ones are put in their place one by one; with more the order is made anew.
_MOST_TIES = 256
#: The greatest values are sought among the best of so many at a time.
_BLOCK = 64


class Standing:
    """Popularity of all N items at one moment; it copies what it needs, so later purchases do not change it.

    ``before`` may be an earlier snapshot of the same items: their order is then mended where scores have changed
    instead of being made anew, which gives the same order for a fraction of the time.

    >>> from trendloom.catalogue.synthetic import random_catalogue
    >>> from trendloom.refresh.assortment import features_by_number
    >>> features = features_by_number(random_catalogue(3, np.random.default_rng(1)), np.arange(3), 3, {})
    >>> scores = np.array([1.0, -np.inf, 2.0])
    >>> dynamics = ItemDynamics(np.array([1, 0, 2]), np.zeros(3), scores, scores, 86400.0, 3600.0, 0, co=None)
    >>> first = Standing(features, dynamics)
    >>> scores[1] = 1.5
    >>> first.by_popularity.tolist(), Standing(features, dynamics, first).by_popularity.tolist()
    ([2, 0], [2, 1, 0])
    """

    def __init__(self, features: ItemFeatures, dynamics: ItemDynamics, before: Standing | None = None) -> None:
        n = features.size
        self._features = features
        #: (N,) plain purchases
        self.purchases: Ints = dynamics.purchases[:n].copy()
        #: (N,) initial popularity plus purchases: what the preset ``paper`` calls popularity
        self.total: Floats = dynamics.initial[:n] + self.purchases
        #: (N,) forward-decayed scores of the slow half-life, -inf where never sold
        self.slow: Floats = dynamics.slow[:n].copy()
        self._outermost: dict[int, tuple[Ints, Ints]] = {}
        #: by_popularity and its scores, negated so that they ascend; None until somebody asks
        self.order: tuple[Ints, Floats] | None = None
        if before is not None and before.order is not None and before.slow.size == n:
            self.order = _mended(*before.order, before.slow, self.slow)

    @property
    def by_popularity(self) -> Ints:
        """Numbers of the sold items, the most popular first (slow half-life), equal ones by number."""
        return self._ordered[0]

    @cached_property
    def sold(self) -> Ints:
        """Numbers of the sold items, ascending."""
        return np.flatnonzero(self.slow > -np.inf)

    @cached_property
    def percentile(self) -> Floats:
        """Percentile rank (N,) of each item by its slow popularity; 0 where never sold."""
        return ranks_in_order(*self._ordered, self.slow.size)

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
                low = _greatest(item, -total, count)
            above = total > least
            high = _greatest(item[above], total[above], count)
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
            self._features.product[known], self.purchases[known], minlength=self._features.n_products
        ).astype(np.float64)

    @property
    def _ordered(self) -> tuple[Ints, Floats]:
        if self.order is None:
            order = self.sold[np.argsort(-self.slow[self.sold], kind="stable")]
            self.order = (order, -self.slow[order])
        return self.order

    @cached_property
    def _relative(self) -> Floats:
        top = self.slow.max(initial=-np.inf)
        return np.exp(self.slow - top) if top > -np.inf else np.zeros(self.slow.size)


def _mended(order: Ints, keys: Floats, slow_before: Floats, slow: Floats) -> tuple[Ints, Floats] | None:
    """Return an order (S,) and its ascending keys (S,) after some scores have changed; None if it is not worth it."""
    changed = np.flatnonzero(slow != slow_before)
    if changed.size * _MEND_SHARE > order.size:
        return None
    stays = np.ones(slow.size, np.bool_)
    stays[changed] = False
    kept = stays[order]
    order, keys = order[kept], keys[kept]
    new = changed[slow[changed] > -np.inf]
    new = new[np.argsort(-slow[new], kind="stable")]
    place = np.searchsorted(keys, -slow[new])
    ties = np.flatnonzero(np.append(keys, np.inf)[place] == -slow[new])
    if ties.size > _MOST_TIES:
        return None
    for tie in ties.tolist():
        start, end = place[tie], np.searchsorted(keys, -slow[new[tie]], side="right")
        place[tie] = start + np.searchsorted(order[start:end], new[tie])
    return np.insert(order, place, new), np.insert(keys, place, -slow[new])


def _greatest(item: Ints, value: Floats, count: int) -> Ints:
    """Return the ``count`` items of greatest value, the greatest first, equal ones in the order they come in."""
    if item.size > 2 * _BLOCK * count:  # what so many blocks' best reach, so many values reach
        whole = value[: value.size // _BLOCK * _BLOCK].reshape(-1, _BLOCK).max(axis=1)
        chosen = np.flatnonzero(value >= np.partition(whole, whole.size - count)[whole.size - count])
        item, value = item[chosen], value[chosen]
    if item.size > count:
        least = np.partition(value, value.size - count)[value.size - count]
        more, equal = np.flatnonzero(value > least), np.flatnonzero(value == least)
        chosen = np.sort(np.concatenate([more, equal[: count - more.size]]))
        item, value = item[chosen], value[chosen]
    return item[np.argsort(-value, kind="stable")]


def _share(weight: Floats, code: npt.NDArray[np.integer], n_codes: int) -> Floats:
    known = code >= 0
    total = np.bincount(code[known], weight[known], minlength=n_codes)
    share = np.zeros(weight.size)
    share[known] = weight[known] / np.maximum(total[code[known]], np.finfo(np.float64).tiny)
    return share
