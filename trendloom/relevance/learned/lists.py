"""Top-k lists by trees: prepares what the learned kernel reads, keeps its room, hands back a ``TopK``.

It belongs to one catalogue and one preset; the trees may be changed while it runs. Read next:
:mod:`trendloom.relevance.learned.kernel`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts
from trendloom.relevance.co_purchase import damping
from trendloom.relevance.compiled.arrays import Asked, tables_of
from trendloom.relevance.compiled.steps import BUCKETS
from trendloom.relevance.features import ItemDynamics, ItemFeatures, Lists
from trendloom.relevance.learned.arrays import Live, Room, Rules, Shop, Trees
from trendloom.relevance.learned.attributes import AttributePairs, Attributes
from trendloom.relevance.learned.forest import Forest
from trendloom.relevance.learned.gathering import N_EVIDENCE, SOURCES
from trendloom.relevance.learned.kernel import answer, describe_some
from trendloom.relevance.learned.seasons import season_signals
from trendloom.relevance.learned.signals import DENSE, PART_OF_SIGNAL, PARTS, POPULARITY_POWER, SIGNALS
from trendloom.relevance.presets import Preset
from trendloom.relevance.query import Query
from trendloom.relevance.season import WEEK_MS
from trendloom.relevance.standing import Standing
from trendloom.relevance.top_k import TopK

__all__ = ["Described", "LearnedLists"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: Parts of the linear form, in the order of ``Rules.weights``.
_FUSED = ("co_purchase", "product_co_purchase", "transition", "variants", "popularity")
#: Candidates that are described and weighed at most, unless the preset's ``retrieve`` says otherwise.
_MOST_WEIGHED = 200
#: So many of the most popular items are weighed by the lifts of their attributes.
_MOST_SOLD = 12_000
#: So many trees are asked of all candidates, and the rest of so many that are then the best.
_FIRST_TREES = 30
_WALKED = 50
_SECTION = DENSE.index("section")
_BARS_NOTHING = np.zeros(0, np.bool_)
_NOTHING: Ints = np.empty(0, np.int64)
#: So many purchases are described at a time.
_DESCRIBED = 32


@dataclass(frozen=True)
class Described:
    """Candidates of B purchases end to end: purchase b has ``item[starts[b] : starts[b + 1]]``.

    ``source`` (E,) bits of the sources that proposed them, ``signals`` (E, F) what the trees would be asked about.
    """

    starts: Ints
    item: Ints
    source: Ints
    signals: npt.NDArray[np.float32]


class LearnedLists:
    """Lists of the preset ``learned``; not thread-safe.

    ``history_length`` (H) and ``co_limit``, the most co-purchases of an item, bound the room that one purchase needs.
    """

    def __init__(
        self,
        features: ItemFeatures,
        attributes: Attributes,
        preset: Preset,
        *,
        k: int,
        exclude_other_views: bool,
        history_length: int,
        co_limit: int,
    ) -> None:
        self._features = features
        self._attributes = attributes
        self._preset = preset
        self._k = k
        #: transitions between attribute values: whoever learns pairs tells them, too
        self.pairs = AttributePairs(attributes)
        self._shop = _shop(features, attributes)
        self._rules = _rules(preset, exclude_other_views=exclude_other_views)
        self._room = _room(features, attributes, preset, history_length, co_limit)
        self._damping = np.full(features.size, preset.shrinkage**preset.damping)
        self._standing: Standing | None = None
        self._product_damping = np.zeros(features.n_products)
        self._chances = self.pairs.chances()
        self._sold: tuple[Ints, npt.NDArray[np.int32], Floats, Floats] | None = None
        self._section_total: Floats = np.zeros(0)
        self._in_store_share = 0.5
        self._price_scale = 0.0
        self._season: tuple[int, npt.NDArray[np.float32]] | None = None
        self._in_group = Lists(np.zeros(1, np.int64), np.zeros(0, np.int64))
        self._part_of_signal = np.array(PART_OF_SIGNAL, np.int64)

    def rebuild_pairs(self, co: BoundedCounts) -> None:
        """Make the transitions anew from co-purchase counts, as after a start."""
        self.pairs = AttributePairs.rebuilt(self._attributes, co)
        self._standing = None

    def touch(self, numbers: Ints | None, dynamics: ItemDynamics) -> None:
        """Take over the purchases of these items (None: of all) after they have changed."""
        size, preset = self._features.size, self._preset
        which: slice | Ints = slice(0, size) if numbers is None else numbers[numbers < size]
        self._damping[which] = damping(dynamics.purchases[:size][which], preset.shrinkage, preset.damping)

    def stand(self, standing: Standing, dynamics: ItemDynamics) -> None:
        """Take over how all items stand, and the transitions as they are now, once for each snapshot."""
        if standing is self._standing:
            return
        preset = self._preset
        self._standing = standing
        self._in_store_share = (int(dynamics.in_store.sum()) + 1) / (int(dynamics.purchases.sum()) + 2)
        spent = float(dynamics.spent.sum())
        self._price_scale = int(dynamics.priced.sum()) / spent if spent > 0.0 else 0.0
        self._product_damping = damping(standing.product_purchases, preset.product_shrinkage, preset.damping)
        self._chances = self.pairs.chances()
        dense = self._attributes.dense
        order = standing.by_popularity
        self._in_group = Lists.by_code(dense[order, 0], order, int(self._attributes.sizes[0]))
        sold, none = order[:_MOST_SOLD].astype(np.int64), self._attributes.n_values
        slow = standing.slow[sold]
        fresh: Floats = np.exp(slow - slow.max(initial=-np.inf)) if sold.size else np.zeros(0)
        codes = np.ascontiguousarray(dense[sold, :4])
        known = codes[:, _SECTION] >= 0
        self._sold = (
            sold,
            np.where(codes >= 0, codes, none).astype(np.int32),
            fresh,
            np.asarray(fresh**POPULARITY_POWER),
        )
        self._section_total = np.bincount(codes[known, _SECTION], fresh[known], minlength=max(none, 1)).astype(
            np.float64
        )

    def rank(
        self,
        query: Query,
        dynamics: ItemDynamics,
        standing: Standing,
        forest: Forest,
        barred: npt.NDArray[np.bool_] | None = None,
    ) -> TopK:
        """Return the top-k list of every purchase of the query; ``barred`` (N,) items are not listed."""
        items = np.empty((query.size, self._k), np.int32)
        scores = np.empty((query.size, self._k))
        parts = np.empty((query.size, self._k, len(PARTS)))
        trees = Trees(*forest.arrays(), *forest.walk)
        arrays = self.arrays(query, dynamics, standing, barred)
        answer(*arrays, trees, self._part_of_signal, items, scores, parts)
        return TopK(items, scores, parts, PARTS, self._preset.name)

    def described(self, query: Query, dynamics: ItemDynamics, standing: Standing) -> Described:
        """Return the candidates of every purchase and their signals: what a forest is grown from."""
        arrays = self.arrays(query, dynamics, standing)
        most = self._room.candidate.size
        size, item = np.empty(_DESCRIBED, np.int64), np.empty((_DESCRIBED, most), np.int64)
        source, signals = np.empty_like(item), np.empty((_DESCRIBED, most, len(SIGNALS)), np.float32)
        counts, items, sources, rows = [0], [_NOTHING], [_NOTHING], [np.empty((0, len(SIGNALS)), np.float32)]
        for begin in range(0, query.size, _DESCRIBED):
            end = min(begin + _DESCRIBED, query.size)
            describe_some(begin, end, *arrays, size, item, source, signals)
            there = np.arange(most) < size[: end - begin, None]
            counts += size[: end - begin].tolist()
            items.append(item[: end - begin][there])
            sources.append(source[: end - begin][there])
            rows.append(signals[: end - begin][there])
        return Described(np.cumsum(counts), np.concatenate(items), np.concatenate(sources), np.concatenate(rows))

    def arrays(
        self,
        query: Query,
        dynamics: ItemDynamics,
        standing: Standing,
        barred: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[Asked, Shop, Live, Rules, Room]:
        """Return what the kernel reads and the room it works in, for whoever calls it or times its steps."""
        self.stand(standing, dynamics)
        live = self._live(dynamics, standing, barred, self._in_season(int(query.at_ms.max(initial=0))))
        return Asked.of(query), self._shop, live, self._rules, self._room

    def _in_season(self, at_ms: int) -> npt.NDArray[np.float32]:
        """Return the signals of the season (N, 4) in the week of a batch's newest purchase, made once a week."""
        week = at_ms // WEEK_MS
        if self._season is None or self._season[0] != week:
            self._season = (week, season_signals(self._features, self._attributes, at_ms))
        return self._season[1]

    def _live(
        self,
        dynamics: ItemDynamics,
        standing: Standing,
        barred: npt.NDArray[np.bool_] | None,
        season: npt.NDArray[np.float32],
    ) -> Live:
        chance, everybody = self._chances
        assert self._sold is not None  # noqa: S101 - `stand` was called
        return Live(
            dynamics.purchases,
            dynamics.in_store if dynamics.in_store.size else np.zeros_like(dynamics.purchases),
            self._in_store_share,
            dynamics.priced if dynamics.priced.size else np.zeros_like(dynamics.purchases),
            dynamics.spent if dynamics.spent.size else np.zeros(dynamics.purchases.size),
            self._price_scale,
            season,
            dynamics.slow,
            dynamics.fast,
            math.log(2.0) / dynamics.slow_half_life_s / 1000.0,
            math.log(2.0) / dynamics.fast_half_life_s / 1000.0,
            dynamics.landmark_ms,
            self._damping,
            *dynamics.co.arrays(),
            *dynamics.transitions.products.arrays(),
            standing.percentile,
            standing.group_share,
            standing.product_share,
            standing.product_purchases,
            self._product_damping,
            standing.by_popularity,
            self._in_group.starts,
            self._in_group.items,
            *self._sold,
            self._section_total,
            chance,
            everybody,
            _BARS_NOTHING if barred is None else barred,
        )


