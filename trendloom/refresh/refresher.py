"""A batch of purchases in, its change of state and its lists out: THE path, shared by workers, replays and evaluation.

Order within a batch: read the customers, prepare the change from the items' state as it was before the batch, write
it, score the lists from that same earlier state, then let the worker's copy of the items catch up (``settle``). So a
list knows its customer up to its purchase and the items up to the start of its batch, and nothing later.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trendloom.candidates import recommend
from trendloom.catalogue.garment import Catalogue
from trendloom.errors import InputError, StateLost
from trendloom.refresh.assortment import features_by_number
from trendloom.refresh.lists import encode_lists
from trendloom.relevance.features import ItemDynamics, ItemFeatures
from trendloom.relevance.presets import Preset
from trendloom.relevance.query import Query
from trendloom.relevance.standing import Standing
from trendloom.relevance.top_k import TopK
from trendloom.relevance.transitions import Transitions
from trendloom.state.columns import Arrival, Arrivals, Listings
from trendloom.state.customer import Customer, padded_entries, trendiness
from trendloom.state.fold import Prepared, Tally, prepare
from trendloom.state.mirror import Mirror
from trendloom.state.rules import LANDMARK_MS, StateRules
from trendloom.state.store import STATE_LOST, Before, Change, Outcome, Partition, Store

if TYPE_CHECKING:  # numba is an extra
    from trendloom.refresh.compiled_lists import ListEncoder
    from trendloom.relevance.compiled.ranker import Ranker

__all__ = ["Applied", "ListRules", "Refresher"]

_ATTEMPTS = 20
#: A snapshot of how all items stand is kept for this many purchases (one for every 32 items, if that is more), or for
#: one in 64 of those seen if that is fewer; and in a slow stream no longer than this, or than 20 times what it took.
_STANDING_PURCHASES = 1_024
_STANDING_ITEMS = 32
_STANDING_S = 0.5
_STANDING_COST = 20.0

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ListRules:
    """What a list looks like: preset, length, and what it must not hold."""

    preset: Preset
    top_k: int = 10
    exclude_other_views: bool = True


@dataclass(slots=True)
class Applied:
    """A batch that the store has applied: what gets a list, and what became of each purchase."""

    partition: Partition
    change: Change
    listed: Listings
    tally: Tally


class Refresher:
    """Owns a worker's copy of the items and takes batches through it, one at a time.

    Call ``apply``, then ``score``, then ``settle`` for each batch; ``apply`` waits until the batch before is settled.
    With ``compiled`` lists are made by :mod:`trendloom.relevance.compiled` and written by
    :mod:`trendloom.refresh.compiled_lists` (both need numba), else by their plain forms.
    """

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        *,
        state_rules: StateRules,
        list_rules: ListRules,
        stores: Mapping[str, tuple[float, float]],
        worker: str,
        follow_every_s: float,
        monotonic: Callable[[], float],
        compiled: bool = False,
    ) -> None:
        self._store = store
        self.catalogue = catalogue
        self._rules = state_rules
        self._list_rules = list_rules
        self._stores = stores
        self._worker = worker
        self._follow_every_s = follow_every_s
        self._monotonic = monotonic
        self._followed_at_s = monotonic()
        self.mirror = Mirror(state_rules, capacity=max(1024, 2 * len(catalogue)))
        self.epoch = -1
        self._applied: dict[Partition, int] = {}
        self._unforgotten: dict[Partition, list[int]] = {}
        self._committed: dict[Partition, int] = {}
        self._doubtful = False
        self._settled = asyncio.Event()
        self._settled.set()
        self._standing: Standing | None = None
        self._standing_version = 0
        self._standing_until_s = 0.0
        self._number_of_row: Ints = np.empty(0, np.int64)
        self._compiled = compiled
        self._ranker: Ranker | None = None
        self._encoder: ListEncoder | None = None
        self._fold = prepare
        self._features: ItemFeatures
        self._dynamics: ItemDynamics
        hashes = {zlib.crc32(name.encode()) or 1: place for place, name in enumerate(stores)}
        self._store_hashes = np.array(sorted(hashes), np.int64)
        self._store_places = np.array([hashes[value] for value in sorted(hashes)], np.int16)

    async def open(self, now_ms: int) -> int:
        """Begin or check the state, number the catalogue's items, read what is there; return the epoch."""
        self.epoch = await self._store.open(self._rules, now_ms)
        self._number_of_row = await self._store.number_items(self.catalogue.item_ids)
        await self.mirror.load(self._store)
        self.mirror.on_pairs = self._learn
        self.mirror.on_items = self._touch
        self.mirror.on_reload = self._rebuild
        self._rebuild()
        if self._compiled:  # compiled now, or read from disk: not while a purchase waits
            from trendloom.refresh.compiled_lists import ListEncoder
            from trendloom.state.compiled_fold import prepare_compiled

            preset = self._list_rules.preset
            self._fold = prepare_compiled
            self._encoder = ListEncoder(preset.parts, preset=preset.name, catalogue=self.catalogue.fingerprint)
            nothing, none = np.empty(0, np.int64), np.empty(0)
            nobody = padded_entries([], self._rules.history_length)
            self._top_k(self._question(nobody, nothing, nothing, trendiness=none, percentile=none))
        return self.epoch

    async def assigned(self, partition: Partition) -> tuple[int, int | None]:
        """Take up a partition: return the last offset that the state has applied (-1: none) and the first journaled.

        What is journaled may not have its list yet; None if nothing is.
        """
        before = await self._store.read(partition, [], journal=True)
        self._applied[partition] = before.fence
        self._unforgotten[partition] = await self._store.journaled(partition)
        self._committed.pop(partition, None)
        return before.fence, min(before.journal, default=None)

    def revoked(self, partition: Partition) -> None:
        """Let go of a partition."""
        for known in (self._applied, self._unforgotten, self._committed):
            known.pop(partition, None)

    def committed(self, partition: Partition, offset: int) -> None:
        """Note that everything up to ``offset`` is committed: its journals are dropped with the next write."""
        self._committed[partition] = offset

    async def number(self, item_ids: list[str]) -> Ints:
        """Return the numbers (I,) of item ids; unknown ones are numbered; -1 where the state has no more room."""
        numbers = await self.mirror.number(self._store, item_ids)
        if len(self.mirror.ids) > self._features.size:
            self._rebuild()
        return numbers

    async def apply(
        self, partition: Partition, arrivals: Sequence[Arrival], *, first_offset: int, last_offset: int
    ) -> Applied:
        """Write what a batch changes, once, however often it is delivered.

        ``arrivals`` are its usable records in offset order; ``first_offset`` and ``last_offset`` bound all its records.
        Raises StateLost if the state is not the one that this worker began with.
        """
        batch = Arrivals.of(arrivals)
        before = await self._read(partition, batch.names, first_offset)
        await self._settled.wait()
        await self._follow()
        if self._dynamics.purchases is not self.mirror.purchases or self._features.size < len(self.mirror.ids):
            self._rebuild()
        for _ in range(_ATTEMPTS):
            prepared = self._prepare(before, batch, last_offset)
            if not len(prepared.change.customers) and prepared.change.fence == before.fence:
                break  # all of it was applied before
            done = [
                offset
                for offset in self._unforgotten.get(partition, [])
                if offset <= self._committed.get(partition, -1)
            ]
            outcome = await self._store.write(partition, prepared.change, worker=self._worker, forget=done)
            if outcome is Outcome.APPLIED:
                self._remember(partition, prepared.change, done)
                break
            if outcome is Outcome.EPOCH_MOVED:
                raise StateLost(STATE_LOST)
            # a retry of a write whose answer was lost, another owner of the partition, or of the customer: whether
            # the batch is ours is unknown, so the copy of the items will look at everything that was changed
            self._doubtful = True
            before = await self._read(partition, batch.names, first_offset, journal=True)
        else:
            msg = f"{partition.topic}-{partition.partition}: the state moved {_ATTEMPTS} times under one batch"
            raise RuntimeError(msg)
        if self._doubtful:
            self._unforgotten[partition] = await self._store.journaled(partition)
        self._applied[partition] = prepared.change.fence
        self._settled.clear()
        listed = Listings.of(prepared.listed, batch, self._rules.history_length)
        return Applied(partition, prepared.change, listed, prepared.tally)

    def score(self, applied: Applied) -> TopK:
        """Return the top-k of each listed purchase, from the items' state before the batch."""
        return self._top_k(self._query(applied.listed))

    def _top_k(self, query: Query) -> TopK:
        if self._ranker is not None:
            return self._ranker.rank(query, self._dynamics, self._stand())
        return recommend(
            query,
            self._features,
            self._dynamics,
            self._list_rules.preset,
            k=self._list_rules.top_k,
            exclude_other_views=self._list_rules.exclude_other_views,
            standing=self._stand(),
        )

    async def current(self, customer_id: str) -> tuple[int, float, TopK]:
        """Return a customer's purchase number, trendiness and top-k as of now, without changing anything.

        The question is the customer's latest purchase. Raises InputError for a customer whom the state does not know.
        """
        record = await self._store.customer(customer_id)
        known = Customer.unpack(record)
        if not known.tail:
            raise InputError(f"The state knows no customer {customer_id!r}. Action: name one who has bought something.")
        trend = trendiness(
            known.number,
            known.percentile_sum,
            prior_mean=self.mirror.population.mean_percentile,
            prior_weight=self._rules.trendiness_prior_weight,
        )
        item, at_s, percentile, _, _ = known.entries()[-1]
        question = self._question(
            padded_entries([known.tail], self._rules.history_length),
            np.array([item], np.int64),
            np.array([at_s * 1000], np.int64),
            trendiness=np.array([trend]),
            percentile=np.array([percentile], np.float64),
        )
        return known.number, trend, self._top_k(question)

    def settle(self, applied: Applied) -> None:
        """Let the worker's copy of the items catch up with a scored batch."""
        self.mirror.advance(applied.change.items)
        self._touch(applied.change.items.numbers)
        self._settled.set()

    def encode(self, applied: Applied, top: TopK, sent_at_ms: list[int | None], made_at_ms: int) -> list[bytes]:
        """Return the JSON of each list."""
        if self._encoder is not None:
            return self._encoder.lists(
                applied.listed,
                top,
                sent_at_ms,
                epoch=applied.change.epoch,
                partition=applied.partition.partition,
                made_at_ms=made_at_ms,
                ids=self.mirror.ids,
            )
        return encode_lists(
            applied.listed,
            top,
            sent_at_ms,
            epoch=applied.change.epoch,
            partition=applied.partition.partition,
            made_at_ms=made_at_ms,
            preset=self._list_rules.preset.name,
            catalogue=self.catalogue.fingerprint,
            ids=self.mirror.ids,
        )

    async def _read(
        self, partition: Partition, names: list[str], first_offset: int, *, journal: bool = False
    ) -> Before:
        again = journal or first_offset <= self._applied.get(partition, -1)
        before = await self._store.read(partition, names, journal=again)
        if before.epoch != self.epoch:
            raise StateLost(STATE_LOST)
        if before.fence < self._applied.get(partition, -1):
            msg = (
                f"{partition.topic}-{partition.partition}: the store's fence fell from {self._applied[partition]} to "
                f"{before.fence}: it lost its latest changes. Action: start the worker again; it reads the log from "
                "there."
            )
            raise StateLost(msg)
        if not again and first_offset <= before.fence:
            before = await self._store.read(partition, names, journal=True)
        return before

    def _prepare(self, before: Before, batch: Arrivals, last_offset: int) -> Prepared:
        return self._fold(
            before,
            batch,
            last_offset=last_offset,
            percentiles=self._stand().percentile[batch.items].astype(np.float32),
            prior_mean=self.mirror.population.mean_percentile,
            rules=self._rules,
        )

    def _remember(self, partition: Partition, change: Change, forgotten: list[int]) -> None:
        kept = [offset for offset in self._unforgotten.get(partition, []) if offset not in set(forgotten)]
        if change.journal.size:
            kept.append(change.fence)
        self._unforgotten[partition] = kept

    async def _follow(self) -> None:
        now_s = self._monotonic()
        if self._doubtful or now_s - self._followed_at_s >= self._follow_every_s:
            worker = "" if self._doubtful else self._worker  # no worker's name: our own changes, too
            await self.mirror.follow(self._store, worker)
            self._doubtful = False
            self._followed_at_s = now_s

    def _stand(self) -> Standing:
        if self._standing is None or self._stands_no_longer():
            began_s = self._monotonic()
            self._standing = Standing(self._features, self._dynamics)
            self._standing_version = self.mirror.version
            self._standing_until_s = began_s + max(_STANDING_S, _STANDING_COST * (self._monotonic() - began_s))
        return self._standing

    def _stands_no_longer(self) -> bool:
        since = self.mirror.version - self._standing_version
        most = max(_STANDING_PURCHASES, self._features.size // _STANDING_ITEMS)
        return since >= min(most, 1 + self._standing_version // 64) or (
            since > 0 and self._monotonic() >= self._standing_until_s
        )

    def _learn(self, rows: Ints, columns: Ints, weights: Ints) -> None:
        self._dynamics.transitions.learn(rows, columns, weights)

    def _touch(self, numbers: Ints) -> None:
        if self._ranker is not None:
            self._ranker.touch(numbers, self._dynamics)

    def _rebuild(self) -> None:
        mirror, rules = self.mirror, self._rules
        size = max(len(mirror.ids), 1)
        if not hasattr(self, "_features") or self._features.size < size:
            room = size if size == len(self.catalogue) else min(mirror.capacity, size + size // 8 + 64)
            numbers = self._number_of_row
            if (numbers < 0).any():
                msg = f"the state has room for {rules.max_items} items, the catalogue holds {len(self.catalogue)}"
                raise ValueError(msg)
            self._features = features_by_number(self.catalogue, numbers, room, self._stores)
            self._ranker = self._new_ranker() if self._compiled else None
        product, group = self._features.product, self._features.group
        self._dynamics = ItemDynamics(
            purchases=mirror.purchases,
            initial=mirror.initial,
            slow=mirror.slow,
            fast=mirror.fast,
            slow_half_life_s=rules.slow_half_life_s,
            fast_half_life_s=rules.fast_half_life_s,
            landmark_ms=LANDMARK_MS,
            co=mirror.co,
            transitions=Transitions.rebuilt(
                mirror.co,
                product=product,
                group=group,
                keep=rules.co_purchase_keep,
                limit=rules.co_purchase_limit,
            ),
        )
        self._standing = None
        if self._ranker is not None:
            self._ranker.touch(None, self._dynamics)

    def _new_ranker(self) -> Ranker:
        from trendloom.relevance.compiled.ranker import Ranker

        return Ranker(
            self._features,
            self._list_rules.preset,
            k=self._list_rules.top_k,
            exclude_other_views=self._list_rules.exclude_other_views,
            history_length=self._rules.history_length,
            co_limit=self._rules.co_purchase_limit,
        )

    def _query(self, listed: Listings) -> Query:
        arrivals, which = listed.arrivals, listed.which
        return self._question(
            listed.entries,
            arrivals.items[which],
            arrivals.at_ms[which],
            trendiness=listed.trendiness,
            percentile=listed.percentiles,
        )

    def _question(
        self,
        entries: np.ndarray[tuple[int, int], np.dtype[np.void]],
        items: Ints,
        at_ms: Ints,
        *,
        trendiness: Floats,
        percentile: Floats,
    ) -> Query:
        history = entries["item"].astype(np.int32)  # NO_ITEM becomes -1
        return Query(
            item=items.astype(np.int32),
            history=history,
            history_ms=entries["at_s"].astype(np.int64) * 1000,
            at_ms=at_ms,
            stores=self._store_places_of(entries["store"].astype(np.int64)),
            trendiness=trendiness,
            percentile=percentile,
        )

    def _store_places_of(self, hashes: Ints) -> npt.NDArray[np.int16]:
        if self._store_hashes.size == 0:
            return np.full(hashes.shape, -1, np.int16)
        place = np.minimum(np.searchsorted(self._store_hashes, hashes), self._store_hashes.size - 1)
        found = self._store_hashes[place] == hashes
        return np.where(found, self._store_places[place], -1).astype(np.int16)
