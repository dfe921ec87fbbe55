"""Rules over a whole list: at most so many of a product or type, complements, diversity. They choose among the best.

A customer's best items come scored from elsewhere; these rules pick the list from them one place at a time. With no
rule set nothing here is called. Read next: ``docs/list-rules.md`` for what each rule costs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trendloom.relevance.features import ItemFeatures
from trendloom.relevance.top_k import TopK
from trendloom.relevance.visual import similarity

__all__ = ["DIVERSITY", "Arrangement", "arranged"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: The part of a score that says what an entry lost by being like the entries above it.
DIVERSITY = "diversity"


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What a list may hold together; 0 is no rule.

    ``per_product`` and ``per_type``: at most so many variants of one product, items of one category. ``complements``:
    at least so many places for other categories than that of the item just bought, where there are enough.
    ``diversity``: what likeness costs, as a share of the best score. ``pool``: among how many of the best is chosen.
    """

    per_product: int = 0
    per_type: int = 0
    complements: int = 0
    diversity: float = 0.0
    pool: int = 50

    @property
    def rules(self) -> bool:
        """Whether there is any rule.

        >>> Arrangement().rules, Arrangement(per_type=3).rules
        (False, True)
        """
        return bool(self.per_product or self.per_type or self.complements or self.diversity)


def arranged(top: TopK, features: ItemFeatures, bought: npt.NDArray[np.integer], rules: Arrangement, k: int) -> TopK:
    """Return lists of at most ``k`` items, chosen from longer lists (B, P) of ``top`` place by place.

    Each place takes the item of the greatest value: score - diversity * best score * likeness to what was chosen
    before it (maximal marginal relevance: Carbonell and Goldstein, 1998). Likeness is the greatest visual similarity,
    and 1 between variants of a product. What the item loses is its part ``diversity``, so parts still sum to the score,
    and scores still descend. Items that would break a cap are passed over: a list may be shorter than ``k``. ``bought``
    (B,) is the item just bought, -1 unknown; complements are then of any category.

    >>> from trendloom.catalogue.synthetic import random_catalogue
    >>> from trendloom.refresh.assortment import features_by_number
    >>> features = features_by_number(random_catalogue(6, np.random.default_rng(1)), np.arange(6), 6, {})
    >>> features.category.tolist()
    [2, 2, 3, 4, 0, 0]
    >>> top = TopK(np.array([[0, 1, 2]], np.int32), np.array([[3., 2., 1.]]), np.ones((1, 3, 1)), ("visual",))
    >>> arranged(top, features, np.array([5]), Arrangement(per_type=1), 2).items.tolist()
    [[0, 2]]
    """
    size, width = top.items.shape
    item = np.maximum(top.items, 0).astype(np.int64)
    rows = np.arange(size)
    product, kind = features.product[item], features.category[item]
    just = np.where((bought >= 0) & (bought < features.size), bought, -1)
    bought_kind = np.where(just >= 0, features.category[np.maximum(just, 0)], -1)
    complement = (kind != bought_kind[:, None]) & (top.items >= 0)
    owed = np.minimum(complement.sum(axis=1), min(rules.complements, k))
    is_open = top.items >= 0
    # a learned score may be below zero: then what counts is how far the pool's best is above its last
    above = top.scores[:, 0] - np.where(is_open, top.scores, np.inf).min(axis=1)
    price = rules.diversity * np.maximum(np.maximum(top.scores[:, 0], above), 0.0)[:, None]  # (B, 1)
    likeness = np.zeros((size, width))
    of_product, of_kind = np.zeros((size, width), np.int64), np.zeros((size, width), np.int64)
    chosen = np.full((size, k), -1, np.int64)
    lost = np.zeros((size, k))
    for place in range(min(k, width)):
        value = np.where(is_open, top.scores - price * likeness, -np.inf)
        must = (owed >= k - place) & (complement & is_open).any(axis=1)
        best = np.where(must[:, None] & ~complement, -np.inf, value).argmax(axis=1)
        found = np.flatnonzero(is_open[rows, best])
        at = best[found]
        chosen[found, place] = at
        lost[found, place] = -(price * likeness)[found, at]
        is_open[found, at] = False
        owed[found] -= complement[found, at]
        if rules.per_product:
            own = product[found, at]
            of_product[found] += (product[found] == own[:, None]) & (own >= 0)[:, None]
            is_open &= of_product < rules.per_product
        if rules.per_type:
            own = kind[found, at]
            of_kind[found] += (kind[found] == own[:, None]) & (own >= 0)[:, None]
            is_open &= of_kind < rules.per_type
        if rules.diversity:
            likeness[found] = np.maximum(likeness[found], _likeness(features, item[found], product[found], at))
    return _picked(top, chosen, lost, with_diversity=rules.diversity > 0)


def _likeness(features: ItemFeatures, item: Ints, product: npt.NDArray[np.integer], at: Ints) -> Floats:
    """Return how much each item (F, P) is like the one chosen of its row, which stands at ``at`` (F,)."""
    rows = np.arange(at.size)
    one = np.repeat(item[rows, at], item.shape[1])
    alike = np.maximum(similarity(features, one, item.ravel()), 0.0).reshape(item.shape)
    own = product[rows, at][:, None]
    return np.where((product == own) & (own >= 0), 1.0, alike)


def _picked(top: TopK, chosen: Ints, lost: Floats, *, with_diversity: bool) -> TopK:
    taken = chosen >= 0
    at = np.maximum(chosen, 0)
    parts = np.where(taken[:, :, None], np.take_along_axis(top.parts, at[:, :, None], axis=1), 0.0)
    names = top.part_names
    if with_diversity:
        parts, names = np.concatenate([parts, lost[:, :, None]], axis=2), (*names, DIVERSITY)
    return TopK(
        np.where(taken, np.take_along_axis(top.items, at, axis=1), -1).astype(np.int32),
        np.where(taken, np.take_along_axis(top.scores, at, axis=1) + lost, 0.0),
        parts,
        names,
    )