def _shop(features: ItemFeatures, attributes: Attributes) -> Shop:
    return Shop(
        features.product.astype(np.int32),
        features.view_group.astype(np.int32),
        np.ascontiguousarray(attributes.dense[:, 0]),
        features.gender.astype(np.int8),
        features.store.astype(np.int16),
        features.photo_row.astype(np.int32),
        np.ascontiguousarray(attributes.dense),
        attributes.sizes,
        np.ascontiguousarray(attributes.dense[:, 2]),
        attributes.word,
        attributes.title,
        np.ascontiguousarray(features.photos),
        tables_of(features),
        np.ascontiguousarray(features.neighbours, np.int32),
        features.variants.starts,
        features.variants.items,
        attributes.by_word.starts,
        attributes.by_word.items,
        np.ascontiguousarray(features.store_latitude_deg, np.float64),
        np.ascontiguousarray(features.store_longitude_deg, np.float64),
    )


def _rules(preset: Preset, *, exclude_other_views: bool) -> Rules:
    return Rules(
        np.array([preset.weights.get(name, 0.0) for name in _FUSED]),
        np.array([preset.retrieve.get(name, 0) for name in SOURCES], np.int64),
        float(preset.position_decay),
        float(preset.day_decay),
        float(preset.variant_share),
        int(preset.just_bought_s * 1000),
        float(preset.proximity_scale_km),
        exclude_other_views,
        _FIRST_TREES,
        _WALKED,
    )


