"""What a worker scores with: the catalogue by item number, its copy of the items, snapshots of how all items stand.

It asks the copy (:mod:`trendloom.state.mirror`) and follows it; it never touches a store. With ``compiled`` lists are
made by :mod:`trendloom.relevance.compiled` (which needs numba), else by their plain form, :mod:`trendloom.candidates`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trendloom.candidates import recommend
from trendloom.catalogue.garment import Catalogue
from trendloom.collaborative.model import CollaborativeModel
from trendloom.collaborative.on_stream import StreamModel
from trendloom.refresh.assortment import colours_by_number, features_by_number
from trendloom.refresh.availability import EVERYTHING, Availability
from trendloom.refresh.next_basket import next_baskets
from trendloom.refresh.season_file import SeasonFile
from trendloom.relevance.arrangement import DIVERSITY, Arrangement, arranged
from trendloom.relevance.colour import ColourPairs
from trendloom.relevance.features import ItemDynamics, ItemFeatures
from trendloom.relevance.newcomers import with_newcomers
from trendloom.relevance.presets import PLAIN_PARTS, Preset
from trendloom.relevance.query import NOT_IN_STORE, UNKNOWN_STORE, Query
from trendloom.relevance.standing import Standing
from trendloom.relevance.top_k import TopK
from trendloom.relevance.transitions import Transitions
from trendloom.state.columns import Listings
from trendloom.state.customer import padded_entries
from trendloom.state.mirror import Mirror
from trendloom.state.rules import LANDMARK_MS, StateRules

if TYPE_CHECKING:  # numba is an extra
    from trendloom.relevance.compiled.ranker import Ranker
    from trendloom.relevance.learned.forest import Forest
    from trendloom.relevance.learned.lists import LearnedLists

__all__ = ["LearnedRules", "ListRules", "Scorer"]

#: A snapshot of how all items stand is kept for this many purchases (one for every 32 items, if that is more), or for
#: one in 64 of those seen if that is fewer; in a slow stream no longer than this; and at least for 20 times what it
#: took, so that snapshots are a twentieth of the work at most.
_STANDING_PURCHASES = 1_024
_STANDING_ITEMS = 32
_STANDING_S = 0.5
_STANDING_COST = 20.0

#: With more withdrawn items than this among a customer's best, the list is shorter.
_MOST_WITHDRAWN = 32

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Entries = np.ndarray[tuple[int, int], np.dtype[np.void]]


@dataclass(frozen=True, slots=True)
class LearnedRules:
    """Trees that make the lists (numba is needed), as long as purchases do not wait longer than ``linear_above_ms``."""

    preset: Preset
    forest: Forest
    linear_above_ms: float = 2_000.0


@dataclass(frozen=True, slots=True)
class ListRules:
    """What a list looks like: preset, length, and what it must not hold.

    With ``learned`` trees make the lists, and ``preset`` is the linear form that stands in for them under load.
    """

    preset: Preset
    top_k: int = 10
    exclude_other_views: bool = True
    arrangement: Arrangement = field(default_factory=Arrangement)
    #: Whether some items may not be listed at times; lists are then chosen among more candidates.
    changing_availability: bool = False
    #: A trained collaborative model, for the part `trained`; lists that weigh it are made by the plain form.
    trained: CollaborativeModel | None = None
    #: Purchases of earlier years by week, for the part `season`.
    season: SeasonFile | None = None
    #: At least so many places are for items of which fewer than so many were bought, as far as neighbours are.
    new_items: int = 0
    new_item_limit: int = 1
    learned: LearnedRules | None = None

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the parts that an entry's score may have, in order."""
        return self.with_rules(self.preset.parts)

    def with_rules(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of parts and of what the rules over a whole list add to them."""
        return (*parts, DIVERSITY) if self.arrangement.diversity else parts

    @property
    def width(self) -> int:
        """How many of the best are looked for: the list's length, more where some of them may drop out."""
        if self.arrangement.rules or self.changing_availability:
            return max(self.top_k, self.arrangement.pool)
        return self.top_k


class Scorer:
    """Top-k lists of purchases, from the items as the worker's copy holds them.

    ``number_of_row`` (N,) holds the item number of each row of the catalogue. Raises ``ValueError`` if one has none.
    What work costs is measured by ``cpu_s``.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        number_of_row: Ints,
        mirror: Mirror,
        *,
        state_rules: StateRules,
        list_rules: ListRules,
        stores: Mapping[str, tuple[float, float]],
        monotonic: Callable[[], float],
        compiled: bool,
        cpu_s: Callable[[], float],
    ) -> None:
        self._rules = state_rules
        self._catalogue, self._number_of_row = self._numbered(catalogue, number_of_row)
        self._mirror = mirror
        self._list_rules = list_rules
        self._stores = stores
        self._monotonic = monotonic
        self._cpu_s = cpu_s
        self._compiled = compiled
        hashes = {zlib.crc32(name.encode()) or 1: place for place, name in enumerate(stores)}
        self._store_hashes = np.array(sorted(hashes), np.int64)
        self._store_places = np.array([hashes[value] for value in sorted(hashes)], np.int16)
        self._standing: Standing | None = None
        self._percentile: npt.NDArray[np.float32] = np.empty(0, np.float32)
        self._standing_version = 0
        self._standing_from_s = 0.0
        self._standing_took_s = 0.0
        self._ranker: Ranker | None = None
        self._learned: LearnedLists | None = None
        self._forest = None if list_rules.learned is None else list_rules.learned.forest
        self._features: ItemFeatures
        self._availability = EVERYTHING
        self._named = 0
        self._withdrawn: npt.NDArray[np.bool_] | None = None
        self._dynamics: ItemDynamics
        mirror.on_pairs = self._learn
        mirror.on_items = self.touch
        mirror.on_reload = self._rebuild
        self._rebuild()

    def take(self, catalogue: Catalogue, number_of_row: Ints) -> None:
        """Score with another catalogue from now on; how the items stand goes on as it is.

        Raises ``ValueError`` if a row has no number; then nothing has changed.
        """
        self._catalogue, self._number_of_row = self._numbered(catalogue, number_of_row)
        del self._features
        self._rebuild()

    def allow(self, availability: Availability) -> None:
        """List only what may be listed from now on."""
        self._availability = availability
        self._withdrawn = self._find_withdrawn(self._features.size)

    def _numbered(self, catalogue: Catalogue, number_of_row: Ints) -> tuple[Catalogue, Ints]:
        if (number_of_row < 0).any():
            msg = f"the state has room for {self._rules.max_items} items, the catalogue holds {len(catalogue)}"
            raise ValueError(msg)
        return catalogue, number_of_row

    def catch_up(self) -> None:
        """Take over what the copy of the items has room for by now: items that were numbered since."""
        if self.is_behind():
            self._rebuild()

    def is_behind(self) -> bool:
        """Return whether the copy of the items has room for more than is known here."""
        return self._dynamics.purchases is not self._mirror.purchases or self._features.size < len(self._mirror.ids)

    def touch(self, numbers: Ints) -> None:
        """Note that the counts of these items have changed."""
        if self._ranker is not None:
            self._ranker.touch(numbers, self._dynamics)
        if self._learned is not None:
            self._learned.touch(numbers, self._dynamics)

    def take_forest(self, forest: Forest) -> None:
        """Let other trees make the lists from now on. Raises ``ValueError`` where none make them."""
        if self._learned is None:
            msg = "these lists are not made by trees"
            raise ValueError(msg)
        self._forest = forest

    def take_model(self, model: CollaborativeModel) -> None:
        """Let another trained model make the part `trained` from now on."""
        self._list_rules = replace(self._list_rules, trained=model)
        self._features = replace(self._features, **self._given(self._features.size))

    def percentiles(self, items: Ints) -> npt.NDArray[np.float32]:
        """Return the popularity percentile of each item (A,), as of the latest snapshot."""
        return self._percentile[items]

    def top_k(self, query: Query, *, lag_ms: float = 0.0) -> TopK:
        """Return the list of each purchase: its top-k, with the places that are kept for new items.

        Purchases that have waited too long for trees (``lag_ms``) get the linear form.
        """
        rules, learned = self._list_rules, self._list_rules.learned
        by_trees = learned is not None and lag_ms <= learned.linear_above_ms
        top = self._best(query, by_trees=by_trees)
        if rules.new_items:
            top = with_newcomers(
                top,
                query,
                self._features,
                self._dynamics.purchases,
                places=rules.new_items,
                sold_fewer_than=rules.new_item_limit,
                visual_weight=rules.preset.weights.get("visual", 0.0),
                exclude_other_views=rules.exclude_other_views,
                withdrawn=self._withdrawn,
            )
        return replace(top, preset=learned.preset.name) if learned is not None and by_trees else top

    def _best(self, query: Query, *, by_trees: bool) -> TopK:
        """Return the top-k of each purchase."""
        rules = self._list_rules
        if self._availability.limits and self._named != len(self._mirror.ids):
            self._withdrawn = self._find_withdrawn(self._features.size)  # an item that it names may be known by now
        if by_trees and self._learned is not None and self._forest is not None:
            top = self._learned.rank(query, self._dynamics, self.stand(), self._forest, self._withdrawn)
        elif self._ranker is None:
            top = self._recommend(query)
        else:
            top = self._ranker.rank(query, self._dynamics, self.stand())
            if self._withdrawn is not None:
                top = self._refilled(top.without(self._withdrawn, rules.width), top, query)
        if rules.arrangement.rules:
            return arranged(top, self._features, query.item, rules.arrangement, rules.top_k)
        return top.first(rules.top_k)

    def _recommend(self, query: Query) -> TopK:
        return recommend(
            query,
            self._features,
            self._dynamics,
            self._list_rules.preset,
            k=self._list_rules.width,
            exclude_other_views=self._list_rules.exclude_other_views,
            eligible=None if self._withdrawn is None else ~self._withdrawn,
            standing=self.stand(),
        )

    def next_baskets(self, tails: list[bytes], at_ms: Ints, k: int) -> TopK:
        """Return the top-k of customers, by their packed histories (B,), who have bought nothing yet that day."""
        nothing, nobody = np.zeros(len(tails)), np.full(len(tails), -1, np.int64)
        entries = padded_entries(tails, self._rules.history_length)
        query = self.question(entries, nobody, at_ms, trendiness=nothing, percentile=nothing)
        eligible = None if self._withdrawn is None else ~self._withdrawn
        return next_baskets(query, self._features, self._dynamics, self.stand(), k=k, eligible=eligible)

    def _refilled(self, kept: TopK, top: TopK, query: Query) -> TopK:
        """Return the lists; those that lost so many items that they are too short are made anew without these.

        The kernel knows nothing of what may not be listed: it is asked for more, and rarely that is not enough.
        """
        k = self._list_rules.top_k
        short = np.flatnonzero((kept.items[:, k - 1] < 0) & (top.items[:, -1] >= 0))
        if short.size:
            kept.put(short, self._recommend(query.take(short)))
        return kept

    def query(self, listed: Listings) -> Query:
        """Return what these purchases ask."""
        arrivals, which = listed.arrivals, listed.which
        query = self.question(
            listed.entries,
            arrivals.items[which],
            arrivals.at_ms[which],
            trendiness=listed.trendiness,
            percentile=listed.percentiles,
        )
        if self._features.trained is None or not self._asks_trained():
            return query
        names = [arrivals.names[place] for place in arrivals.places[which].tolist()]
        return replace(query, trained=self._features.trained.customers(names))

    def question(self, entries: Entries, items: Ints, at_ms: Ints, *, trendiness: Floats, percentile: Floats) -> Query:
        """Return what purchases of ``items`` (B,) ask, whose customers' histories (B, H) are ``entries``."""
        return Query(
            item=items.astype(np.int32),
            history=entries["item"].astype(np.int32),  # NO_ITEM becomes -1
            history_ms=entries["at_s"].astype(np.int64) * 1000,
            at_ms=at_ms,
            stores=self._store_places_of(entries["store"].astype(np.int64)),
            trendiness=trendiness,
            percentile=percentile,
        )

    def stand(self) -> Standing:
        """Return how all items stand: a new snapshot, if it is time for one."""
        if self._standing is None or self._stands_no_longer():
            began_s, first = self._cpu_s(), self._standing is None
            standing = Standing(self._features, self._dynamics, self._standing)
            self._standing, self._percentile = standing, standing.percentile.astype(np.float32)
            self._standing_version = self._mirror.version
            if self._ranker is not None:
                self._ranker.stand(standing)
            self._standing_from_s = self._monotonic()
            self._standing_took_s = 0.0 if first else self._cpu_s() - began_s  # the first one may compile
        return self._standing

    def _stands_no_longer(self) -> bool:
        since = self._mirror.version - self._standing_version
        if since == 0:
            return False
        for_s = self._monotonic() - self._standing_from_s
        most = max(_STANDING_PURCHASES, self._features.size // _STANDING_ITEMS)
        enough = since >= min(most, 1 + self._standing_version // 64) or for_s >= _STANDING_S
        return enough and for_s >= _STANDING_COST * self._standing_took_s

    def _learn(self, rows: Ints, columns: Ints, weights: Ints) -> None:
        self._dynamics.transitions.learn_pairs(rows, columns, weights)
        if self._dynamics.colours is not None:
            self._dynamics.colours.learn_pairs(rows, columns, weights)
        if self._learned is not None:
            self._learned.pairs.learn_pairs(rows, columns, weights)

    def _rebuild(self) -> None:
        mirror, rules = self._mirror, self._rules
        size = max(len(mirror.ids), 1)
        if not hasattr(self, "_features") or self._features.size < size:
            room = size if size == len(self._catalogue) else min(mirror.capacity, size + size // 8 + 64)
            self._features = features_by_number(self._catalogue, self._number_of_row, room, self._stores)
            self._withdrawn = self._find_withdrawn(room)
            self._features = replace(self._features, **self._given(room))
            plain = not PLAIN_PARTS.isdisjoint(self._list_rules.preset.parts)
            self._ranker = self._new_ranker() if self._compiled and not plain else None
            self._learned = self._new_learned(room) if self._list_rules.learned is not None else None
        self._dynamics = ItemDynamics(
            purchases=mirror.purchases,
            in_store=mirror.in_store,
            priced=mirror.priced,
            spent=mirror.spent,
            initial=mirror.initial,
            slow=mirror.slow,
            fast=mirror.fast,
            slow_half_life_s=rules.slow_half_life_s,
            fast_half_life_s=rules.fast_half_life_s,
            landmark_ms=LANDMARK_MS,
            co=mirror.co,
            transitions=Transitions.rebuilt(
                mirror.co,
                product=self._features.product,
                group=self._features.group,
                keep=rules.co_purchase_keep,
                limit=rules.co_purchase_limit,
                compiled=self._compiled,
            ),
            colours=ColourPairs.rebuilt(mirror.co, self._features.colour) if self._features.colour.size else None,
        )
        self._standing = None
        if self._learned is not None:
            self._learned.rebuild_pairs(mirror.co)
        self._touch_all()
        self.stand()

    def _given(self, room: int) -> dict[str, Any]:
        """Return what the features know beyond the catalogue, because a part of the score asks for it."""
        rules, number_of = self._list_rules, self._mirror.number_of
        given: dict[str, Any] = {}
        if rules.trained is not None:
            given["trained"] = StreamModel(rules.trained, number_of, room)
        if rules.season is not None:
            given["season"] = rules.season.by_number(number_of, room)
        if "colour" in rules.preset.parts:
            given["colour"] = colours_by_number(self._catalogue, self._number_of_row, room)
        return given

    def _touch_all(self) -> None:
        """Take over the counts of all items."""
        for lists in (self._ranker, self._learned):
            if lists is not None:
                lists.touch(None, self._dynamics)

    def _find_withdrawn(self, room: int) -> npt.NDArray[np.bool_] | None:
        """Return which numbers (room,) were taken out of the catalogue: what others bought with them is no reason."""
        told = self._catalogue.manifest.get("withdrawn")
        known = self._mirror.number_of
        gone = [known[item_id] for item_id in (told if isinstance(told, list) else []) if item_id in known]
        if not gone and not self._availability.limits:
            return None
        self._named = len(self._mirror.ids)
        withdrawn = self._availability.denied(known, room)
        withdrawn[gone] = True
        return withdrawn

    def _asks_trained(self) -> bool:
        return self._list_rules.trained is not None and "trained" in self._list_rules.preset.parts

    def _new_ranker(self) -> Ranker:
        from trendloom.relevance.compiled.ranker import Ranker

        # the kernel knows nothing of what was taken out: it lists a few more, of which those are dropped
        spare = 0 if self._withdrawn is None else min(_MOST_WITHDRAWN, int(self._withdrawn.sum()))
        return Ranker(
            self._features,
            self._list_rules.preset,
            k=self._list_rules.width + spare,
            exclude_other_views=self._list_rules.exclude_other_views,
            history_length=self._rules.history_length,
            co_limit=self._rules.co_purchase_limit,
        )

    def _new_learned(self, room: int) -> LearnedLists:
        from trendloom.refresh.attributes import attributes_by_number
        from trendloom.relevance.learned.lists import LearnedLists

        learned = self._list_rules.learned
        assert learned is not None  # noqa: S101 - who calls has looked
        return LearnedLists(
            self._features,
            attributes_by_number(self._catalogue, self._number_of_row, room),
            learned.preset,
            k=self._list_rules.width,
            exclude_other_views=self._list_rules.exclude_other_views,
            history_length=self._rules.history_length,
            co_limit=self._rules.co_purchase_limit,
        )

    def _store_places_of(self, hashes: Ints) -> npt.NDArray[np.int16]:
        nowhere = np.where(hashes == 0, NOT_IN_STORE, UNKNOWN_STORE).astype(np.int16)
        if self._store_hashes.size == 0:
            return nowhere
        place = np.minimum(np.searchsorted(self._store_hashes, hashes), self._store_hashes.size - 1)
        found = self._store_hashes[place] == hashes
        return np.where(found, self._store_places[place], nowhere).astype(np.int16)
