"""The one relevance function: named parts of a score for pairs of a purchase and a candidate item.

The live path, the evaluation and the replays all call :func:`score`; exhaustive scoring is the same call with every
item as a candidate. It retrieves and excludes nothing: that is :mod:`trendloom.candidates`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from trendloom.relevance.category_affinity import affinity_table
from trendloom.relevance.co_purchase import Evidence, damped, neighbour_evidence
from trendloom.relevance.features import ItemDynamics, ItemFeatures
from trendloom.relevance.popularity import decayed
from trendloom.relevance.popularity_fit import minmax, popularity_fit
from trendloom.relevance.presets import Preset
from trendloom.relevance.query import Query
from trendloom.relevance.standing import Standing
from trendloom.relevance.store_distance import haversine_km, homes, proximity
from trendloom.relevance.trained import customer_vectors
from trendloom.relevance.visual import similarity

__all__ = ["Pairs", "Question", "score"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: Agreement of genders where one is unknown.
NEUTRAL = 0.5
UNISEX = 3


@dataclass(frozen=True)
class Pairs:
    """E pairs of a query row and an item, by ascending key = row * n_items + item, each once."""

    key: Ints
    row: Ints
    item: Ints

    @classmethod
    def of_keys(cls, key: Ints, n_items: int) -> Pairs:
        """Return the pairs of ascending, distinct keys.

        >>> Pairs.of_keys(np.array([3, 12]), n_items=10).row.tolist()
        [0, 1]
        """
        row = key // max(n_items, 1)
        return cls(key, row, key - row * n_items)

    @classmethod
    def exhaustive(cls, n_rows: int, n_items: int) -> Pairs:
        """Return every item for every row."""
        return cls.of_keys(np.arange(n_rows * n_items), n_items)


@dataclass(frozen=True)
class Question:
    """A batch of purchases, all that an answer depends on, and what the histories say (computed when first asked)."""

    query: Query
    features: ItemFeatures
    dynamics: ItemDynamics
    preset: Preset
    standing: Standing

    @cached_property
    def recency(self) -> Floats:
        """Weight (B, H) of each distinct past purchase."""
        return self.query.recency(self.preset.position_decay, self.preset.day_decay)

    @property
    def again(self) -> Floats:
        """Weight (B, H) of each distinct past purchase for being bought once more."""
        return self.recency

    @cached_property
    def bought(self) -> Ints:
        """The bought items (B,) as the catalogue knows them, -1 where it does not."""
        return self._known(self.query.item)

    @cached_property
    def history(self) -> Ints:
        """The histories (B, H) as the catalogue knows them, -1 where it does not."""
        return self._known(self.query.history)

    @cached_property
    def co_purchase(self) -> Evidence:
        """Weighted co-purchase counts, by item."""
        return neighbour_evidence(self.dynamics.co, self.query.history, self.recency, self.features.size)

    @cached_property
    def products(self) -> Evidence:
        """Weighted co-purchase counts, by product."""
        product = _coded(self.features.product, self.history)
        counts = self.dynamics.transitions.products
        return neighbour_evidence(counts, product, self.recency, max(self.features.n_products, 1))

    @cached_property
    def variants(self) -> Evidence:
        """Recency of the purchases of each product of a history, by product."""
        product = _coded(self.features.product, self.history)
        row, position = np.nonzero((product >= 0) & (self.recency > 0))
        key = row * max(self.features.n_products, 1) + product[row, position]
        return Evidence(key, self.recency[row, position]).summed()

    @cached_property
    def group_chances(self) -> Floats:
        """Chance (B, G) of the next item's group, given the groups of the history, each weighed by its recency."""
        n_groups = self.features.n_groups
        chance = self.dynamics.transitions.chances(n_groups)
        group = _coded(self.features.group, self.history)
        row, position = np.nonzero((group >= 0) & (self.recency > 0))
        weight = np.zeros((self.query.size, n_groups))
        np.add.at(weight, (row, group[row, position]), self.recency[row, position])
        weight /= np.maximum(weight.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        return np.asarray(weight @ chance, np.float64)

    @cached_property
    def colour_lifts(self) -> Floats:
        """How many times as often as by chance each colour (B, K) follows the history's, each weighed by its recency.

        1 for all colours where no colour of the history is known.
        """
        pairs = self.dynamics.colours
        lifts = np.ones((0, 0)) if pairs is None else pairs.lifts()
        colour = _coded(self.features.colour, self.history)
        row, position = np.nonzero((colour >= 0) & (colour < lifts.shape[0]) & (self.recency > 0))
        weight = np.zeros((self.query.size, lifts.shape[0]))
        np.add.at(weight, (row, colour[row, position]), self.recency[row, position])
        total = weight.sum(axis=1, keepdims=True)
        known = np.maximum(total, np.finfo(np.float64).tiny)
        return np.where(total > 0, (weight / known) @ lifts, 1.0)

    @cached_property
    def trained(self) -> npt.NDArray[np.float32]:
        """Vectors (B, W) of the customers, for a trained model; raises ``ValueError`` where none is given."""
        if self.features.trained is None:
            raise ValueError("the part `trained` needs a trained model")
        return customer_vectors(self.features.trained, self.query.trained, self.history, self.recency)

    @cached_property
    def gender(self) -> npt.NDArray[np.int64]:
        """The gender (B,) of most items of each history among women, men and kids; 0 where none says."""
        gender = _coded(self.features.gender, self.history, nothing=0)
        votes = np.stack([(gender == code).sum(axis=1) for code in range(5)], axis=1)
        votes[:, [0, UNISEX]] = 0
        return np.where(votes.max(axis=1) > 0, votes.argmax(axis=1), 0)

    @cached_property
    def home(self) -> tuple[Floats, Floats]:
        """Home latitude and longitude (B,), degrees, NaN where unknown.

        The stores that a purchase names come first; failing those, the stores that hold the items bought.
        """
        features = self.features
        latitude, longitude = features.store_latitude_deg, features.store_longitude_deg
        named = homes(self.query.stores, latitude, longitude)
        implied = homes(_coded(features.store, self.history), latitude, longitude)
        return np.where(np.isnan(named[0]), implied[0], named[0]), np.where(np.isnan(named[1]), implied[1], named[1])

    @cached_property
    def cosine_extremes(self) -> tuple[Floats, Floats]:
        """Lowest and highest similarity (B,) of the bought item to any item that the customer has not bought."""
        low = self._first_similarity(self.features.lowest)
        high = self._first_similarity(self.features.neighbours)
        # where the lists do not tell, nothing is known to differ: all equal
        known = ~np.isnan(low) & ~np.isnan(high)
        return np.where(known, low, 0.0), np.where(known, high, 0.0)

    @cached_property
    def popularity_extremes(self) -> tuple[Floats, Floats]:
        """Lowest and highest total popularity (B,) of any item that the customer has not bought."""
        lowest, highest = self.standing.outermost(self.history.shape[1] + 1)
        total = self.standing.total
        low = np.where(self.has_bought(lowest), np.inf, total[lowest]).min(axis=1, initial=np.inf)
        high = np.where(self.has_bought(highest), -np.inf, total[highest]).max(axis=1, initial=-np.inf)
        known = np.isfinite(low)
        return np.where(known, low, 0.0), np.where(known, high, 0.0)

    def has_bought(self, items: Ints) -> npt.NDArray[np.bool_]:
        """Whether each history (B, H) holds each of the items (C,) or (B, C): (B, C)."""
        wide = np.broadcast_to(items, (self.query.size, items.shape[-1]))
        return np.asarray((wide[:, :, None] == self.history[:, None, :]).any(axis=2))

    def _first_similarity(self, lists: npt.NDArray[np.int32]) -> Floats:
        """Return the similarity (B,) of the bought item to the first of its list that is not bought; NaN if none."""
        item = np.where(self.bought[:, None] >= 0, lists[np.maximum(self.bought, 0)], -1).astype(np.int64)
        open_to = (item >= 0) & ~self.has_bought(item)
        row = np.flatnonzero(open_to.any(axis=1))
        value = np.full(item.shape[0], np.nan)
        value[row] = similarity(self.features, self.bought[row], item[row, open_to[row].argmax(axis=1)])
        return value

    def _known(self, items: npt.NDArray[np.integer]) -> Ints:
        return np.where((items >= 0) & (items < self.features.size), items, -1).astype(np.int64)


def _coded(codes: npt.NDArray[np.integer], items: Ints, nothing: int = -1) -> Ints:
    if codes.size == 0:
        return np.full(items.shape, nothing, np.int64)
    return np.where(items >= 0, codes[np.maximum(items, 0)], nothing).astype(np.int64)


def score(pairs: Pairs, question: Question) -> Floats:
    """Return the weighted parts (P, E) of every pair's score, one row for each of ``preset.parts``; they sum to it."""
    preset = question.preset
    parts = np.empty((len(preset.parts), pairs.key.size))
    for row, name in enumerate(preset.parts):
        np.multiply(PARTS[name](pairs, question), preset.weights[name], out=parts[row])
    return parts


def _co_purchase(pairs: Pairs, question: Question) -> Floats:
    preset = question.preset
    evidence = question.co_purchase.at(pairs.key)
    return damped(evidence, question.dynamics.purchases[pairs.item], preset.shrinkage, preset.damping)


def _product_co_purchase(pairs: Pairs, question: Question) -> Floats:
    preset, standing = question.preset, question.standing
    product = question.features.product[pairs.item]
    key = pairs.row * max(question.features.n_products, 1) + product
    evidence = np.where(product >= 0, question.products.at(key), 0.0)
    met = np.flatnonzero(evidence)
    evidence[met] = (
        damped(evidence[met], standing.product_purchases[product[met]], preset.product_shrinkage, preset.damping)
        * standing.product_share[pairs.item[met]]
    )
    return evidence


def _transition(pairs: Pairs, question: Question) -> Floats:
    group = question.features.group[pairs.item]
    if question.features.n_groups == 0:
        return np.zeros(pairs.key.size)
    chance = np.where(group >= 0, question.group_chances[pairs.row, group], 0.0)
    return np.asarray(chance * question.standing.group_share[pairs.item], np.float64)


def _variants(pairs: Pairs, question: Question) -> Floats:
    product = question.features.product[pairs.item]
    key = pairs.row * max(question.features.n_products, 1) + product
    by_share = question.preset.variant_share
    worth = 1.0 - by_share + by_share * question.standing.product_share[pairs.item]
    return np.where(product >= 0, question.variants.at(key) * worth, 0.0)


def _popularity(pairs: Pairs, question: Question) -> Floats:
    dynamics = question.dynamics
    at_ms = question.query.at_ms[pairs.row]
    return decayed(dynamics.slow[pairs.item], dynamics.slow_half_life_s, dynamics.landmark_ms, at_ms)


def _visual(pairs: Pairs, question: Question) -> Floats:
    cosines = similarity(question.features, question.bought[pairs.row], pairs.item)
    if question.preset.scaling == "plain":
        return np.maximum(cosines, 0.0)
    low, high = question.cosine_extremes
    return minmax(cosines, low[pairs.row], high[pairs.row])


def _popularity_fit(pairs: Pairs, question: Question) -> Floats:
    preset, standing = question.preset, question.standing
    if preset.scaling == "plain":
        popularity = standing.percentile[pairs.item]
    else:
        low, high = question.popularity_extremes
        popularity = minmax(standing.total[pairs.item], low[pairs.row], high[pairs.row])
    return popularity_fit(popularity, question.query.trendiness[pairs.row], preset.fit_exponent)


def _category(pairs: Pairs, question: Question) -> Floats:
    features = question.features
    table = affinity_table(features.category_names)
    bought = _coded(features.category, question.bought)
    return np.asarray(table[bought[pairs.row], features.category[pairs.item]], np.float64)


def _gender(pairs: Pairs, question: Question) -> Floats:
    customer = question.gender[pairs.row]
    item = question.features.gender[pairs.item]
    agrees = np.where((item == customer) | (item == UNISEX), 1.0, 0.0)
    return np.where((customer == 0) | (item == 0), NEUTRAL, agrees)


def _proximity(pairs: Pairs, question: Question) -> Floats:
    features = question.features
    latitude, longitude = question.home
    n_stores = features.store_latitude_deg.size
    if n_stores == 0:
        return np.full(pairs.key.size, NEUTRAL)
    distance = haversine_km(
        latitude[:, None], longitude[:, None], features.store_latitude_deg, features.store_longitude_deg
    )
    near = proximity(distance, question.preset.proximity_scale_km)  # (B, S)
    store = features.store[pairs.item]
    return np.where(store >= 0, near[pairs.row, np.maximum(store, 0)], NEUTRAL)


def _repurchase(pairs: Pairs, question: Question) -> Floats:
    row, position = np.nonzero((question.history >= 0) & (question.again > 0))
    key = row * question.features.size + question.history[row, position]
    return Evidence(key, question.again[row, position]).summed().at(pairs.key)


def _trained(pairs: Pairs, question: Question) -> Floats:
    model = question.features.trained
    if model is None:
        return np.zeros(pairs.key.size)
    return model.chances(question.trained, pairs.row, pairs.item)


def _season(pairs: Pairs, question: Question) -> Floats:
    season = question.features.season
    if season is None:
        return np.zeros(pairs.key.size)
    at_ms = question.query.at_ms[pairs.row]
    return season.of_items(pairs.item, at_ms, spread_weeks=question.preset.season_spread_weeks)


def _colour(pairs: Pairs, question: Question) -> Floats:
    lifts = question.colour_lifts
    colour = _coded(question.features.colour, pairs.item)
    known = (colour >= 0) & (colour < lifts.shape[1])
    beyond = np.zeros(pairs.key.size)
    beyond[known] = lifts[pairs.row[known], colour[known]] - 1.0
    return _transition(pairs, question) * beyond


PARTS: Mapping[str, Callable[[Pairs, Question], Floats]] = {
    "co_purchase": _co_purchase,
    "product_co_purchase": _product_co_purchase,
    "transition": _transition,
    "variants": _variants,
    "popularity": _popularity,
    "visual": _visual,
    "popularity_fit": _popularity_fit,
    "category": _category,
    "gender": _gender,
    "proximity": _proximity,
    "repurchase": _repurchase,
    "trained": _trained,
    "season": _season,
    "colour": _colour,
}
