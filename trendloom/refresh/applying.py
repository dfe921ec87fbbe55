"""A batch of purchases into the state, once, however often it is delivered: read, prepared, written, and journaled.

It scores nothing and knows no lists. What it asks of the items (how they stand) it gets handed over.
Read next: :mod:`trendloom.state.store` for what a store promises, :mod:`trendloom.refresh.progress` for offsets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from trendloom.errors import StateLost
from trendloom.refresh.progress import Progress
from trendloom.state.columns import Arrivals, Listings, Span
from trendloom.state.fold import Prepared, Tally
from trendloom.state.rules import StateRules
from trendloom.state.store import STATE_LOST, Before, ItemChange, Outcome, Part, Partition, Seen, Store

__all__ = ["Applied", "Applier"]

_ATTEMPTS = 20

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


class Applier:
    """Takes batches into a store: each once, in the order of its partition's offsets.

    ``fold`` prepares a batch of one partition, ``fold_joined`` one of several; None: such batches are taken apart.
    Both need the ``percentiles`` (B,) of items (B,) and the ``prior_mean`` of all, as of the last ``stand``.
    """

    def __init__(
        self,
        store: Store,
        *,
        rules: StateRules,
        epoch: int,
        worker: str,
        fold: Callable[..., Prepared],
        fold_joined: Callable[..., tuple[Prepared, list[Part]]] | None,
        stand: Callable[[], Awaitable[None]],
        percentiles: Callable[[Ints], npt.NDArray[np.float32]],
        prior_mean: Callable[[], float],
    ) -> None:
        self._store, self._rules = store, rules
        self._stand, self._percentiles, self._prior_mean = stand, percentiles, prior_mean
        self._epoch, self._worker = epoch, worker
        self._fold, self._fold_joined = fold, fold_joined
        self._progress = Progress()
        #: Whether a batch may have been applied by somebody else, so that a copy of the items has to be read anew.
        self.doubtful = False

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

    async def begin(self, batch: Arrivals) -> Applied:
        """Prepare a batch and begin to write it; its partitions' batches before must be written.

        A batch of several partitions is read, prepared and written as one, where the store can do that and nothing of
        it was applied before; else its partitions' parts one after the other. Raises StateLost if the state is another.
        """
        return await self._begin_joined(batch) if len(batch.spans) > 1 else await self._begin_one(batch)

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
            percentiles=self._percentiles(batch.items),
            prior_mean=self._prior_mean(),
            rules=self._rules,
        )
        applied = Applied(batch, [prepared.change.items], self._listings(prepared, batch), prepared.tally)

        async def write() -> bool:
            forgetting = [part._replace(forget=self._progress.forgettable(part.partition)) for part in parts]
            outcome = await self._store.write_joined(forgetting, prepared.change, worker=self._worker)
            if outcome is Outcome.EPOCH_MOVED:
                raise StateLost(STATE_LOST)
            if outcome is not Outcome.APPLIED:
                self.doubtful = True  # as for a batch of one partition that is refused
                return await self._write_apart(applied)
            for part in forgetting:
                self._progress.written(part)
            if self.doubtful:
                await self._hear_of_journals(part.partition for part in parts)
            return False

        applied._writing = loop.create_task(write())  # noqa: SLF001 - the only one who may
        return applied

    async def _write_apart(self, applied: Applied) -> bool:
        """Take each partition's part of a batch through the store by itself; return that the batch is another now."""
        done: list[tuple[Arrivals, Prepared]] = []
        for part in applied.arrivals.apart():
            [span] = part.spans
            before = await self._read(span, part.names, journal=self.doubtful)
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

    async def _write(self, batch: Arrivals, before: Before, prepared: Prepared) -> tuple[Prepared, bool]:
        """Write a batch of one partition; return what was written, and whether it had to be prepared anew."""
        [span] = batch.spans
        partition = span.partition
        for attempt in range(_ATTEMPTS):
            if attempt:
                # a retry of a write whose answer was lost, another owner of the partition, or of the customer: whether
                # the batch is ours is unknown, so the copy of the items will be read again
                self.doubtful = True
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
        if self.doubtful:
            await self._hear_of_journals([partition])
        self._progress.advance(partition, prepared.change.fence)
        return prepared, attempt > 0

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
        if epoch != self._epoch:
            raise StateLost(STATE_LOST)
        self._progress.check(partition, fence)

    def _prepare(self, before: Before, batch: Arrivals) -> Prepared:
        return self._fold(
            before,
            batch,
            last_offset=batch.spans[0].last_offset,
            percentiles=self._percentiles(batch.items),
            prior_mean=self._prior_mean(),
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
