"""Faust's Kafka transport, but an agent gets fetched records as batches, of several partitions together, not singly.

A small subclass of the stock aiokafka consumer: group membership, assignment, flow control, sensors and the commit
loop stay Faust's. What changes: ``_drain_messages`` hands on whole batches, the partition with the oldest record first,
so that lists of one partition do not know another's future; acknowledgement tracks batches in the order in which they
were handed on, and after a rebalance reading starts where the state says (``perform_seek``), not only where the group
does. What was fetched stays packed until it is handed on (:mod:`agents.fetched`). Nothing but batches waits here: one
fetch a partition, and one more in aiokafka; the rest of a flood stays in the log, because the agents' queue is bounded.
The seams are those of faust-streaming 0.15.3, which is pinned; ``docs/decisions`` says why they are used.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted
from faust.serializers.schemas import Schema
from faust.transport import consumer as stock_consumer
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as stock
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode.utils.futures import notify

from agents.fetched import Fetched, Part, Record, leave_packed
from agents.under_way import UnderWay
from trendloom.errors import SettingsError

__all__ = ["Batch", "BatchConsumer", "BatchSchema", "BatchTransport", "StartOffset"]

#: Called for each assigned partition with the group's offset (None: none committed) and the log's first offset;
#: returns the offset to begin at.
StartOffset = Callable[[TP, int | None, int], Awaitable[int]]


#: A partition lags if the log holds more of it than so many records beyond what was read. A stream that flows always
#: holds some; whoever waited for those would hand on one partition at a time, in small batches.
_LAGS = 500

#: How long a partition that is known to lag may keep the others waiting for its next fetch.
_PATIENCE_S = 0.25

#: Without Faust's ``broker_max_poll_records`` a batch holds at most so many records.
_MAX_BATCH = 2_000

#: How long Faust may take to say where reading begins after it has assigned partitions, before we ask ourselves.
_PLACING_S = 5.0


@dataclass(slots=True, eq=False)
class Batch:
    """Consecutive records of one partition, at least one, in offset order; ``acked`` once all their lists are."""

    tp: TP
    records: list[Record]
    size: int = field(init=False)
    first_offset: int = field(init=False)
    last_offset: int = field(init=False)
    acked: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Note how many there are, and their offsets: they are needed for longer than the records."""
        self.size = len(self.records)
        self.first_offset = int(self.records[0].offset)
        self.last_offset = int(self.records[-1].offset)


class BatchSchema(Schema[Any, Any]):
    """Hands a batch through to the agent as it is: decoding is the agent's, which keeps what it cannot decode."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        """Return the message's key: none."""
        return message.key

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        """Return the batches: a list, of one partition each."""
        return message.value


class _Thread(stock.AIOKafkaConsumerThread):
    """The stock thread, but what it fetched is passed on packed, whole, and of all partitions at once.

    And a fetch does not hold a quiet partition for 1.5 seconds, which is hard-coded there.
    """

    def _create_worker_consumer(self, transport: Any) -> Any:
        if self.consumer.in_transaction:
            msg = "Batches are read without transactions. Action: leave Faust's processing_guarantee at at_least_once."
            raise SettingsError(msg)
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = cast("BatchTransport", self.consumer.transport).fetch_max_wait_ms  # noqa: SLF001 - no public door
        consumer._max_poll_records = None  # noqa: SLF001 - how much is handed on at once is not the fetcher's to say
        return consumer

    async def on_start(self) -> None:
        """Start the consumer; nothing is fetched before it has a subscription."""
        await super().on_start()
        leave_packed(self._ensure_consumer(), check_crcs=self.app.conf.broker_check_crcs)


