"""The arrays that the compiled kernel reads: what it is told of items, the stream, the preset and the purchases.

Plain tuples of arrays, because the kernel can unpack nothing else. Read next:
:mod:`trendloom.relevance.compiled.kernel`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trendloom.relevance.features import ItemFeatures
from trendloom.relevance.query import Query

__all__ = ["CARD", "Asked", "Items", "Live", "Scratch", "Weighing", "tables_of"]

Bytes = npt.NDArray[np.int8]
Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

#: All that is asked of an item while it is weighed, in one cache line (64 bytes): most of the time goes into fetching
#: it, so the first card has to begin one, too.
CARD = np.dtype(
    [
        ("slot", "i8"),  # where the present purchase has noted the item: stamp * 2^24 + place
        ("fresh", "f8"),  # e^(slow score - Live.fresh_at)
        ("second_slot", "i8"),  # the same for whoever ranks beside
        ("product", "i4"),
        ("view_group", "i4"),
        ("photo_row", "i4"),
        ("percentile", "f4"),
        ("total", "f4"),
        ("group_share", "f4"),
        ("product_share", "f4"),
        ("group", "i2"),
        ("category", "i2"),
        ("store", "i2"),
        ("gender", "i2"),
    ],
    align=True,
)


class Items(NamedTuple):
    """N items; lists end to end as in :class:`~trendloom.relevance.features.Lists`."""

    cards: npt.NDArray[np.void]  # (N,) of CARD
    damping: Floats  # (N,) (purchases + shrinkage)^damping
    photos: Singles  # (P, D)
    tables: Singles  # (N, T), or (0, 0)
    neighbours: Int32s  # (N, M)
    neighbour_similarity: Singles  # (N, M)
    lowest: Int32s  # (N, L)
    lowest_similarity: Singles  # (N, L)
    variant_starts: Ints  # (products + 1,)
    variant_items: Ints
    latitude_deg: Floats  # (S,)
    longitude_deg: Floats  # (S,)
    affinity: Floats  # (C + 1, C + 1), the last row and column for the unknown category
    whole_lists: bool  # whether every similarity that is not in an item's list is at most the list's last


class Live(NamedTuple):
    """What the stream says: counts as they are, and how all items stand (:mod:`trendloom.relevance.standing`)."""

    fresh_at: float  # what the cards' fresh scores are relative to: e^fresh_at would overflow
    slow_rate_per_ms: float
    landmark_ms: int
    co_slot: Int32s
    co_columns: Int32s
    co_counts: Int32s
    co_length: Int32s
    product_slot: Int32s
    product_columns: Int32s
    product_counts: Int32s
    product_length: Int32s
    chance: Floats  # (G, G)
    by_popularity: Ints
    product_damping: Floats  # (products,) (purchases + shrinkage)^damping
    group_starts: Ints  # (G + 1,)
    group_items: Ints
    least: Ints  # the least popular items by total
    most: Ints  # the most popular ones
    popular: Ints  # (K,) the items of greatest total, ascending; presets of extremes only
    popular_total: Floats  # (K,)
    popular_vectors: Singles  # (K, D) their embeddings; (0, 0) where some items have photos and others have none


class Weighing(NamedTuple):
    """A preset in numbers."""

    weights: Floats  # (11,)
    places: Ints  # (11,) column of the part in the answer, -1 where it weighs nothing
    extremes: bool
    fit_exponent: float
    position_decay: float
    day_decay: float
    variant_share: float
    just_bought_ms: int
    scale_km: float
    neighbours: int
    trending: int
    variants: int
    co_purchase: int
    groups: int
    in_group: int
    exclude_other_views: bool


class Asked(NamedTuple):
    """The purchases: :class:`~trendloom.relevance.query.Query`."""

    item: Int32s  # (B,)
    history: Int32s  # (B, H)
    history_ms: Ints  # (B, H)
    at_ms: Ints  # (B,)
    stores: npt.NDArray[np.int16]  # (B, H)
    trendiness: Floats  # (B,)

    @classmethod
    def of(cls, query: Query) -> Asked:
        """Return the arrays of a query."""
        return cls(query.item, query.history, query.history_ms, query.at_ms, query.stores, query.trendiness)

    def part(self, some: slice) -> Asked:
        """Return some of the purchases."""
        return Asked(
            self.item[some],
            self.history[some],
            self.history_ms[some],
            self.at_ms[some],
            self.stores[some],
            self.trendiness[some],
        )


class Scratch(NamedTuple):
    """Room to work in, made once; slots and places say where an item or product of the present purchase is noted.

    Between two purchases ``product_place``, ``wanted``, ``co`` and ``repurchase`` are 0 and ``cosine`` is NaN.
    """

    product_place: Int32s  # (products,) where the present purchase has noted it (steps.FIRST and more), 0: not
    products: Int32s  # (R',) products noted
    evident: Int32s  # (R,) items with co-purchase evidence
    second: bool  # whether this is the room of whoever ranks beside another
    stamp: Ints  # (1,) of the present purchase
    item: Int32s  # (R,) items noted
    wanted: Bytes  # (R,) 1 candidate, 0 only noted, -1 must not be listed
    co: Floats  # (N,) co-purchase evidence of items
    cosine: Floats  # (R,) NaN where not known yet
    repurchase: Floats  # (R,)
    value: Floats  # (R,)
    order: Ints  # (R,) places of candidates
    high: Floats  # (R,) upper bound of the score
    parts: Floats  # (R, 11)
    product_co: Floats  # (R',)
    product_recency: Floats  # (R',)
    chances: Floats  # (G,)
    near: Floats  # (S,)


def tables_of(features: ItemFeatures) -> Singles:
    """Return the table embeddings (N, T), (0, 0) where there are none: a kernel knows no None."""
    return np.zeros((0, 0), np.float32) if features.tables is None else np.ascontiguousarray(features.tables)
