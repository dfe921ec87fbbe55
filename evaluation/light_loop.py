"""A small in-process loop over a recorded log: remember, recommend, learn, in batches; no store, no broker.

It exists to develop and to weigh: it drives the same :func:`trendloom.candidates.recommend` that a worker drives, with
the same rule of what a list may know (items as of the start of the batch). Read next:
:mod:`evaluation.next_in_session`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts
from trendloom.candidates import TopK, recommend
from trendloom.relevance.features import ItemDynamics, ItemFeatures
from trendloom.relevance.presets import Preset
from trendloom.relevance.query import DAY_MS, Query
from trendloom.relevance.standing import Standing
from trendloom.relevance.transitions import Transitions

__all__ = ["LightLoop", "LoopRules"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LoopRules:
    """How much is remembered, and how fast popularity fades; the defaults are those of the state."""

    slow_half_life_s: float = 86_400.0
    fast_half_life_s: float = 3_600.0
    history_length: int = 20
    co_purchase_window: int = 20
    co_purchase_keep: int = 96
    co_purchase_limit: int = 128
    trendiness_prior_weight: float = 5.0
    #: what an older purchase weighs in trendiness against the one after it; the state has no fading
    trendiness_fade: float = 1.0
    standing_purchases: int = 1_024


@dataclass
class LightLoop:
    """The state of a run: call :meth:`take` with each batch, in event-time order."""

    features: ItemFeatures
    rules: LoopRules = field(default_factory=LoopRules)
    landmark_ms: int = 1_577_836_800_000
    clock_s: Callable[[], float] = time.perf_counter
    #: seconds spent in ``recommend``
    recommend_s: float = 0.0

    def __post_init__(self) -> None:
        """Begin with nothing sold."""
        n = self.features.size
        self.dynamics = ItemDynamics(
            purchases=np.zeros(n, np.int64),
            initial=np.zeros(n),
            slow=np.full(n, -np.inf),
            fast=np.full(n, -np.inf),
            slow_half_life_s=self.rules.slow_half_life_s,
            fast_half_life_s=self.rules.fast_half_life_s,
            landmark_ms=self.landmark_ms,
            co=BoundedCounts(keep=self.rules.co_purchase_keep, limit=self.rules.co_purchase_limit),
            transitions=Transitions(
                product=self.features.product,
                group=self.features.group,
                keep=self.rules.co_purchase_keep,
                limit=self.rules.co_purchase_limit,
            ),
        )
        self._tails: dict[int, list[tuple[int, int]]] = {}
        self._percentiles: dict[int, tuple[float, int]] = {}
        self._population = (0.0, 0)
        self._seen = 0
        self._standing: tuple[int, Standing] | None = None

    def take(
        self,
        customer: Ints,
        item: Ints,
        at_ms: Ints,
        preset: Preset | None,
        *,
        k: int = 10,
        exclude_other_views: bool = True,
        arrange: Callable[[TopK, Query], TopK] | None = None,
    ) -> TopK | None:
        """Remember the batch's purchases, return their lists (None without a preset), then learn from the batch.

        ``arrange`` may change the lists, while the items are as they were at the start of the batch.
        """
        query = self.remember(customer, item, at_ms)
        top = None
        if preset is not None:
            standing = self.standing()
            began_s = self.clock_s()
            top = recommend(
                query,
                self.features,
                self.dynamics,
                preset,
                k=k,
                exclude_other_views=exclude_other_views,
                standing=standing,
            )
            if arrange is not None:
                top = arrange(top, query)
            self.recommend_s += self.clock_s() - began_s
        self.learn(query)
        return top

    def ask(self, customer: Ints, at_ms: Ints) -> Query:
        """Return what customers (B,) who have all bought before would ask at ``at_ms`` (B,); nothing is learnt."""
        length = self.rules.history_length
        history = np.full((customer.size, length), -1, np.int32)
        history_ms = np.zeros((customer.size, length), np.int64)
        trendiness = np.empty(customer.size)
        for row, buyer in enumerate(customer.tolist()):
            tail = self._tails[buyer]
            history[row, : len(tail)] = [entry[0] for entry in tail]
            history_ms[row, : len(tail)] = [entry[1] for entry in tail]
            trendiness[row] = self._trendiness(*self._percentiles[buyer])
        stores = np.full(history.shape, -1, np.int16)
        percentile = self.standing().percentile[history[:, 0]]
        return Query(history[:, 0], history, history_ms, at_ms, stores, trendiness, percentile)

    def standing(self) -> Standing:
        """Return the snapshot of all items' standing, made anew every ``standing_purchases`` purchases."""
        if self._standing is None or self._seen - self._standing[0] >= self.rules.standing_purchases:
            self._standing = (self._seen, Standing(self.features, self.dynamics))
        return self._standing[1]

    def remember(self, customer: Ints, item: Ints, at_ms: Ints) -> Query:
        """Add a batch's purchases to their customers' histories and return what they ask; items learn nothing yet."""
        length = self.rules.history_length
        history = np.full((item.size, length), -1, np.int32)
        history_ms = np.zeros((item.size, length), np.int64)
        trendiness = np.empty(item.size)
        percentile = self.standing().percentile[item]
        for row, (buyer, bought, moment, rank) in enumerate(
            zip(customer.tolist(), item.tolist(), at_ms.tolist(), percentile.tolist(), strict=True)
        ):
            tail = [(bought, moment), *self._tails.get(buyer, [])][:length]
            self._tails[buyer] = tail
            history[row, : len(tail)] = [entry[0] for entry in tail]
            history_ms[row, : len(tail)] = [entry[1] for entry in tail]
            total, count = self._percentiles.get(buyer, (0.0, 0))
            total = self.rules.trendiness_fade * total + rank
            self._percentiles[buyer] = (total, count + 1)
            trendiness[row] = self._trendiness(total, count + 1)
        self._population = (self._population[0] + float(percentile.sum()), self._population[1] + item.size)
        stores = np.full(history.shape, -1, np.int16)
        return Query(item.astype(np.int32), history, history_ms, at_ms, stores, trendiness, percentile)

    def _trendiness(self, total: float, count: int) -> float:
        """Return the mean percentile of ``count`` purchases, shrunken towards the population's."""
        everybody, purchases = self._population
        prior = everybody / purchases if purchases else 0.5
        weight, fade = self.rules.trendiness_prior_weight, self.rules.trendiness_fade
        past = count if fade == 1.0 else (1.0 - fade**count) / (1.0 - fade)
        return (total + weight * prior) / (past + weight)

    def learn(self, query: Query) -> None:
        """Count a batch's purchases, after what they ask was answered."""
        item, dynamics = query.item.astype(np.int64), self.dynamics
        np.add.at(dynamics.purchases, item, 1)
        elapsed_s = (query.at_ms - self.landmark_ms) / 1000.0
        np.logaddexp.at(dynamics.slow, item, math.log(2.0) / self.rules.slow_half_life_s * elapsed_s)
        np.logaddexp.at(dynamics.fast, item, math.log(2.0) / self.rules.fast_half_life_s * elapsed_s)
        window = self.rules.co_purchase_window
        older, met = query.history[:, 1 : window + 1], query.newest[:, 1 : window + 1]
        row, place = np.nonzero(met)
        one, other = item[row], older[row, place].astype(np.int64)
        same_day = query.history_ms[:, 1 : window + 1][row, place] // DAY_MS == query.at_ms[row] // DAY_MS
        halves = np.where(same_day, 2, 1)
        pair, position = np.unique(np.concatenate([one << 32 | other, other << 32 | one]), return_inverse=True)
        if pair.size:
            total = np.bincount(position, np.concatenate([halves, halves])).astype(np.int64)
            dynamics.co.add(pair >> 32, pair & 0xFFFFFFFF, total)
            dynamics.transitions.learn(pair >> 32, pair & 0xFFFFFFFF, total)
        self._seen += item.size