def _room(features: ItemFeatures, attributes: Attributes, preset: Preset, history_length: int, co_limit: int) -> Room:
    per_row = co_limit + 1
    followed = (history_length + 21) * per_row
    room = min(features.size, followed + history_length * preset.retrieve.get("variants", 0) + 4_096) + 4_096
    products = min(features.n_products, history_length * per_row) + 1
    shape = (attributes.dense.shape[1], max(attributes.n_values, 1))
    weighed = preset.retrieve.get("weighed", _MOST_WEIGHED)
    return Room(
        stamp=np.zeros(1, np.int64),
        slot=np.zeros(features.size, np.int64),
        product_slot=np.zeros(max(features.n_products, 1), np.int64),
        item=np.zeros(history_length, np.int64),
        weight=np.zeros(history_length),
        days=np.zeros(history_length, np.int64),
        noted=np.zeros(room, np.int64),
        evidence=np.zeros((room, N_EVIDENCE)),
        source=np.zeros(room, np.int64),
        products=np.zeros(products, np.int64),
        product_evidence=np.zeros((products, N_EVIDENCE)),
        value=np.zeros(2 * room),
        chosen=np.zeros(room, np.int64),
        counts=np.zeros(BUCKETS, np.int64),
        fusion=np.zeros(room),
        chance=np.zeros(shape),
        lift=np.zeros(shape),
        log_lift=np.zeros(shape),
        worth=np.zeros((3, shape[1] + 1)),
        sold_value=np.zeros(_MOST_SOLD),
        sold_spare=np.zeros(_MOST_SOLD),
        mean=np.zeros(0 if features.table_embeddings is None else features.table_embeddings.shape[1], np.float32),
        chance_last=np.zeros(shape),
        share=np.zeros(shape),
        today=np.zeros(shape),
        near=np.zeros(features.store_latitude_deg.size),
        knn=np.zeros(2),
        candidate=np.zeros(weighed, np.int64),
        place=np.zeros(weighed, np.int64),
        fused=np.zeros(weighed),
        sum=np.zeros(weighed),
        walk=np.zeros(weighed, np.int32),
        from_source=np.zeros(weighed, np.int64),
        rows=np.zeros((weighed, len(SIGNALS)), np.float32),
        order=np.zeros(weighed, np.int64),
        of_signal=np.zeros(len(SIGNALS)),
    )
