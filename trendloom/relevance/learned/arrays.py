"""The arrays that the learned kernel reads and the room it works in: plain tuples, as it can unpack nothing else.

Read next: :mod:`trendloom.relevance.learned.kernel`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Live", "Room", "Rules", "Shop", "Trees"]

Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]


class Shop(NamedTuple):
    """N items as the catalogue knows them."""

    product: Int32s
    view_group: Int32s
    group: Int32s  # the first column of dense
    gender: npt.NDArray[np.int8]
    store: npt.NDArray[np.int16]
    photo_row: Int32s
    dense: Int32s  # (N, A)
    sizes: Ints  # (A,) the number of values of each attribute
    colour: Int32s
    word: Int32s
    title: Int32s
    photos: Singles  # (P, D)
    tables: Singles  # (N, T) or (0, 0)
    neighbours: Int32s  # (N, M)
    variant_starts: Ints
    variant_items: Ints
    word_starts: Ints
    word_items: Ints
    latitude_deg: Floats  # (S,)
    longitude_deg: Floats  # (S,)


class Live(NamedTuple):
    """What the stream says: counts as they are, and a snapshot of how all items stand."""

    purchases: Ints  # (N+,)
    in_store: Ints  # (N+,) purchases that were made in a store
    in_store_share: float  # of all purchases
    priced: Ints  # (N+,) purchases whose price is known
    spent: Floats  # (N+,) the sum of these prices
    price_scale: float  # one over what a purchase costs on the mean, 0 where no price is known
    season: Singles  # (N, 4) the signals of the part season, (0, 4) where no earlier year is known
    slow: Floats  # (N+,)
    fast: Floats  # (N+,)
    slow_rate_per_ms: float
    fast_rate_per_ms: float
    landmark_ms: int
    damping: Floats  # (N,) (purchases + shrinkage)^damping
    co_slot: Int32s
    co_columns: Int32s
    co_counts: Int32s
    co_length: Int32s
    product_slot: Int32s
    product_columns: Int32s
    product_counts: Int32s
    product_length: Int32s
    percentile: Floats  # (N,)
    group_share: Floats  # (N,)
    product_share: Floats  # (N,)
    product_purchases: Floats  # (products,)
    product_damping: Floats  # (products,)
    trending: Ints
    group_starts: Ints
    group_items: Ints
    sold: Ints  # (M,) the most popular items
    sold_codes: Int32s  # (M, 4) their group, type, colour and section, G where unknown
    sold_fresh: Floats  # (M,) popularity, the greatest 1
    sold_power: Floats  # (M,) and a power of it
    section_total: Floats  # (G,) the popularity of each section
    chance: Floats  # (A, G, G)
    everybody: Floats  # (A, G)
    barred: npt.NDArray[np.bool_]  # (N,) or (0,): what may not be listed


class Rules(NamedTuple):
    """A preset in numbers."""

    weights: Floats  # (5,) of co-purchase, products, groups, variants and popularity in the linear form
    take: Ints  # (12,) candidates of each source, in the order of ``gathering.SOURCES``
    position_decay: float
    day_decay: float
    variant_share: float
    just_bought_ms: int
    scale_km: float
    exclude_other_views: bool
    first_trees: int  # so many trees are asked of all candidates,
    walked: int  # and the rest of so many that are then the best


class Trees(NamedTuple):
    """:class:`~trendloom.relevance.learned.forest.Forest`, once as it is and once to be walked without branches."""

    signal: Int32s
    threshold: Floats
    left: Int32s
    right: Int32s
    value: Floats
    root: Int32s
    asks: Int32s  # these are those of :class:`~trendloom.relevance.learned.forest.Walk`
    limit: Singles
    first: Int32s
    worth: Floats
    start: Int32s
    steps: Int32s


class Room(NamedTuple):
    """Room for one purchase, made once. Between two purchases ``share`` and ``today`` are 0."""

    stamp: Ints  # (1,)
    slot: Ints  # (N,) where the present purchase has noted an item: stamp * 2^24 + place
    product_slot: Ints  # (products,) the same for products
    item: Ints  # (H,) distinct items of the history
    weight: Floats  # (H,)
    days: Ints  # (H,)
    noted: Ints  # (R,)
    evidence: Floats  # (R, 10)
    source: Ints  # (R,) bits of the sources
    products: Ints  # (R',)
    product_evidence: Floats  # (R', 10)
    value: Floats  # (2 R,)
    chosen: Ints  # (R,)
    counts: Ints  # (512,)
    fusion: Floats  # (R,)
    chance: Floats  # (A, G)
    lift: Floats  # (A, G)
    log_lift: Floats  # (A, G)
    worth: Floats  # (3, G + 1)
    sold_value: Floats  # (M,)
    sold_spare: Floats  # (M,)
    mean: Singles  # (T,)
    chance_last: Floats  # (A, G)
    share: Floats  # (A, G)
    today: Floats  # (A, G)
    near: Floats  # (S,)
    knn: Floats  # (2,) the greatest knn and their sum
    candidate: Ints  # (C,)
    place: Ints  # (C,) where it is noted
    fused: Floats  # (C,) its linear form
    sum: Floats  # (C,) of the trees
    walk: Int32s  # (C,)
    from_source: Ints  # (C,)
    rows: Singles  # (C, F)
    order: Ints  # (C,)
    of_signal: Floats  # (F,)
