"""The state that learned lists ask, kept in one process from batch to batch: counts, popularity, trendiness.

The rules are those of the worker's state (:mod:`trendloom.state.rules`); histories come from whoever asks. Read next:
:mod:`evaluation.ranking.examples`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS, Histories, Purchases
from evaluation.light_loop import LoopRules
from trendloom.bounded_counts import BoundedCounts
from trendloom.refresh.next_basket import next_baskets
from trendloom.relevance.compiled.arrays import Asked
from trendloom.relevance.features import ItemDynamics, ItemFeatures
from trendloom.relevance.learned.arrays import Live, Room, Rules, Shop
from trendloom.relevance.learned.attributes import Attributes
from trendloom.relevance.learned.forest import Forest
from trendloom.relevance.learned.lists import Described, LearnedLists
from trendloom.relevance.presets import PRESETS, Preset
from trendloom.relevance.query import NOT_IN_STORE, UNKNOWN_STORE, Query
from trendloom.relevance.standing import Standing
from trendloom.relevance.top_k import TopK
from trendloom.relevance.transitions import Transitions

__all__ = ["RankingLoop"]

Ints = npt.NDArray[np.int64]
_LANDMARK_MS = 1_577_836_800_000


class RankingLoop:
    """Learned lists over a log: ask a batch (``question``, then ``rank`` or ``described``), then let it ``learn``."""

    def __init__(
        self,
        features: ItemFeatures,
        attributes: Attributes,
        *,
        preset: Preset = PRESETS["learned"],
        rules: LoopRules | None = None,
        k: int = 12,
    ) -> None:
        self.rules = rules if rules is not None else LoopRules()
        self._features = features
        n, rules = features.size, self.rules
        bounds = {"keep": rules.co_purchase_keep, "limit": rules.co_purchase_limit}
        self.dynamics = ItemDynamics(
            purchases=np.zeros(n, np.int64),
            in_store=np.zeros(n, np.int64),
            priced=np.zeros(n, np.int64),
            spent=np.zeros(n),
            initial=np.zeros(n),
            slow=np.full(n, -np.inf),
            fast=np.full(n, -np.inf),
            slow_half_life_s=rules.slow_half_life_s,
            fast_half_life_s=rules.fast_half_life_s,
            landmark_ms=_LANDMARK_MS,
            co=BoundedCounts(**bounds, compiled=True),
            transitions=Transitions(product=features.product, group=features.group, **bounds, compiled=True),
        )
        self._lists = LearnedLists(
            features,
            attributes,
            preset,
            k=k,
            exclude_other_views=True,
            history_length=rules.history_length,
            co_limit=rules.co_purchase_limit,
        )
        self._percentile_sum = np.zeros(0)
        self._percentile_count = np.zeros(0, np.int64)
        self._seen = 0
        self._standing: tuple[int, Standing] | None = None

    def standing(self) -> Standing:
        """Return the snapshot of all items' standing, made anew every ``standing_purchases`` purchases."""
        due = min(self.rules.standing_purchases, 1 + self._seen // 64)
        if self._standing is None or self._seen - self._standing[0] >= due:
            before = self._standing[1] if self._standing is not None else None
            self._standing = (self._seen, Standing(self._features, self.dynamics, before))
        return self._standing[1]

    def question(self, purchases: Purchases, histories: Histories) -> Query:
        """Return what purchases (B,) ask, whose customers' histories include them."""
        customer, item = purchases.customer, purchases.item
        self._make_room(customer)
        length = self.rules.history_length
        stores = np.full((item.size, length), NOT_IN_STORE, np.int16)
        stores[purchases.store >= 0, 0] = UNKNOWN_STORE  # those of the log are none of the catalogue's
        percentile = self.standing().percentile[item]
        everybody = int(self._percentile_count.sum())
        prior = float(self._percentile_sum.sum()) / everybody if everybody else 0.5
        weight = self.rules.trendiness_prior_weight
        trendiness = (self._percentile_sum[customer] + percentile + weight * prior) / (
            self._percentile_count[customer] + 1 + weight
        )
        return Query(
            item.astype(np.int32),
            np.ascontiguousarray(histories.item[:, :length], np.int32),
            np.ascontiguousarray(histories.at_ms[:, :length], np.int64),
            purchases.at_ms,
            stores,
            trendiness,
            percentile,
        )

    def next_baskets(self, histories: Histories, at_ms: Ints, k: int) -> Ints:
        """Return the lists (B, k) of customers who have bought nothing yet that day, as the live path makes them."""
        length, size = self.rules.history_length, at_ms.size
        query = Query(
            np.full(size, -1, np.int32),
            np.ascontiguousarray(histories.item[:, :length], np.int32),
            np.ascontiguousarray(histories.at_ms[:, :length], np.int64),
            at_ms,
            np.full((size, length), NOT_IN_STORE, np.int16),
            np.zeros(size),
            np.zeros(size),
        )
        top = next_baskets(query, self._features, self.dynamics, self.standing(), k=k)
        return top.items.astype(np.int64)

    def rank(self, query: Query, forest: Forest) -> TopK:
        """Return the lists that the trees make."""
        return self._lists.rank(query, self.dynamics, self.standing(), forest)

    def described(self, query: Query) -> Described:
        """Return the candidates and their signals."""
        return self._lists.described(query, self.dynamics, self.standing())

    def arrays(self, query: Query) -> tuple[Asked, Shop, Live, Rules, Room]:
        """Return what the kernel reads, for whoever times its steps."""
        return self._lists.arrays(query, self.dynamics, self.standing())

    def learn(self, purchases: Purchases, query: Query, histories: Histories) -> None:
        """Learn purchases (B,) and what they asked; the histories, which include them, pair them with earlier ones."""
        customer, item, dynamics = purchases.customer, purchases.item, self.dynamics
        self._make_room(customer)
        np.add.at(self._percentile_sum, customer, query.percentile)
        np.add.at(self._percentile_count, customer, 1)
        np.add.at(dynamics.purchases, item, 1)
        np.add.at(dynamics.in_store, item, query.stores[:, 0] != NOT_IN_STORE)
        known = purchases.price >= 0.0  # NaN is not
        np.add.at(dynamics.priced, item[known], 1)
        np.add.at(dynamics.spent, item[known], purchases.price[known])
        elapsed_s = (query.at_ms - _LANDMARK_MS) / 1000.0
        np.logaddexp.at(dynamics.slow, item, math.log(2.0) / self.rules.slow_half_life_s * elapsed_s)
        np.logaddexp.at(dynamics.fast, item, math.log(2.0) / self.rules.fast_half_life_s * elapsed_s)
        window = self.rules.co_purchase_window
        row, place = np.nonzero(histories.distinct[:, 1 : window + 1])
        one, other = item[row], histories.item[row, place + 1]
        same_day = histories.at_ms[row, place + 1] // DAY_MS == query.at_ms[row] // DAY_MS
        halves = np.where(same_day, 2, 1)
        if one.size:
            dynamics.co.count_pairs(one, other, halves)
            dynamics.transitions.learn_pairs(one, other, halves)
            self._lists.pairs.learn_pairs(one, other, halves)
        self._lists.touch(item, dynamics)
        self._seen += item.size

    def _make_room(self, customer: Ints) -> None:
        most = int(customer.max(initial=-1)) + 1
        if most > self._percentile_sum.size:
            more = max(most, 2 * self._percentile_sum.size) - self._percentile_sum.size
            self._percentile_sum = np.concatenate([self._percentile_sum, np.zeros(more)])
            self._percentile_count = np.concatenate([self._percentile_count, np.zeros(more, np.int64)])
