"""Faust's Kafka transport, but an agent gets a partition's fetched records as one batch instead of one by one.

A small subclass of the stock aiokafka consumer: group membership, assignment, flow control, sensors and the commit
loop stay Faust's. What changes: ``_drain_messages`` hands on whole batches, the partition with the oldest record first,
so that lists of one partition do not know another's future; acknowledgement tracks batches in the order in which they
were handed on, and after a rebalance reading starts where the state says (``perform_seek``), not only where the group
does. The seams are those of faust-streaming 0.15.3, which is pinned; ``docs/decisions`` says why they are used.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, cast

from aiokafka.structs import ConsumerRecord
from faust.exceptions import ConsumerNotStarted
from faust.serializers.schemas import Schema
from faust.transport import consumer as stock_consumer
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as stock
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode.utils.futures import notify

__all__ = ["Batch", "BatchConsumer", "BatchSchema", "BatchTransport", "StartOffset"]

#: Called for each assigned partition with the group's offset (None: none committed) and the log's first offset;
#: returns the offset to begin at.
StartOffset = Callable[[TP, int | None, int], Awaitable[int]]


#: How long a partition that is known to lag may keep the others waiting for its next fetch.
_PATIENCE_S = 0.25


class Batch(NamedTuple):
    """Consecutive records of one partition, at least one, in offset order."""

    tp: TP
    records: list[ConsumerRecord]

    @property
    def first_offset(self) -> int:
        """Offset of the first record."""
        return int(self.records[0].offset)

    @property
    def last_offset(self) -> int:
        """Offset of the last record."""
        return int(self.records[-1].offset)


class BatchSchema(Schema[Any, Any]):
    """Hands a batch through to the agent as it is: decoding is the agent's, which keeps what it cannot decode."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        """Return the message's key: none."""
        return message.key

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        """Return the batch."""
        return message.value


class _Thread(stock.AIOKafkaConsumerThread):
    """The stock thread, with a fetch that does not hold a quiet partition for 1.5 seconds (hard-coded there)."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = cast("BatchTransport", self.consumer.transport).fetch_max_wait_ms  # noqa: SLF001 - no public door
        return consumer