class BatchConsumer(stock.Consumer):
    """A Faust consumer of whole batches; everything not named here is Faust's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._max_batch: int = self.app.conf.broker_max_poll_records or _MAX_BATCH
        #: Batches handed on and not yet committed, oldest first: commits cover the acknowledged ones at the front.
        self._handed_on: dict[TP, deque[Batch]] = {}
        #: Fetched and not yet handed on, one fetch a partition: the fetch size bounds what waits.
        self._waiting: dict[TP, Fetched] = {}
        #: For a partition that was waited for in vain: where its log ended then.
        self._in_vain: dict[TP, int | None] = {}
        #: Held while reading is sent elsewhere; how often that was; whether it has to be, as something was dropped.
        self._seeking = asyncio.Lock()
        self._seeks = 0
        self._astray = False
        #: Set while it is known where reading stands: not between an assignment and the seek that follows it.
        self._placed = asyncio.Event()
        self._assignments = 0
        #: For each partition the first offset that was fetched of it since it was assigned.
        self._begun: dict[TP, int] = {}
        self._draining = False
        self._topping_up = False

    def _new_consumer_thread(self) -> Any:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    # -- where reading starts

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Hand on nothing until the seek that follows: the group's offsets are not yet where reading begins."""
        self._assignments += 1
        self._placed.clear()
        self._waiting.clear()
        self._begun.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Go to the group's offsets, then for each partition to where the state needs it. Called after a rebalance."""
        async with self._seeking:
            assignments = self._assignments
            self._seeks += 1
            self._placed.clear()
            self._astray = False  # what a fetch drops from here on may have been read after the seek
            await super().perform_seek()
            self._handed_on.clear()
            if self._under_way is not None:
                self._under_way.forget()
            self._waiting.clear()
            self._in_vain.clear()
            await self._seek_to_state()
            if assignments == self._assignments:
                self._placed.set()

    async def _seek_to_state(self) -> None:
        ask = cast("BatchTransport", self.transport).start_offset
        ours = sorted(ensure_TP(tp) for tp in self.assignment() if self.app.topics.acks_enabled_for(tp.topic))
        starts: dict[TP, int] = {}
        if ask is not None and ours:
            first = await self.earliest_offsets(*ours)
            for tp in ours:
                starts[tp] = await ask(tp, self._committed_offset[tp], int(first[tp]))
        elif ask is None:  # Faust leaves a partition where it was if the group has no offset for it
            starts = {tp: self._begun[tp] for tp in ours if tp in self._begun and self._committed_offset[tp] is None}
        if starts:
            await self.seek_wait(starts)  # in the thread that fetches: beside a fetch, a seek could be overwritten
            self._read_offset.update(starts)

    async def _seek_again(self) -> None:
        """Seek because something was dropped; where partitions move meanwhile, the seek that follows will do."""
        if not self.assignment():
            self._astray = False
            return
        before = self.app.consumer_generation_id, self._assignments
        try:
            await self.perform_seek()
        except IllegalStateError:
            if before == (self.app.consumer_generation_id, self._assignments):
                raise

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
                    await self._seek_again()
                    continue
                if await self._has_room():
                    await self._hand_on()
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise

    @property
    def _under_way(self) -> UnderWay | None:
        return cast("BatchTransport", self.transport).under_way

    async def _has_room(self) -> bool:
        """Return whether the agents take what waits; if not, wait until they have done something, and fetch more."""
        under_way = self._under_way
        if under_way is None or under_way.has_room(sum(fetched.size for fetched in self._waiting.values())):
            return True
        moves = self._moves()
        await self.wait_first(under_way.fewer(), cast("Any", self.suspend_flow))
        if moves == self._moves() and self._may_hand_on():
            self._topping_up = True
            records, _ = await self._wait_next_records(timeout=0)
            self._topping_up = False
            self._receive(records, moves)
        return False

    async def _fetch(self) -> None:
        """Fetch for every partition of which nothing waits; wait long only while nothing waits at all.

        A partition that is known to hold much more keeps the others waiting for a while, or it would fall behind.
        """
        while not self.should_stop:
            if not self.flow_active:
                await self.wait(cast("Any", self.can_resume_flow))
            if not await self._is_placed():
                return
            if not self.flow_active:
                continue
            moves = self._moves()
            active = self._get_active_partitions()
            wanted = self._wanted(active)
            ready = any(tp in active for tp in self._waiting)
            behind = {tp for tp in wanted if self._behind(tp)}
            if ready and not behind:
                return
            records, _ = await self._wait_next_records(timeout=_PATIENCE_S if ready else 1.0)
            await asyncio.sleep(0)  # a fetch that is always ready must not starve the loop
            if not self._receive(records, moves):
                if ready and moves == self._moves() and self.flow_active:
                    self._in_vain.update({ensure_TP(tp): self.highwater(tp) for tp in behind})
                return

    def _receive(self, records: Mapping[Any, list[Part]] | None, moves: tuple[int, int, int]) -> bool:
        """Let what was fetched wait; return whether that is anything, and reading did not go elsewhere meanwhile."""
        for tp, parts in records.items() if records else ():
            self._begun.setdefault(ensure_TP(tp), parts[0][0])
        if moves != self._moves():
            self._astray |= bool(records)  # nobody knows whether these were read before the seek or after it
            return False
        for tp, parts in records.items() if records else ():
            known = ensure_TP(tp)
            if known in self._waiting:
                self._waiting[known].add(parts)
                continue
            fetched = Fetched(parts)
            if fetched.first() is not None:
                self._waiting[known] = fetched
        return bool(records)

    def _moves(self) -> tuple[int, int, int]:
        """Return what changes when reading goes elsewhere."""
        return self.app.consumer_generation_id, self._assignments, self._seeks

    async def _is_placed(self) -> bool:
        """Wait for the seek that follows an assignment; if Faust gave it up, ask for it ourselves."""
        if not self._placed.is_set():
            await self.wait(cast("Any", self._placed), timeout=_PLACING_S)
            self._astray |= not self._placed.is_set() and not self._seeking.locked()
        return self._placed.is_set()

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's own signature
        wanted = self._wanted(active_partitions or set())
        return await super()._getmany(wanted, timeout) if wanted else {}  # to aiokafka, no partition means all

    def _wanted(self, active: set[TP]) -> set[TP]:
        """Return the partitions of which nothing waits; to top up, those of which less than a batch does, too."""
        if not self._topping_up:
            return {tp for tp in active if ensure_TP(tp) not in self._waiting}
        waiting = ((tp, self._waiting.get(ensure_TP(tp))) for tp in active)
        return {tp for tp, fetched in waiting if fetched is None or fetched.size < self._max_batch}

    def _may_hand_on(self) -> bool:
        return self.flow_active and not self._seeking.locked() and not self._draining

    def _behind(self, tp: TP) -> bool:
        """Return whether the partition holds far more than was read; one that was never fetched may.

        It is not waited for twice: what a log ends with may be no record that is handed on (a transaction's marker).
        """
        known = ensure_TP(tp)
        read = self._read_offset[known]
        end: int | None = self.highwater(tp)  # Faust promises a number, aiokafka gives None before the first fetch
        if known in self._in_vain and self._in_vain[known] == end:
            return False
        return read is None or end is None or int(end) > read + _LAGS

    def _by_age(self) -> list[TP]:
        """Return the partitions of which something waits, that with the oldest record first: none runs ahead."""
        active = {ensure_TP(tp) for tp in self._get_active_partitions()}
        first = ((fetched.first(), tp) for tp, fetched in self._waiting.items() if tp in active)
        return [tp for _, tp in sorted((record.timestamp, tp) for record, tp in first if record is not None)]

    async def _hand_on(self) -> None:
        """Hand on the oldest of what waits, of one partition or of several together, up to a batch's bound."""
        batches: list[Batch] = []
        room = self._max_batch
        for tp in self._by_age():
            batch = self._take(tp, room)
            if batch is not None:
                batches.append(batch)
                room -= len(batch.records)
            if room <= 0 or (tp not in self._waiting and self._behind(tp)):
                break  # what the partition holds beside may be older than what waits of the others
        if not batches:
            return
        if self._under_way is not None:
            self._under_way.hand_on(batches)
        handing_over = asyncio.ensure_future(cast("Any", self.callback(self._message_of(batches))))
        await asyncio.sleep(0)  # unless the agent's queue is full, that is enough
        if not handing_over.done():
            await self.wait_first(handing_over, cast("Any", self.suspend_flow))
        if not handing_over.done() or handing_over.cancelled():
            self._astray = True  # the flow was stopped first: the batches have to come again
        else:
            handing_over.result()

    def _take(self, tp: TP, room: int) -> Batch | None:
        """Take at most ``room`` records of what waits of a partition, and note that they are handed on."""
        waiting = self._waiting[tp]
        records, expected = waiting.take(room), self._read_offset[tp]
        if waiting.first() is None:
            del self._waiting[tp]
        if expected is not None and records and records[0].offset < expected:
            records = [record for record in records if record.offset >= expected]
        if not records:
            return None
        batch = Batch(tp, records)
        self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
        self._handed_on.setdefault(tp, deque()).append(batch)
        self._read_offset[tp] = batch.last_offset + 1
        return batch

    def _message_of(self, batches: list[Batch]) -> ConsumerMessage:
        """Return batches as one of Faust's messages; it says to be the last record of the last of them."""
        [*_, batch] = batches
        last = batch.records[-1]
        return ConsumerMessage(
            batch.tp.topic,
            batch.tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            [],
            None,
            cast("Any", batches),  # Faust says bytes, and carries whatever it is given
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
        """Mark batches as done: their lists are acknowledged by the broker."""
        with stock_consumer.ack_lock:  # type: ignore[attr-defined]  # shared with the stock consumer on purpose
            if message.acked:
                return False
            message.acked = True
            self._unacked_messages.discard(message)
            for batch in message.value:
                batch.acked = True
                self._n_acked += batch.size
                batch.records = []  # the offsets wait for the commit; the records need not
            message.value = None
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
            offset = queue.popleft().last_offset + 1
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
        return sum(not batch.acked for queue in self._handed_on.values() for batch in queue)

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
            open_batches = [batch for batch in self._handed_on.get(known, ()) if not batch.acked]
            done = open_batches[0].first_offset if open_batches else read
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
    """The stock transport with a :class:`BatchConsumer`; callbacks are set before the app starts.

    With ``under_way`` nothing is handed on while that has no room; the agents tell it what they take and have done.
    """

    Consumer: ClassVar[Any] = BatchConsumer

    def __init__(
        self,
        url: Any,
        app: Any,
        *,
        fetch_max_wait_ms: int = 100,
        under_way: UnderWay | None = None,
        start_offset: StartOffset | None = None,
        on_commit: Callable[[TP, int], None] | None = None,
    ) -> None:
        super().__init__(url, app)
        self.fetch_max_wait_ms = fetch_max_wait_ms
        self.under_way = under_way
        self.start_offset = start_offset
        self.on_commit = on_commit
