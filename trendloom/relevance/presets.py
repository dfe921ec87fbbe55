"""The presets: which parts make a score, with which weights and constants.

A preset is a value; weights may be replaced from settings. Nothing here computes. Read next:
:mod:`trendloom.relevance.score`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from trendloom.errors import SettingsError

__all__ = ["PART_NAMES", "PLAIN_PARTS", "PRESETS", "Preset"]

#: Every part that a score may have, in the order in which parts are added up and listed.
PART_NAMES = (
    "co_purchase",
    "product_co_purchase",
    "transition",
    "variants",
    "popularity",
    "visual",
    "popularity_fit",
    "category",
    "gender",
    "proximity",
    "repurchase",
    "trained",
    "season",
    "colour",
)
#: Parts that only the plain form computes: lists that weigh one of them are not made by the compiled kernel.
PLAIN_PARTS = frozenset({"trained", "season", "colour"})


@dataclass(frozen=True)
class Preset:
    """Weights by part name (a part of weight 0 is not computed) and the constants of the parts."""

    name: str
    weights: Mapping[str, float]
    #: "extremes": cosine and popularity are min-max scaled over all items that the customer has not bought;
    #: "plain": the cosine as it is (negative ones count 0), and popularity as a percentile rank
    scaling: Literal["extremes", "plain"] = "plain"
    #: power of the gap between popularity and trendiness
    fit_exponent: float = 2.0
    #: weight of a past purchase: position_decay^position * day_decay^days
    position_decay: float = 0.95
    day_decay: float = 0.7
    #: co-purchase is divided by (purchases + shrinkage)^damping
    shrinkage: float = 100.0
    damping: float = 0.7
    #: the same for products: (purchases of all variants + product_shrinkage)^damping
    product_shrinkage: float = 20.0
    #: how much of the variants part goes by a variant's share of its product's popularity; the rest is equal for all
    variant_share: float = 0.75
    #: what was bought on the same day, or this recently, is never listed; older purchases only where repurchase weighs
    just_bought_s: float = 43_200.0
    #: the season is the same week of earlier years and so many before and after it
    season_spread_weeks: int = 1
    #: distance at which proximity has fallen to 1/e, km
    proximity_scale_km: float = 100.0
    #: how many candidates each source may propose; compiled, "popular" takes the place of all but "neighbours"
    retrieve: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse weights of parts that do not exist."""
        unknown = sorted(set(self.weights) - set(PART_NAMES))
        if unknown:
            msg = f"preset {self.name!r} weighs unknown parts {unknown}. Action: use some of {', '.join(PART_NAMES)}."
            raise SettingsError(msg)

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts that weigh anything, in order."""
        return tuple(name for name in PART_NAMES if self.weights.get(name, 0.0) != 0.0)

    def weighing(self, weights: Mapping[str, float]) -> Preset:
        """Return this preset with some weights replaced.

        >>> PRESETS["paper"].weighing({"gender": 0.2}).parts
        ('visual', 'popularity_fit', 'gender')
        """
        return replace(self, weights={**self.weights, **weights})


PRESETS: Mapping[str, Preset] = {
    "paper": Preset(
        name="paper",
        weights={"visual": 0.4, "popularity_fit": 0.2, "category": 0.0, "gender": 0.0, "proximity": 0.0},
        scaling="extremes",
        fit_exponent=4.0,
        retrieve={
            "neighbours": 64,
            "trending": 60,
            "variants": 24,
            "groups": 4,
            "in_group": 30,
            "popular": 2048,
        },
    ),
    "balanced": Preset(
        name="balanced",
        weights={
            "co_purchase": 1.0,
            "product_co_purchase": 0.1,
            "transition": 9.0,
            "variants": 0.4,
            "popularity": 0.0003,
            "visual": 0.05,
            "popularity_fit": 0.01,
            "gender": 0.01,
            "proximity": 0.005,
            "repurchase": 0.02,
        },
        retrieve={
            "neighbours": 20,
            "trending": 20,
            "variants": 24,
            "co_purchase": 60,
            "groups": 16,
            "in_group": 12,
        },
    ),
    # lists come from trees (trendloom.relevance.learned); these weights are its linear form, which chooses what the
    # trees are asked about
    "learned": Preset(
        name="learned",
        weights={
            "co_purchase": 1.0,
            "product_co_purchase": 0.1,
            "transition": 9.0,
            "variants": 0.4,
            "popularity": 0.0003,
        },
        retrieve={
            "co_purchase": 80,
            "products": 60,
            "variants": 24,
            "groups": 60,
            "trending": 30,
            "neighbours": 20,
            "two_steps": 60,
            "words": 10,
            "lifted": 90,
            "section": 70,
            "near": 20,
            "beside": 12,
            "weighed": 200,
        },
    ),
}