class BatchConsumer(stock.Consumer):
    """A Faust consumer of whole batches; everything not named here is Faust's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Batches handed on and not yet committed, oldest first: commits cover the acknowledged ones at the front.
        self._handed_on: dict[TP, deque[ConsumerMessage]] = {}
        #: Fetched and not yet handed on, one fetch a partition.
        self._waiting: dict[TP, list[ConsumerRecord]] = {}
        #: Held while reading is sent elsewhere; how often that was; whether it has to be, as something was dropped.
        self._seeking = asyncio.Lock()
        self._seeks = 0
        self._astray = False
        self._draining = False

    def _new_consumer_thread(self) -> Any:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    # -- where reading starts

    async def perform_seek(self) -> None:
        """Go to the group's offsets, then for each partition to where the state needs it. Called after a rebalance."""
        async with self._seeking:
            self._seeks += 1
            await super().perform_seek()
            self._handed_on.clear()
            self._waiting.clear()
            self._astray = False
            await self._seek_to_state()

    async def _seek_to_state(self) -> None:
        transport = cast("BatchTransport", self.transport)
        assigned = {tp for tp in self.assignment() if self.app.topics.acks_enabled_for(tp.topic)}
        if transport.start_offset is None or not assigned:
            return
        first = await self.earliest_offsets(*assigned)
        for tp in sorted(assigned):
            committed = self._committed_offset[ensure_TP(tp)]
            start = await transport.start_offset(ensure_TP(tp), committed, int(first[tp]))
            await self.seek(ensure_TP(tp), start)
            self._read_offset[ensure_TP(tp)] = start

    # -- handing on

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                if self._draining:
                    await self.sleep(_PATIENCE_S)  # nothing more is wanted
                    continue
                if self._commit_every is not None and self._n_acked >= self._commit_every:
                    self._n_acked = 0
                    await self.commit()
                await self._fetch()
                if not self._may_hand_on():
                    continue  # what waits is handed on later; a seek forgets it
                if self._astray:
                    await self.perform_seek()
                    continue
                tp = self._oldest()
                if tp is not None:
                    await self._hand_on(tp)
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise

    async def _fetch(self) -> None:
        """Fetch for every partition of which nothing waits; wait long only while nothing waits at all.

        One fetch returns the records of one or two partitions; the others are asked again, or they would fall behind.
        """
        while not self.should_stop:
            if not self.flow_active:
                await self.wait(cast("Any", self.can_resume_flow))
            async with self._seeking:
                generation, seeks = self.app.consumer_generation_id, self._seeks
            active = self._get_active_partitions()
            wanted = self._wanted(active)
            if active and not wanted:
                return
            ready = any(tp in active for tp in self._waiting)
            behind = any(self._behind(tp) for tp in wanted)
            records, _ = await self._wait_next_records(timeout=(_PATIENCE_S if behind else 0.0) if ready else 1.0)
            await asyncio.sleep(0)  # a fetch that is always ready must not starve the loop
            if not records or self.should_stop:
                return
            if (generation, seeks) != (self.app.consumer_generation_id, self._seeks):
                self._astray = True  # nobody knows whether these were read before the seek or after it
                return
            for tp, fetched in records.items():
                self._waiting[ensure_TP(tp)] = list(fetched)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's own signature
        wanted = self._wanted(active_partitions or set())
        return await super()._getmany(wanted, timeout) if wanted else {}  # to aiokafka, no partition means all

    def _wanted(self, active: set[TP]) -> set[TP]:
        """Return the partitions of which nothing waits."""
        return {tp for tp in active if ensure_TP(tp) not in self._waiting}

    def _may_hand_on(self) -> bool:
        return self.flow_active and not self._seeking.locked() and not self._draining

    def _behind(self, tp: TP) -> bool:
        """Return whether the partition holds more than was read; one that was never fetched may."""
        read = self._read_offset[ensure_TP(tp)]
        end: int | None = self.highwater(tp)  # Faust promises a number, aiokafka gives None before the first fetch
        return read is None or end is None or int(end) > read

    def _oldest(self) -> TP | None:
        """Return the partition whose first waiting record is the oldest: no partition runs ahead of the others."""
        active = {ensure_TP(tp) for tp in self._get_active_partitions()}
        ready = [(records[0].timestamp, tp) for tp, records in self._waiting.items() if tp in active]
        return min(ready)[1] if ready else None

    async def _hand_on(self, tp: TP) -> None:
        records = self._waiting.pop(tp)
        expected = self._read_offset[tp]
        if expected is not None and records[0].offset < expected:
            records = [record for record in records if record.offset >= expected]
        if not records:
            return
        batch = Batch(tp, records)
        self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
        message = self._batch_message(batch)
        self._handed_on.setdefault(tp, deque()).append(message)
        self._read_offset[tp] = batch.last_offset + 1
        handing_over = cast("Any", self.callback(message))
        happened = await self.wait_first(handing_over, self.suspend_flow.wait())
        if handing_over not in happened.done:
            self._astray = True  # the flow was stopped first: the batch has to come again

    def _batch_message(self, batch: Batch) -> ConsumerMessage:
        last = batch.records[-1]
        return ConsumerMessage(
            batch.tp.topic,
            batch.tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            [],
            None,
            cast("Any", batch),  # Faust says bytes, and carries whatever it is given
            None,
            None,
            None,
            batch.tp,
            generation_id=self.app.consumer_generation_id,
        )

    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing: a full queue of batches already holds the hand-over back, and with it the fetching.

        The stock answer, to stop fetching the partition, makes the fetcher sleep a whole second once all are stopped.
        """

    def on_buffer_drop(self, tp: TP) -> None:
        """Do nothing, as for a full queue."""

    # -- acknowledging and committing

    def ack(self, message: Any) -> bool:
        """Mark a batch as done: its lists are acknowledged by the broker."""
        with stock_consumer.ack_lock:  # type: ignore[attr-defined]  # shared with the stock consumer on purpose
            if message.acked:
                return False
            message.acked = True
            self._unacked_messages.discard(message)
            self._n_acked += len(message.value.records)
            notify(self._waiting_for_ack)
            return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        waiting = list(self._handed_on)
        return (tp for tp in waiting if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        """Return the offset after the last batch of the unbroken run of acknowledged ones; None if there is none."""
        queue = self._handed_on.get(tp, deque())
        offset = None
        while queue and queue[0].acked:
            offset = cast("Any", queue.popleft().value).last_offset + 1
        return offset

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002 - Faust's own signature
        before = self.assignment()
        did_commit = await super()._commit_offsets(offsets, start_new_transaction)
        on_commit = cast("BatchTransport", self.transport).on_commit
        if did_commit and on_commit is not None:
            ours = before & self.assignment()
            for tp, offset in offsets.items():
                if tp in ours:  # Faust leaves the others out
                    on_commit(tp, offset)
        return bool(did_commit)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was handed on from partitions that are no longer ours."""
        for tp in revoked:
            self._handed_on.pop(ensure_TP(tp), None)
            self._waiting.pop(ensure_TP(tp), None)
        await super().on_partitions_revoked(revoked)

    # -- for whoever looks on

    def unfinished(self) -> int:
        """Return how many batches are handed on and not yet acknowledged."""
        return sum(not message.acked for queue in self._handed_on.values() for message in queue)

    def lag(self) -> dict[TP, int]:
        """Return, for each assigned partition, how many records lie between what is acknowledged and the log's end."""
        lags: dict[TP, int] = {}
        try:
            assigned = self.assignment()
        except ConsumerNotStarted:  # whoever looks on may be earlier
            return lags
        for tp in assigned:
            known = ensure_TP(tp)
            read = self._read_offset[known]
            if read is None or not self.app.topics.acks_enabled_for(known.topic):
                continue
            open_batches = [message for message in self._handed_on.get(known, ()) if not message.acked]
            done = cast("Any", open_batches[0].value).first_offset if open_batches else read
            lags[known] = max(int(self.highwater(tp) or 0) - done, 0)
        return lags

    async def drain(self, timeout_s: float) -> bool:
        """Hand on nothing more, wait until all that was is acknowledged, commit; return whether that was in time."""
        self._draining = True
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self.unfinished() and asyncio.get_running_loop().time() < deadline:
            await self._wait_for_ack(timeout=1)
        await self.commit()
        return self.unfinished() == 0


class BatchTransport(stock.Transport):
    """The stock transport with a :class:`BatchConsumer`; callbacks are set before the app starts."""

    Consumer: ClassVar[Any] = BatchConsumer

    def __init__(
        self,
        url: Any,
        app: Any,
        *,
        fetch_max_wait_ms: int = 100,
        start_offset: StartOffset | None = None,
        on_commit: Callable[[TP, int], None] | None = None,
    ) -> None:
        super().__init__(url, app)
        self.fetch_max_wait_ms = fetch_max_wait_ms
        self.start_offset = start_offset
        self.on_commit = on_commit
