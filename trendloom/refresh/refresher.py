"""A batch of purchases in, its change of state and its lists out: THE path, shared by workers, replays and evaluation.

Order within a batch: read the customers, prepare the change from the items' state as it was before the batch, write
it, score the lists from that same earlier state, then let the worker's copy of the items catch up (``settle``). So a
list knows its customer up to its purchase and the items up to the start of its batch or earlier, and nothing later.
Read next: :mod:`trendloom.refresh.scorer`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.garment import Catalogue
from trendloom.collaborative.model import CollaborativeModel
from trendloom.errors import CatalogueError, InputError, StateLost
from trendloom.refresh.availability import Availability
from trendloom.refresh.lists import encode_lists
from trendloom.refresh.progress import Progress
from trendloom.refresh.scorer import ListRules, Scorer
from trendloom.relevance.top_k import TopK
from trendloom.state.columns import Arrival, Arrivals, Listings, Span
from trendloom.state.customer import Customer, padded_entries, trendiness
from trendloom.state.fold import Prepared, Tally, prepare
from trendloom.state.mirror import Mirror
from trendloom.state.rules import StateRules
from trendloom.state.store import STATE_LOST, Before, ItemChange, Outcome, Part, Partition, Seen, Store

if TYPE_CHECKING:  # numba is an extra
    from trendloom.refresh.compiled_lists import ListEncoder
    from trendloom.relevance.learned.forest import Forest

__all__ = ["Applied", "Refresher"]

_ATTEMPTS = 20
#: Lists of so many purchases are made in a thread beside the event loop; fewer are made before a thread would begin.
_BESIDE = 64

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class Applied:
    """A batch on its way through the state: what gets a list, and what became of each purchase.

    While it is being written it may have to be prepared anew: ``written`` says when it holds, and whether it had to.
    """

    arrivals: Arrivals
    items: list[ItemChange]
    listed: Listings
    tally: Tally
    _writing: asyncio.Task[bool] | None = field(default=None, repr=False)

    async def written(self) -> bool:
        """Wait until the store has applied the batch; return whether it holds something else now than at first."""
        return False if self._writing is None else await self._writing


class Refresher:
    """Owns a worker's copy of the items and takes batches through it.

    ``begin`` batches, each when its partition's one before is ``written``; ``score`` and then ``settle`` them in the
    same order, as far behind as you like, and ``fold_some`` now and then (``apply`` is ``begin``, ``written``
    and ``fold_some`` in one). With ``compiled`` batches are folded, scored and written as JSON by compiled kernels
    (they need numba), else by their plain forms.
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
        self.mirror = Mirror(state_rules, capacity=max(1024, 2 * len(catalogue)), compiled=compiled)
        self.epoch = -1
        self._progress = Progress()
        self._doubtful = False
        #: Held while lists are made beside the event loop, and by whoever changes what they are made from.
        self._items = asyncio.Lock()
        self._gate = asyncio.Lock()
        self._folding = False
        self._unsettled = 0
        self._all_settled = asyncio.Event()
        self._compiled = compiled
        self._fold: Callable[..., Prepared] = prepare
        self._fold_joined: Callable[..., tuple[Prepared, list[Part]]] | None = None
        self._encoder: ListEncoder | None = None
        #: of lists that trees make
        self._learned_encoder: ListEncoder | None = None
        self._scorer: Scorer

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
            compiled=self._compiled,
        )
        if self._compiled:
            self._compile()
        return self.epoch

    def _compile(self) -> None:
        """Compile the kernels now, or read them from disk: not while a purchase waits."""
        from trendloom.refresh.compiled_lists import ListEncoder
        from trendloom.state.compiled_fold import compile_fold, prepare_compiled, prepare_joined

        compile_fold(self._rules)
        self._fold = prepare_compiled
        if self._store.joins_partitions:
            self._fold_joined = prepare_joined
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
        """Take up a partition: return the last offset that the state has applied (-1: none) and the first journaled.

        What is journaled may not have its list yet; None if nothing is.
        """
        before = await self._store.read(partition, [], journal=True)
        journaled = await self._store.journaled(partition)
        self._progress.take_up(partition, applied=before.fence, journaled=journaled)
        return before.fence, min(before.journal, default=None)

    def revoked(self, partition: Partition) -> None:
        """Let go of a partition."""
        self._progress.let_go(partition)

    def committed(self, partition: Partition, offset: int) -> None:
        """Note that everything up to ``offset`` is committed: its journals are dropped with the next write."""
        self._progress.committed(partition, offset)

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
        """Prepare a batch as ``apply`` does and begin to write it; its partitions' batches before must be written.

        A batch of several partitions is read, prepared and written as one, where the store can do that and nothing of
        it was applied before; else its partitions' parts one after the other.
        """
        async with self._gate:  # whoever reads all items anew lets nobody in meanwhile
            await self._follow()
            self._unsettled += 1
            self._all_settled.clear()
        applied = await self._begin_joined(batch) if len(batch.spans) > 1 else await self._begin_one(batch)
        await asyncio.sleep(0)  # the command is on its way before anything else is done
        return applied

    async def _begin_one(self, batch: Arrivals) -> Applied:
        [span] = batch.spans
        before = await self._read(span, batch.names)
        await self._stand()
        prepared = self._prepare(before, batch)
        applied = Applied(batch, [prepared.change.items], self._listings(prepared, batch), prepared.tally)
        if not self._changes_nothing(prepared, before):

            async def write() -> bool:
                written, again = await self._write(batch, before, prepared)
                if again:
                    self._replace(applied, [(batch, written)])
                return again

            applied._writing = asyncio.get_running_loop().create_task(write())  # noqa: SLF001 - the only one who may
        return applied

    async def _begin_joined(self, batch: Arrivals) -> Applied:
        seen = await self._read_joined(batch)
        await self._stand()
        loop = asyncio.get_running_loop()
        if seen is None or self._fold_joined is None:
            applied = Applied(batch, [], Listings.of([], batch, self._rules.history_length), Tally())
            applied._writing = loop.create_task(self._write_apart(applied))  # noqa: SLF001 - the only one who may
            return applied
        prepared, parts = self._fold_joined(
            seen,
            batch,
            percentiles=self._scorer.percentiles(batch.items),
            prior_mean=self.mirror.population.mean_percentile,
            rules=self._rules,
        )
        applied = Applied(batch, [prepared.change.items], self._listings(prepared, batch), prepared.tally)

        async def write() -> bool:
            forgetting = [part._replace(forget=self._progress.forgettable(part.partition)) for part in parts]
            outcome = await self._store.write_joined(forgetting, prepared.change, worker=self._worker)
            if outcome is Outcome.EPOCH_MOVED:
                raise StateLost(STATE_LOST)
            if outcome is not Outcome.APPLIED:
                self._doubtful = True  # as for a batch of one partition that is refused
                return await self._write_apart(applied)
            for part in forgetting:
                self._progress.written(part)
            if self._doubtful:
                await self._hear_of_journals(part.partition for part in parts)
            return False

        applied._writing = loop.create_task(write())  # noqa: SLF001 - the only one who may
        return applied

    async def _write_apart(self, applied: Applied) -> bool:
        """Take each partition's part of a batch through the store by itself; return that the batch is another now."""
        done: list[tuple[Arrivals, Prepared]] = []
        for part in applied.arrivals.apart():
            [span] = part.spans
            before = await self._read(span, part.names, journal=self._doubtful)
            prepared = self._prepare(before, part)
            if not self._changes_nothing(prepared, before):
                prepared, _ = await self._write(part, before, prepared)
            done.append((part, prepared))
        self._replace(applied, done)
        return True

    def _replace(self, applied: Applied, done: list[tuple[Arrivals, Prepared]]) -> None:
        """Let a batch be what was written of its parts."""
        applied.items = [prepared.change.items for _, prepared in done]
        applied.tally = sum((prepared.tally for _, prepared in done), Tally())
        listings = [self._listings(prepared, part) for part, prepared in done]
        applied.listed = listings[0] if len(listings) == 1 else Listings.joined(listings, applied.arrivals)

    async def _stand(self) -> None:
        """Let the scorer know all items and how they stand, unless lists are being made just now."""
        if self._scorer.is_behind():
            async with self._items:
                self._scorer.catch_up()
        if not self._items.locked():  # else the snapshot of a batch before has to do
            self._scorer.stand()

    async def _write(self, batch: Arrivals, before: Before, prepared: Prepared) -> tuple[Prepared, bool]:
        """Write a batch of one partition; return what was written, and whether it had to be prepared anew."""
        [span] = batch.spans
        partition = span.partition
        for attempt in range(_ATTEMPTS):
            if attempt:
                # a retry of a write whose answer was lost, another owner of the partition, or of the customer: whether
                # the batch is ours is unknown, so the copy of the items will be read again
                self._doubtful = True
                before = await self._read(span, batch.names, journal=True)
                prepared = self._prepare(before, batch)
                if self._changes_nothing(prepared, before):
                    break
            change, forget = prepared.change, self._progress.forgettable(partition)
            outcome = await self._store.write(partition, change, worker=self._worker, forget=forget)
            if outcome is Outcome.APPLIED:
                self._progress.written(Part(partition, change.expected_fence, change.fence, change.journal, forget))
                break
            if outcome is Outcome.EPOCH_MOVED:
                raise StateLost(STATE_LOST)
        else:
            msg = f"{partition.topic}-{partition.partition}: the state moved {_ATTEMPTS} times under one batch"
            raise RuntimeError(msg)
        if self._doubtful:
            await self._hear_of_journals([partition])
        self._progress.advance(partition, prepared.change.fence)
        return prepared, attempt > 0

    def score(self, applied: Applied) -> TopK:
        """Return the top-k of each listed purchase, from the items' state before the batch or earlier."""
        return self._scorer.top_k(self._scorer.query(applied.listed))

    async def lists(
        self, applied: Applied, listed: Listings, sent_at_ms: list[int | None], made_at_ms: int
    ) -> list[bytes]:
        """Return the JSON of the lists of a batch's listed purchases, made beside the event loop if they are many.

        ``listed`` is what the batch held when it was asked for, or a part of it.
        """
        newest_ms = max((sent for sent in sent_at_ms if sent is not None), default=made_at_ms)

        def make() -> list[bytes]:
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

    def encode(self, applied: Applied, top: TopK, sent_at_ms: list[int | None], made_at_ms: int) -> list[bytes]:
        """Return the JSON of each list."""
        return self._json(applied.listed, top, sent_at_ms, made_at_ms)

    def _json(self, listed: Listings, top: TopK, sent_at_ms: list[int | None], made_at_ms: int) -> list[bytes]:
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

    async def _read(self, span: Span, names: list[str], *, journal: bool = False) -> Before:
        """Read what a batch of one partition needs; with the journal if a part of it may have been applied before."""
        partition = span.partition
        again = journal or span.first_offset <= self._progress.applied(partition)
        before = await self._store.read(partition, names, journal=again)
        self._check(before.epoch, partition, before.fence)
        if not again and span.first_offset <= before.fence:
            before = await self._store.read(partition, names, journal=True)
        return before

    async def _read_joined(self, batch: Arrivals) -> Seen | None:
        """Read what a batch of several partitions needs; None where its parts have to be taken one by one."""
        spans = batch.spans
        if self._fold_joined is None or not len(batch):
            return None
        if any(span.first_offset <= self._progress.applied(span.partition) for span in spans):
            return None
        seen = await self._store.read_joined([span.partition for span in spans], batch.names)
        for span, fence in zip(spans, seen.fences, strict=True):
            self._check(seen.epoch, span.partition, fence)
        if any(span.first_offset <= fence for span, fence in zip(spans, seen.fences, strict=True)):
            return None
        return seen

    def _check(self, epoch: int, partition: Partition, fence: int) -> None:
        """Raise StateLost where the state is another one, or has lost what was applied to it."""
        if epoch != self.epoch:
            raise StateLost(STATE_LOST)
        self._progress.check(partition, fence)

    def _prepare(self, before: Before, batch: Arrivals) -> Prepared:
        return self._fold(
            before,
            batch,
            last_offset=batch.spans[0].last_offset,
            percentiles=self._scorer.percentiles(batch.items),
            prior_mean=self.mirror.population.mean_percentile,
            rules=self._rules,
        )

    def _listings(self, prepared: Prepared, batch: Arrivals) -> Listings:
        return Listings.of(prepared.listed, batch, self._rules.history_length)

    @staticmethod
    def _changes_nothing(prepared: Prepared, before: Before) -> bool:
        """Return whether all of a batch was applied before."""
        return not len(prepared.change.customers) and prepared.change.fence == before.fence

    async def _hear_of_journals(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._progress.journaled(partition, await self._store.journaled(partition))

    async def _follow(self) -> None:
        now_s = self._monotonic()
        if not self._doubtful and now_s - self._followed_at_s < self._follow_every_s:
            return
        async with self._items:
            complete = not self._doubtful and await self.mirror.follow(self._store, self._worker)
        if not complete:
            if self._unsettled:  # what is read anew holds their changes already
                await self._all_settled.wait()
            self._doubtful = False
            async with self._items:
                await self.mirror.load(self._store)
        self._followed_at_s = now_s
