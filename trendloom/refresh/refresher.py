"""A batch of purchases in, its change of state and its lists out: THE path, shared by workers, replays and evaluation.

Order within a batch: read the customers, prepare the change from the items' state as it was before the batch, write
it, score the lists from that same earlier state, then let the worker's copy of the items catch up (``settle``). So a
list knows its customer up to its purchase and the items up to the start of its batch or earlier, and nothing later.
Read next: :mod:`trendloom.refresh.scorer`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.garment import Catalogue
from trendloom.collaborative.model import CollaborativeModel
from trendloom.errors import CatalogueError, InputError
from trendloom.refresh.applying import Applied, Applier
from trendloom.refresh.availability import Availability
from trendloom.refresh.lists import encode_lists
from trendloom.refresh.scorer import ListRules, Scorer
from trendloom.relevance.top_k import TopK
from trendloom.state.columns import Arrival, Arrivals, Listings, Span
from trendloom.state.customer import Customer, padded_entries, trendiness
from trendloom.state.fold import Prepared, prepare
from trendloom.state.mirror import Mirror
from trendloom.state.rules import StateRules
from trendloom.state.store import Part, Partition, Store

if TYPE_CHECKING:  # numba is an extra
    from trendloom.refresh.compiled_lists import ListEncoder
    from trendloom.relevance.learned.forest import Forest

__all__ = ["Refresher"]

#: Lists of so many purchases are made in a thread beside the event loop; fewer are made before a thread would begin.
_BESIDE = 64

Ints = npt.NDArray[np.int64]


class Refresher:
    """Owns a worker's copy of the items and takes batches through it.

    ``begin`` batches, each when its partition's one before is ``written``; ``score`` and then ``settle`` them in the
    same order, as far behind as you like, and ``fold_some`` now and then (``apply`` is ``begin``, ``written``
    and ``fold_some`` in one). With ``compiled`` batches are folded, scored and written as JSON by compiled kernels
    (they need numba), else by their plain forms. What work costs is measured by ``cpu_s``, a clock of CPU time: on
    another one it may have taken long because others had the core, and would be put off for long.
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
        cpu_s: Callable[[], float] = lambda: 0.0,
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
        self._cpu_s = cpu_s
        self._followed_at_s = monotonic()
        self.mirror = Mirror(state_rules, capacity=max(1024, 2 * len(catalogue)), compiled=compiled)
        self.epoch = -1
        #: Held while lists are made beside the event loop, and by whoever changes what they are made from.
        self._items = asyncio.Lock()
        self._gate = asyncio.Lock()
        self._folding = False
        self._unsettled = 0
        self._all_settled = asyncio.Event()
        #: Whether lists are made by compiled kernels, which need numba.
        self.compiled = compiled
        self._encoder: ListEncoder | None = None
        #: of lists that trees make
        self._learned_encoder: ListEncoder | None = None
        self._scorer: Scorer
        self._applier: Applier

    async def open(self, now_ms: int) -> int:
        """Begin or check the state, number the catalogue's items, read what is there; return the epoch."""
        self.epoch = await self._store.open(self._rules, now_ms)
        await self.mirror.load(self._store)
        number_of_row = await self.mirror.number(self._store, self.catalogue.item_ids)
        self._scorer = Scorer(
            self.catalogue,
            number_of_row,
            self.mirror,
            state_rules=self._rules,
            list_rules=self._list_rules,
            stores=self._stores,
            monotonic=self._monotonic,
            cpu_s=self._cpu_s,
            compiled=self.compiled,
        )
        fold: Callable[..., Prepared] = prepare
        fold_joined: Callable[..., tuple[Prepared, list[Part]]] | None = None
        if self.compiled:
            fold, fold_joined = self._compile()
        self._applier = Applier(
            self._store,
            rules=self._rules,
            epoch=self.epoch,
            worker=self._worker,
            fold=fold,
            fold_joined=fold_joined if self._store.joins_partitions else None,
            stand=self._stand,
            percentiles=self._scorer.percentiles,
            prior_mean=lambda: self.mirror.population.mean_percentile,
        )
        return self.epoch

    def _compile(self) -> tuple[Callable[..., Prepared], Callable[..., tuple[Prepared, list[Part]]]]:
        """Compile the kernels now, or read them from disk: not while a purchase waits. Return what folds batches."""
        from trendloom.refresh.compiled_lists import ListEncoder
        from trendloom.state.compiled_fold import compile_fold, prepare_compiled, prepare_joined

        compile_fold(self._rules)
        preset = self._list_rules.preset
        names = self._list_rules.part_names
        self._encoder = ListEncoder(names, preset=preset.name, catalogue=self.catalogue.fingerprint)
        nobody = padded_entries([], self._rules.history_length)
        nothing, none = np.empty(0, np.int64), np.empty(0)
        question = self._scorer.question(nobody, nothing, nothing, trendiness=none, percentile=none)
        self._scorer.top_k(question, lag_ms=float("inf"))
        if self._list_rules.learned is not None:
            from trendloom.relevance.learned.signals import PARTS

            name = self._list_rules.learned.preset.name
            names = self._list_rules.with_rules(PARTS)
            self._learned_encoder = ListEncoder(names, preset=name, catalogue=self.catalogue.fingerprint)
            self._scorer.top_k(question)
        return prepare_compiled, prepare_joined

    async def take(self, catalogue: Catalogue) -> None:
        """Make lists from another catalogue from now on, between two batches: what is new gets new item numbers.

        Raises CatalogueError, and stays with the old one, where the state has no room for the new items.
        """
        number_of_row = await self.mirror.number(self._store, catalogue.item_ids)
        if (number_of_row < 0).any():
            raise CatalogueError(
                f"The state has no room for the items of the catalogue {catalogue.fingerprint}. "
                "Action: set state.max_items to more, and rebuild the state."
            )
        async with self._items:  # lists that are being made are made from the old one, wholly
            self._scorer.take(catalogue, number_of_row)
            self.catalogue = catalogue
            if self._encoder is not None:
                self._encoder = self._encoder.of(catalogue.fingerprint)
            if self._learned_encoder is not None:
                self._learned_encoder = self._learned_encoder.of(catalogue.fingerprint)

    async def take_forest(self, forest: Forest) -> None:
        """Let other trees make the lists from now on, between two batches."""
        async with self._items:
            self._scorer.take_forest(forest)

    async def take_model(self, model: CollaborativeModel) -> None:
        """Let another trained model make the part `trained` from now on, between two batches."""
        async with self._items:
            self._scorer.take_model(model)

    async def allow(self, availability: Availability) -> None:
        """List only what may be listed from now on, between two batches; it counts from the next list."""
        async with self._items:
            self._scorer.allow(availability)

    async def assigned(self, partition: Partition) -> tuple[int, int | None]:
        """Take up a partition; return what :meth:`Applier.assigned` does."""
        return await self._applier.assigned(partition)

    def revoked(self, partition: Partition) -> None:
        """Let go of a partition."""
        self._applier.revoked(partition)

    def committed(self, partition: Partition, offset: int) -> None:
        """Note that everything up to ``offset`` is committed: its journals are dropped with the next write."""
        self._applier.committed(partition, offset)

    async def number(self, item_ids: list[str]) -> Ints:
        """Return the numbers (I,) of item ids; unknown ones are numbered; -1 where the state has no more room."""
        numbers = await self.mirror.number(self._store, item_ids)
        if self._scorer.is_behind():
            async with self._items:
                self._scorer.catch_up()
        return numbers

    async def apply(
        self, partition: Partition, arrivals: Sequence[Arrival], *, first_offset: int, last_offset: int
    ) -> Applied:
        """Write what a batch changes, once, however often it is delivered.

        ``arrivals`` are its usable records in offset order; ``first_offset`` and ``last_offset`` bound all its records.
        Raises StateLost if the state is not the one that this worker began with.
        """
        batch = Arrivals.of(arrivals)
        batch.spans = [Span(partition, first_offset, last_offset, len(batch))]
        applied = await self.begin(batch)
        await applied.written()
        await self.fold_some()
        return applied

    async def fold_some(self) -> None:
        """Let the store fold a little of what was changed: once for each batch, when nothing waits for it."""
        if not self._folding:
            self._folding = True
            await self._store.fold_some()
            self._folding = False

    async def begin(self, batch: Arrivals) -> Applied:
        """Prepare a batch as ``apply`` does and begin to write it; its partitions' batches before must be written."""
        async with self._gate:  # whoever reads all items anew lets nobody in meanwhile
            await self._follow()
            self._unsettled += 1
            self._all_settled.clear()
        applied = await self._applier.begin(batch)
        await asyncio.sleep(0)  # the command is on its way before anything else is done
        return applied

    async def _stand(self) -> None:
        """Let the scorer know all items and how they stand, unless lists are being made just now."""
        if self._scorer.is_behind():
            async with self._items:
                self._scorer.catch_up()
        if not self._items.locked():  # else the snapshot of a batch before has to do
            self._scorer.stand()

    def score(self, applied: Applied) -> TopK:
        """Return the top-k of each listed purchase, from the items' state before the batch or earlier."""
        return self._scorer.top_k(self._scorer.query(applied.listed))

    async def lists(
        self, applied: Applied, listed: Listings, sent_at_ms: list[int | None], made_at_ms: int
    ) -> Sequence[bytes]:
        """Return the JSON of the lists of a batch's listed purchases, made beside the event loop if they are many.

        ``listed`` is what the batch held when it was asked for, or a part of it.
        """
        newest_ms = max((sent for sent in sent_at_ms if sent is not None), default=made_at_ms)

        def make() -> Sequence[bytes]:
            top = self._scorer.top_k(self._scorer.query(listed), lag_ms=made_at_ms - newest_ms)
            return self._json(listed, top, sent_at_ms, made_at_ms)

        async with self._items:
            return await asyncio.to_thread(make) if len(listed) >= _BESIDE else make()

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
        question = self._scorer.question(
            padded_entries([known.tail], self._rules.history_length),
            np.array([item], np.int64),
            np.array([at_s * 1000], np.int64),
            trendiness=np.array([trend]),
            percentile=np.array([percentile], np.float64),
        )
        return known.number, trend, self._scorer.top_k(question)

    async def next_baskets(self, customer_ids: Sequence[str], at_ms: Ints, *, k: int) -> TopK:
        """Return the lists of customers (B,) who come at ``at_ms`` (B,), before they buy; they need not be known."""
        tails = [Customer.unpack(await self._store.customer(one)).tail for one in customer_ids]
        return self._scorer.next_baskets(tails, at_ms, k)

    def settle(self, applied: Applied) -> None:
        """Let the worker's copy of the items catch up with a batch that is written and scored."""
        for items in applied.items:
            self.mirror.advance(items)
            self._scorer.touch(items.numbers)
        self._unsettled -= 1
        if self._unsettled == 0:
            self._all_settled.set()

    def encode(self, applied: Applied, top: TopK, sent_at_ms: list[int | None], made_at_ms: int) -> Sequence[bytes]:
        """Return the JSON of each list."""
        return self._json(applied.listed, top, sent_at_ms, made_at_ms)

    def _json(self, listed: Listings, top: TopK, sent_at_ms: list[int | None], made_at_ms: int) -> Sequence[bytes]:
        ids = self.mirror.ids
        encoder = self._encoder
        if self._learned_encoder is not None and top.preset:
            encoder = self._learned_encoder
        if encoder is not None:
            return encoder.lists(listed, top, sent_at_ms, epoch=self.epoch, made_at_ms=made_at_ms, ids=ids)
        return encode_lists(
            listed,
            top,
            sent_at_ms,
            epoch=self.epoch,
            made_at_ms=made_at_ms,
            preset=top.preset or self._list_rules.preset.name,
            catalogue=self.catalogue.fingerprint,
            ids=ids,
        )

    async def _follow(self) -> None:
        now_s = self._monotonic()
        if not self._applier.doubtful and now_s - self._followed_at_s < self._follow_every_s:
            return
        async with self._items:
            complete = not self._applier.doubtful and await self.mirror.follow(self._store, self._worker)
        if not complete:
            if self._unsettled:  # what is read anew holds their changes already
                await self._all_settled.wait()
            self._applier.doubtful = False
            async with self._items:
                await self.mirror.load(self._store)
        self._followed_at_s = now_s
