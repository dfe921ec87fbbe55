"""What a customer may want who comes back, or comes for the first time: a list before anything was bought that day.

A list right after a purchase follows that purchase; before one there is only what the customer bought on earlier days
and what sells now, so other weights fit, and what everybody buys matters most. It uses the same parts as every score
(:mod:`trendloom.relevance.score`); only popularity and the weight of days are its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from trendloom.relevance.category_affinity import family_of
from trendloom.relevance.features import ItemDynamics, ItemFeatures
from trendloom.relevance.popularity import decayed
from trendloom.relevance.presets import Preset
from trendloom.relevance.query import Query
from trendloom.relevance.score import Question
from trendloom.relevance.standing import Standing

__all__ = ["NEXT_BASKET", "BasketRules", "asking", "has_to_fit", "over_days", "popular_alone", "weight_of_days"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
#: Families of categories (see :mod:`trendloom.relevance.category_affinity`) whose garments have to fit.
_FITTED = ("B", "C", "F")


@dataclass(frozen=True)
class BasketRules:
    """Weights and constants; the defaults were fitted on H&M purchases of 16 and 17 September 2020 (see the docs)."""

    preset: Preset = field(
        default_factory=lambda: Preset(
            name="next-basket",
            weights={
                "co_purchase": 1.0,
                "transition": 15.0,
                "variants": 0.8,
                "popularity": 25.0,
                "repurchase": 1.6,
            },
            just_bought_s=0.0,
            retrieve={"trending": 60, "variants": 24, "co_purchase": 60, "groups": 8, "in_group": 12},
        )
    )
    #: a sale within the fast half-life counts so many times more
    fresh: float = 12.0
    #: power of the mean basket that a popular item is divided by: what is bought alone is found more often
    lone: float = 0.5
    #: the weight of a past purchase falls to this share of itself from day to day, but never below the floor
    day_decay: float = 0.87
    floor: float = 0.1
    #: so many of the most popular items are looked at more closely
    popular: int = 200
    #: what has to fit is bought again so many times more readily, in another size
    fitted: float = 1.4
    #: and what costs more than others, by this power of how much more
    dear: float = 0.25


NEXT_BASKET = BasketRules()


def weight_of_days(days: npt.ArrayLike, *, day_decay: float, floor: float) -> Floats:
    """Return floor + (1 - floor) * day_decay^days: what a purchase of so many days ago says of the next basket.

    >>> weight_of_days([0, 1, 1000], day_decay=0.5, floor=0.2).round(3).tolist()
    [1.0, 0.6, 0.2]
    """
    return np.asarray(floor + (1.0 - floor) * day_decay ** np.asarray(days, np.float64), np.float64)


def has_to_fit(categories: Sequence[str]) -> Flags:
    """Return which categories (C + 1,) are trousers, jackets or suits; the last stands for unknown: no.

    They sit or they do not, so they are bought once more, in another size, more often than a top or a bag.

    >>> has_to_fit(["Denim", "Vest top", "Blazer"]).tolist()
    [True, False, True, False]
    """
    return np.array([*(family_of(name) in _FITTED for name in categories), False])


def over_days(query: Query, weight: Floats) -> Floats:
    """Return the sum (B, H) of the weights (B, H) of all days on which each item of a history was bought.

    >>> query = Query(np.array([-1]), np.array([[5, 5, 7, 5]]), np.array([[3, 3, 3, 2]]) * 86_400_000,
    ...               np.array([4 * 86_400_000]), np.full((1, 4), -1), np.zeros(1), np.zeros(1))
    >>> over_days(query, np.array([[1.0, 1.0, 1.0, 0.5]])).tolist()
    [[1.5, 1.5, 1.0, 1.5]]
    """
    history, days = query.history, query.days_ago
    total = np.zeros(history.shape)
    for place in range(history.shape[1]):
        same = history == history[:, place, None]
        counted = (same[:, :place] & (days[:, :place] == days[:, place, None])).any(axis=1)
        total += same * np.where(counted, 0.0, weight[:, place])[:, None]
    return total


@dataclass(frozen=True)
class _Returning(Question):
    """A question whose past purchases are weighed for a next basket."""

    rules: BasketRules = NEXT_BASKET

    @cached_property
    def recency(self) -> Floats:
        """Weight (B, H) of each distinct past purchase."""
        query, rules = self.query, self.rules
        days = weight_of_days(query.days_ago, day_decay=rules.day_decay, floor=rules.floor)
        return np.asarray(query.recency(rules.preset.position_decay, 1.0) * days, np.float64)

    @cached_property
    def again(self) -> Floats:
        """Weight (B, H) of each distinct past purchase for being bought once more.

        All days on which it was bought count, each by its age, whatever was bought in between; what has to fit counts
        for more, and so does what costs more.
        """
        features, history, rules = self.features, self.history, self.rules
        days = weight_of_days(self.query.days_ago, day_decay=rules.day_decay, floor=rules.floor)
        category = np.where(history >= 0, features.category[np.maximum(history, 0)], -1)
        fits = np.where(has_to_fit(features.category_names)[category], rules.fitted, 1.0)
        dear = self.dynamics.price_level(history.astype(np.int64)) ** rules.dear
        return np.where(self.query.newest, over_days(self.query, days) * fits * dear, 0.0)


def popular_alone(dynamics: ItemDynamics, standing: Standing, at_ms: int, rules: BasketRules) -> tuple[Ints, Floats]:
    """Return the most popular items (T,) and their worth (T,): the share of all sales that is theirs, lone ones raised.

    An item's sales are S + fresh F, S and F halved with the slow and the fast half-life; they are divided by
    (1 + sum_j C_ij / n_i)^lone, where the bracket is how many different items go into a basket with it, itself
    included. The best come first, of equal ones the smaller number.
    """
    n = standing.slow.size
    sold = np.flatnonzero(dynamics.purchases[:n] > 0)
    slow = decayed(dynamics.slow[sold], dynamics.slow_half_life_s, dynamics.landmark_ms, at_ms)
    fast = decayed(dynamics.fast[sold], dynamics.fast_half_life_s, dynamics.landmark_ms, at_ms)
    sales = slow + rules.fresh * fast
    count = min(rules.popular, sold.size)
    if not count:
        return sold, sales
    best = np.argpartition(-sales, count - 1)[:count]
    item = sold[best]
    _, units = dynamics.co.gather(item)
    together = 0.5 * units.sum(axis=1) / dynamics.purchases[item]
    worth = sales[best] / (1.0 + together) ** rules.lone / max(float(sales.sum()), np.finfo(np.float64).tiny)
    order = np.lexsort((item, -worth))
    return item[order], worth[order]


def asking(
    query: Query, features: ItemFeatures, dynamics: ItemDynamics, standing: Standing, rules: BasketRules = NEXT_BASKET
) -> Question:
    """Return the question of customers who have not bought anything that day; ``query.item`` is -1 throughout."""
    return _Returning(query, features, dynamics, rules.preset, standing, rules)
