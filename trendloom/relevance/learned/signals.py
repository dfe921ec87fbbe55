"""The signals that the trees of the preset ``learned`` may ask, by name, and the part of the score each belongs to.

The order is that of the columns which :mod:`trendloom.relevance.learned.describing` writes. Nothing here computes.
"""

from __future__ import annotations

__all__ = [
    "DENSE",
    "LIFT_POWERS",
    "PARTS",
    "PART_OF_SIGNAL",
    "POPULARITY_POWER",
    "RANKED",
    "SEASON",
    "SIGNALS",
    "STARTS",
]

#: Attributes between whose values transitions are counted, in order (:mod:`trendloom.relevance.learned.attributes`).
DENSE = ("group", "type", "colour", "section", "pattern")
#: The powers of the attributes' lifts, and of popularity, in the signal and source ``lifted`` (docs/candidates.md).
LIFT_POWERS = (0.8, 0.4, 0.8, 0.0, 0.0)
POPULARITY_POWER = 0.7

_CO_PURCHASE = (
    "knn",  # w C / (purchases + shrinkage)^damping, as the part co_purchase of the preset balanced
    "knn_evidence",  # sum of w_j C_ij over the history
    "knn_cosine",  # sum of w_j C_ij / sqrt((n_i + 5) (n_j + 5))
    "knn_best",  # the greatest of these C_ij / sqrt(...)
    "knn_last",  # C_ij with the item just bought
    "knn_last_share",  # and as a share of its purchases, C_ij / (n_j + 10)
    "knn_share",  # sum of w_j C_ij / (n_j + 10)
    "knn_times",  # how many items of the history it was bought with
    "knn_rank",  # its place among the candidates by knn, from 0; 999 without evidence
)
_PRODUCTS = (
    "product_cosine",  # the same one level up, between products
    "product_evidence",
    "product_best",
    "product_last_share",
    "product_times",
    "product_in_colour",  # product_cosine sqrt(share of product) (.3 + lift of colour)
    "product_rank",  # its place by that
)
_TWO_STEPS = (
    "two_steps",  # bought together with what is bought together with the history
    "two_steps_rank",
)
_POPULARITY = (
    "purchases",  # log(1 + purchases)
    "slow",  # log of the slow, decayed count at the time of the purchase
    "fast",  # log of the fast one
    "percentile",
    "share_of_group",
    "share_of_product",
    "momentum",  # slow - purchases: how much of what was ever sold was sold of late
    "product_purchases",  # log(1 + purchases) of all items of its product
    "product_place",  # where its product stands in the catalogue's order, from 0 to 1
)
_VARIANTS = (
    "variant",  # recency of the purchases of its product
    "variant_of_last",
    "variant_times",
    "product_items",  # how many items its product has
)
_WORDS = (
    "word",  # recency of the purchases whose title begins with the same word
    "word_of_last",
    "word_items",  # log of how many items' titles begin so
    "title",  # recency of the purchases of the same title
    "apart_from_last",  # how far apart in the catalogue's order the products stand: a collection lies together
    "apart",  # the least of these distances over the history
)
_VISUAL = (
    "visual_last",
    "visual_best",  # the greatest similarity to the latest three items
    "near",  # sum of w_j .97^place among the neighbours of the history's items
)
_TABLE = (
    "table_last",  # the same by what the table says: words and attributes
    "table_best",
    "table_mean",  # similarity to the weighted mean of the history
)
_REPURCHASE = ("repurchase", "repurchase_days")
_PERSON = ("gender", "trend_fit", "proximity")
_PLACE = (
    "in_store_share",  # share of its purchases that are made in a store, (s + 3 S) / (n + 3), S that of all items
    "in_store_now",  # whether the purchase that asks was made in one
    "place_lift",  # its share of purchases made there (in a store, or not) over that of all items
)
_PRICE = (
    "price",  # log of what it costs on the mean over what a purchase costs on the mean, 0 where unknown
    "price_to_last",  # that less the same of the item just bought
    "price_to_history",  # and less its weighted mean over the history
)
#: The part ``season``, which :mod:`trendloom.relevance.learned.seasons` makes for all items at once.
SEASON = (
    "season_item",  # log(1 + purchases a week in the same weeks of earlier years); 0 where none are known
    "season_product",  # the same of its product
    "season_group_lift",  # log of how much more of its group is bought in these weeks than all the year round
    "season_type_lift",  # the same of its type
)
_ATTRIBUTES = tuple(
    tuple(f"{name}_{what}" for what in ("chance", "lift", "chance_after_last", "share", "today")) for name in DENSE
)
_LIFTED = (
    "lifted",  # log of popularity^.7 and the powers of the attributes' lifts
    "lifts",  # sum of the logs of all attributes' lifts
    "lifted_rank",
    "in_likely_group",  # chance of its group times its share of the group
    "in_likely_group_rank",
)
_CUSTOMER = (
    "bought_today",  # distinct items bought that day
    "history",  # distinct items in the history
    "trendiness",
    "last_purchases",  # log(1 + purchases) of the item just bought
    "knn_most",  # the greatest knn of any candidate
    "knn_total",  # and their sum
    "groups_bought",  # distinct groups in the history
)
_FUSION = (
    "fusion",  # the linear form of the preset balanced without its small parts
    "fusion_rank",
)

_BY_PART = {
    "co_purchase": _CO_PURCHASE,
    "product_co_purchase": _PRODUCTS,
    "two_steps": _TWO_STEPS,
    "popularity": _POPULARITY,
    "variants": _VARIANTS,
    "words": _WORDS,
    "visual": _VISUAL,
    "table": _TABLE,
    "repurchase": _REPURCHASE,
    "person": _PERSON,
    "place": _PLACE,
    "price": _PRICE,
    "season": SEASON,
    "transition": _ATTRIBUTES[0],
    "type": _ATTRIBUTES[1],
    "colour": _ATTRIBUTES[2],
    "section": _ATTRIBUTES[3],
    "pattern": _ATTRIBUTES[4],
    "lifted": _LIFTED,
    "customer": _CUSTOMER,
    "fusion": _FUSION,
}

SIGNALS: tuple[str, ...] = tuple(name for names in _BY_PART.values() for name in names)
#: Names of the parts that a list's scores are explained by; the last one is what every candidate is given.
PARTS: tuple[str, ...] = (*_BY_PART, "base")
#: (F,) the part of each signal.
PART_OF_SIGNAL: tuple[int, ...] = tuple(place for place, names in enumerate(_BY_PART.values()) for _ in names)
#: Where the signals of each part begin.
STARTS: dict[str, int] = {name: PART_OF_SIGNAL.index(place) for place, name in enumerate(_BY_PART)}
#: Signals that say the place of a candidate by another signal: (the other's column, its own).
RANKED: tuple[tuple[int, int], ...] = tuple(
    (SIGNALS.index(by), SIGNALS.index(rank))
    for by, rank in (
        ("knn", "knn_rank"),
        ("product_in_colour", "product_rank"),
        ("two_steps", "two_steps_rank"),
        ("lifted", "lifted_rank"),
        ("in_likely_group", "in_likely_group_rank"),
        ("fusion", "fusion_rank"),
    )
)
