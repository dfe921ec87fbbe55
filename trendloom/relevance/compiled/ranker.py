"""Ranks batches of purchases with the compiled kernel: prepares its arrays, keeps its room, hands back a ``TopK``.

A ranker belongs to one catalogue and one preset. It keeps a copy of what it needs of the items, a cache line each, so
whoever changes the counts of items says so (``touch``). Read next: :mod:`trendloom.relevance.compiled.kernel`.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from trendloom.relevance.category_affinity import affinity_table
from trendloom.relevance.co_purchase import damping
from trendloom.relevance.compiled.arrays import CARD, Asked, Items, Live, Scratch, Weighing, tables_of
from trendloom.relevance.compiled.kernel import rank
from trendloom.relevance.compiled.snapshot import best_of_groups, write_standing
from trendloom.relevance.compiled.steps import FIRST
from trendloom.relevance.features import ItemDynamics, ItemFeatures
from trendloom.relevance.presets import PART_NAMES, Preset
from trendloom.relevance.query import Query
from trendloom.relevance.standing import Standing
from trendloom.relevance.top_k import TopK

__all__ = ["Ranker"]

#: Scores are kept as e^(score - a recent one), which is made anew before it could overflow (e^709).
_MOST_FRESH = 300.0
#: Parts that need to know an item's share of its group or product.
_BY_SHARE = ("product_co_purchase", "transition", "variants")

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
_NOTHING: Ints = np.empty(0, np.int64)
#: Of so many purchases half are ranked in a second thread, where there is a core for it.
_HALVED = 512
_CORES = len(os.sched_getaffinity(0))


class Ranker:
    """Top-k lists as :func:`trendloom.candidates.recommend` makes them, some ten times faster; not thread-safe.

    ``history_length`` (H) and ``co_limit``, the most co-purchases of an item, bound the room that one purchase needs.
    """

    def __init__(
        self,
        features: ItemFeatures,
        preset: Preset,
        *,
        k: int,
        exclude_other_views: bool,
        history_length: int,
        co_limit: int,
    ) -> None:
        self._features = features
        self._preset = preset
        self._k = k
        self._history_length = history_length
        self._items = _items(features, preset)
        self._weighing = _weighing(preset, exclude_other_views=exclude_other_views)
        self._popular = preset.retrieve.get("popular", 0) if preset.scaling == "extremes" else 0
        self._scratch = self._room(features, co_limit, second=False)
        self._second_scratch = self._room(features, co_limit, second=True)
        self._with_shares = not self._weighing.extremes or any(name in preset.parts for name in _BY_SHARE)
        self._standing: Standing | None = None
        self._fresh_at = 0.0
        self._product_purchases: npt.NDArray[np.float64] = np.zeros(features.n_products)
        self._product_damping = np.full(max(features.n_products, 1), preset.product_shrinkage**preset.damping)
        self._in_group = (np.zeros(features.n_groups + 1, np.int64), np.empty(0, np.int64))
        self._popular_items: Ints = np.empty(0, np.int64)  # by total, ascending
        self._popular_total: npt.NDArray[np.float64] = np.empty(0)
        self._popular_vectors: Singles = np.zeros((0, 0), np.float32)

    def touch(self, numbers: Ints | None, dynamics: ItemDynamics) -> None:
        """Take over the purchases and slow scores of these items (None: of all) after they have changed."""
        cards, preset = self._items.cards, self._preset
        which: slice | Ints = slice(0, cards.size) if numbers is None else numbers[numbers < cards.size]
        slow = dynamics.slow[: cards.size][which]
        newest = float(slow.max(initial=-np.inf))
        # far from the anchor either way: events before the landmark have scores far below 0
        if numbers is None or not abs(newest - self._fresh_at) <= _MOST_FRESH:
            which, slow = slice(0, cards.size), dynamics.slow[: cards.size]
            newest = float(slow.max(initial=-np.inf))
            if newest > -np.inf:
                self._fresh_at = newest
        cards["fresh"][which] = np.exp(slow - self._fresh_at)
        self._items.damping[which] = damping(dynamics.purchases[: cards.size][which], preset.shrinkage, preset.damping)

    def rank(self, query: Query, dynamics: ItemDynamics, standing: Standing) -> TopK:
        """Return the top-k list of every purchase of the query."""
        self.stand(standing)
        names = self._preset.parts
        items = np.empty((query.size, self._k), np.int32)
        scores = np.empty((query.size, self._k))
        parts = np.empty((query.size, self._k, len(names)))
        asked, live = Asked.of(query), self._live(dynamics, standing)
        half = query.size // 2 if query.size >= _HALVED and _CORES > 1 else 0
        first, second = slice(0, half), slice(half, query.size)

        def rank_some(some: slice, room: Scratch) -> None:
            rank(asked.part(some), self._items, live, self._weighing, room, items[some], scores[some], parts[some])

        if not half:
            rank_some(second, self._scratch)
            return TopK(items, scores, parts, names)
        with ThreadPoolExecutor(1) as beside:  # lists know nothing of each other, and the kernel leaves the interpreter
            done = beside.submit(rank_some, first, self._second_scratch)
            rank_some(second, self._scratch)
            done.result()
        return TopK(items, scores, parts, names)

    def _room(self, features: ItemFeatures, co_limit: int, *, second: bool) -> Scratch:
        w, length = self._weighing, self._history_length
        sources = features.neighbours.shape[1] + w.trending + w.groups * w.in_group + self._popular
        room = min(features.size, length * (1 + co_limit + w.variants) + sources) + 1
        products = length * (1 + co_limit) + room + 1 + FIRST
        return Scratch(
            product_place=np.zeros(max(features.n_products, 1), np.int32),
            products=np.zeros(products, np.int32),
            evident=np.zeros(length * (1 + co_limit) + 1, np.int32),
            second=second,
            stamp=np.zeros(1, np.int64),
            item=np.zeros(room, np.int32),
            wanted=np.zeros(room, np.int8),
            co=np.zeros(features.size),
            cosine=np.full(room, np.nan),
            repurchase=np.zeros(room),
            value=np.zeros(room),
            order=np.zeros(room, np.int64),
            high=np.zeros(room),
            parts=np.zeros((room, len(PART_NAMES))),
            product_co=np.zeros(products),
            product_recency=np.zeros(products),
            chances=np.zeros(features.n_groups),
            near=np.zeros(features.store_latitude_deg.size),
        )

    def stand(self, standing: Standing) -> None:
        """Take over how all items stand, once for each snapshot; ``rank`` does so for a snapshot that it has not seen.

        Costs by the number of items that were ever sold, so a worker may want to see what it costs.
        """
        if standing is self._standing:
            return
        before, cards = self._standing, self._items.cards
        if before is None:
            cards["total"] = standing.total
        else:
            changed = np.flatnonzero(standing.total != before.total)
            cards["total"][changed] = standing.total[changed]
            gone = before.sold[standing.slow[before.sold] == -np.inf]
            for name in ("percentile", "group_share", "product_share"):
                cards[name][gone] = 0.0
        if self._with_shares:
            self._take_shares(standing)
        if self._popular:
            self._take_popular(standing)
        self._standing = standing

    def _take_shares(self, standing: Standing) -> None:
        features = self._features
        purchases = write_standing(
            self._items.cards,
            standing.sold,
            standing.slow,
            standing.percentile,
            standing.purchases,
            features.group,
            features.product,
            features.n_groups,
            features.n_products,
        )
        changed = np.flatnonzero(purchases != self._product_purchases)
        preset, self._product_purchases = self._preset, purchases
        self._product_damping[changed] = damping(purchases[changed], preset.product_shrinkage, preset.damping)
        limit = self._weighing.in_group if self._weighing.groups else 0
        self._in_group = best_of_groups(standing.by_popularity, features.group, features.n_groups, limit)

    def _take_popular(self, standing: Standing) -> None:
        count = min(self._popular, standing.total.size)
        among = np.empty(0, np.int64)
        if self._popular_total.size == count > 0:  # totals only grow: the most popular are still above the last of old
            among = np.flatnonzero(standing.total >= self._popular_total[0])
        if among.size < count:
            among = np.arange(standing.total.size)
        best = np.argpartition(-standing.total[among], count - 1)[:count]
        popular = among[best].astype(np.int64)
        popular = popular[np.argsort(standing.total[popular], kind="stable")]
        self._popular_items, self._popular_total = popular, standing.total[popular]
        self._popular_vectors = self._vectors_of(popular)

    def _vectors_of(self, popular: Ints) -> Singles:
        """Return the embeddings (K, D) that similarities to these items come from; (0, 0) if they are of two kinds."""
        items = self._items
        if not items.whole_lists or (not items.photos.size and not items.tables.size):
            return np.zeros((0, 0), np.float32)
        if items.tables.size:
            return items.tables[popular]
        row = self._features.photo_row[popular]
        vectors = items.photos[np.maximum(row, 0)]
        vectors[row < 0] = 0.0
        return vectors

    def _live(self, dynamics: ItemDynamics, standing: Standing) -> Live:
        co, products = dynamics.co.arrays(), dynamics.transitions.products.arrays()
        least, most = standing.outermost(self._history_length + 1) if self._weighing.extremes else (_NOTHING, _NOTHING)
        return Live(
            self._fresh_at,
            math.log(2.0) / dynamics.slow_half_life_s / 1000.0,
            dynamics.landmark_ms,
            *co,
            *products,
            dynamics.transitions.chances(self._features.n_groups),
            standing.by_popularity,
            self._product_damping,
            *self._in_group,
            least,
            most,
            self._popular_items,
            self._popular_total,
            self._popular_vectors,
        )


def _cards(size: int) -> npt.NDArray[np.void]:
    """Return cards (N,) of zeros, each of which is one cache line."""
    room = np.zeros((size + 1) * CARD.itemsize, np.uint8)
    begin = -room.ctypes.data % CARD.itemsize
    return room[begin : begin + size * CARD.itemsize].view(CARD)


def _items(features: ItemFeatures, preset: Preset) -> Items:
    cards = _cards(features.size)
    for name in ("product", "view_group", "group", "category", "gender", "store", "photo_row"):
        cards[name] = getattr(features, name)
    known = features.photo_row[features.exists]
    return Items(
        cards=cards,
        damping=np.full(features.size, preset.shrinkage**preset.damping),
        photos=np.ascontiguousarray(features.photos),
        tables=tables_of(features),
        neighbours=np.ascontiguousarray(features.neighbours, np.int32),
        neighbour_similarity=np.ascontiguousarray(features.neighbour_similarity, np.float32),
        lowest=np.ascontiguousarray(features.lowest, np.int32),
        lowest_similarity=np.ascontiguousarray(features.lowest_similarity, np.float32),
        variant_starts=features.variants.starts,
        variant_items=features.variants.items,
        latitude_deg=np.ascontiguousarray(features.store_latitude_deg, np.float64),
        longitude_deg=np.ascontiguousarray(features.store_longitude_deg, np.float64),
        affinity=np.ascontiguousarray(affinity_table(features.category_names)),
        whole_lists=bool((known >= 0).all() or (known < 0).all()),
    )


def _weighing(preset: Preset, *, exclude_other_views: bool) -> Weighing:
    # what carries an item by its popularity alone is found among the popular ones: the other sources add nothing
    beyond = preset.scaling == "extremes" and preset.retrieve.get("popular", 0) > 0
    take = {"neighbours": preset.retrieve.get("neighbours", 0)} if beyond else preset.retrieve
    return Weighing(
        weights=np.array([preset.weights.get(name, 0.0) for name in PART_NAMES]),
        places=np.array([preset.parts.index(name) if name in preset.parts else -1 for name in PART_NAMES], np.int64),
        extremes=preset.scaling == "extremes",
        fit_exponent=float(preset.fit_exponent),
        position_decay=float(preset.position_decay),
        day_decay=float(preset.day_decay),
        variant_share=float(preset.variant_share),
        just_bought_ms=int(preset.just_bought_s * 1000),
        scale_km=float(preset.proximity_scale_km),
        neighbours=take.get("neighbours", 0),
        trending=take.get("trending", 0),
        variants=take.get("variants", 0),
        co_purchase=take.get("co_purchase", 0),
        groups=take.get("groups", 0),
        in_group=take.get("in_group", 0),
        exclude_other_views=exclude_other_views,
    )
