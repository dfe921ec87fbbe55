"""The experiment's lists: one for each purchase and backbone, by the one relevance function that a worker uses.

Every garment that the customer has not bought is a candidate, and the popularity is that after the last purchase, as in
the source. Nothing is estimated: a customer's trendiness is the one that they were made with. Read next:
:mod:`evaluation.paper.measures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from evaluation.paper.customers import Purchases
from evaluation.paper.garments import Garments
from trendloom.bounded_counts import BoundedCounts
from trendloom.candidates import TopK, recommend
from trendloom.catalogue.neighbours import find_extremes
from trendloom.relevance.features import ItemDynamics, ItemFeatures
from trendloom.relevance.presets import PRESETS, Preset
from trendloom.relevance.query import DAY_MS, Query
from trendloom.relevance.standing import Standing

__all__ = ["Shop", "features_of", "lists_for", "preset_with", "random_lists"]

Ints = npt.NDArray[np.int64]

#: Purchases whose lists are made together: so many rows of all garments are in memory at once.
_PURCHASES = 64


@dataclass(frozen=True)
class Shop:
    """The garments as one backbone sees them, and what was bought of them."""

    features: ItemFeatures
    purchases: Purchases


def preset_with(weights: Mapping[str, float], exponent: float) -> Preset:
    """Return the preset ``paper`` with these weights, nothing else weighing anything, and this penalty exponent.

    >>> preset_with({"visual": 1.0}, 4.0).parts
    ('visual',)
    """
    paper = PRESETS["paper"]
    return replace(paper, weights=dict(weights), fit_exponent=exponent)


def features_of(
    garments: Garments, rows: npt.NDArray[np.float16], stores: Mapping[str, tuple[float, float]], most_bought: int
) -> ItemFeatures:
    """Return the garments' features with a backbone's unit rows (N, F); store s stands at the s-th of ``stores``.

    The ``most_bought`` + 1 nearest and farthest of each garment are kept: enough for the extremes over all that a
    customer of so many purchases has not bought.
    """
    n = len(garments)
    found = find_extremes(rows, nearest=min(most_bought + 1, n - 1), farthest=min(most_bought + 1, n - 1))
    positions = np.array(list(stores.values()), np.float64).reshape(-1, 2)
    return ItemFeatures(
        category=garments.category,
        category_names=garments.category_names,
        gender=garments.items.gender,
        product=np.full(n, -1, np.int32),
        view_group=garments.view_group,
        group=np.full(n, -1, np.int16),
        store=garments.store,
        store_latitude_deg=positions[:, 0],
        store_longitude_deg=positions[:, 1],
        photo_row=np.arange(n, dtype=np.int32),
        photo_embeddings=rows,
        table_embeddings=None,
        neighbours=found.nearest,
        neighbour_similarity=found.nearest_similarity,
        lowest=found.farthest,
        lowest_similarity=found.farthest_similarity,
    )


def lists_for(shop: Shop, preset: Preset, k: int) -> TopK:
    """Return a list (R, k) for each purchase: the best of all garments that its customer has not bought.

    Other views of the garment bought are left out; equal scores are ordered by row.
    """
    dynamics = _dynamics(shop.purchases)
    standing = Standing(shop.features, dynamics)
    rows = np.arange(shop.purchases.item.size)
    made = [
        recommend(
            _query(shop.purchases, rows[start : start + _PURCHASES]),
            shop.features,
            dynamics,
            preset,
            k=k,
            exclude_other_views=True,
            standing=standing,
            exhaustive=True,
        )
        for start in range(0, rows.size, _PURCHASES)
    ]
    return TopK(
        np.concatenate([top.items for top in made]),
        np.concatenate([top.scores for top in made]),
        np.concatenate([top.parts for top in made]),
        made[0].part_names,
    )


def random_lists(shop: Shop, k: int, rng: np.random.Generator) -> Ints:
    """Return lists (R, k) drawn at random from what each customer has not bought: what chance alone achieves."""
    n = shop.features.size
    lists = np.full((shop.purchases.item.size, k), -1, np.int64)
    for row, buyer in enumerate(shop.purchases.customer.tolist()):
        open_to = np.setdiff1d(np.arange(n), shop.purchases.item[shop.purchases.customer == buyer])
        drawn = rng.permutation(open_to)[:k]
        lists[row, : drawn.size] = drawn
    return lists


def _dynamics(purchases: Purchases) -> ItemDynamics:
    n = purchases.popularity.size
    return ItemDynamics(
        purchases=(purchases.popularity - purchases.initial_popularity).astype(np.int64),
        initial=purchases.initial_popularity.astype(np.float64),
        slow=np.full(n, -np.inf),
        fast=np.full(n, -np.inf),
        slow_half_life_s=86_400.0,
        fast_half_life_s=3_600.0,
        landmark_ms=0,
        co=BoundedCounts(keep=1, limit=2),
    )


def _query(purchases: Purchases, rows: Ints) -> Query:
    """Return what these purchases ask; a history is the purchase itself, then all others of its customer."""
    width = int(np.bincount(purchases.customer).max())
    history = np.full((rows.size, width), -1, np.int32)
    for place, row in enumerate(rows.tolist()):
        others = np.flatnonzero(purchases.customer == purchases.customer[row])
        history[place, : others.size] = purchases.item[np.append(row, others[others != row])]
    at_ms = purchases.day[rows] * DAY_MS
    return Query(
        item=history[:, 0],
        history=history,
        history_ms=np.broadcast_to(at_ms[:, None], history.shape).copy(),
        at_ms=at_ms,
        stores=np.full(history.shape, -1, np.int16),
        trendiness=purchases.trendiness[purchases.customer[rows]],
        percentile=np.zeros(rows.size),
    )
