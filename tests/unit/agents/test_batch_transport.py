"""The parts of the consumer that decide something; what it does with a broker is in the journeys."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import faust
import pytest
from aiokafka.errors import IllegalStateError
from aiokafka.structs import ConsumerRecord
from faust.exceptions import ConsumerNotStarted
from faust.types import TP
from mode import Service

from agents import batch_transport
from agents.batch_transport import Batch, BatchConsumer, BatchSchema, BatchTransport
from agents.fetched import Fetched
from agents.under_way import UnderWay
from trendloom.errors import SettingsError

A, B, C = TP("purchases", 0), TP("purchases", 1), TP("other", 0)
NOW_MS = 1_600_000_000_000


class _NoThread(Service):
    """Stands where the thread would be that speaks to the broker; answers what the test put there."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.asked: list[set[TP]] = []
        self.answer: Callable[[], Any] = dict

    async def getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 - as Faust has it
        self.asked.append(set(active_partitions))
        return self.answer()


class Offline(BatchConsumer):
    """A consumer that is assigned what the test says, and keeps what it hands on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.assigned = {A, B}
        self.active = {A, B}
        self.ends: dict[TP, int | None] = {A: 100, B: 100}
        self.handed: list[Batch] = []
        self.messages: list[Any] = []
        self.committed: list[dict[TP, int]] = []
        self.sought: list[tuple[TP, int]] = []
        self.callback = self._keep
        self._placed.set()

    def _new_consumer_thread(self) -> Any:
        return _NoThread(beacon=self.beacon)

    async def _keep(self, message: Any) -> None:
        self.handed.extend(message.value)
        self.messages.append(message)

    def assignment(self) -> Any:
        return self.assigned

    def _get_active_partitions(self) -> Any:
        return self.active

    def highwater(self, tp: Any) -> Any:
        return self.ends[tp]

    async def earliest_offsets(self, *partitions: Any) -> Any:
        return dict.fromkeys(partitions, 5)

    async def seek_wait(self, partitions: Any) -> None:
        self.sought.extend(partitions.items())

    async def seek_to_committed(self) -> Any:
        return {A: 40}

    def fetched(self, tp: TP, *offsets: int, at_ms: int = NOW_MS) -> None:
        """As if these records had been fetched."""
        self._waiting[tp] = Fetched(tp, [(offsets[0], packed(tp, *offsets, at_ms=at_ms))])

    async def hand_on(self, tp: TP, *offsets: int) -> Any:
        """Hand on a batch; return its message."""
        self.fetched(tp, *offsets)
        await self._hand_on()
        return self.messages[-1]


class Packed(list[Any]):
    """Records as aiokafka packs them: something to go through that knows where it ends."""

    @property
    def next_offset(self) -> int:
        return int(self[-1].offset) + 1


def packed(tp: TP, *offsets: int, at_ms: int = NOW_MS) -> Packed:
    return Packed(records(tp, *offsets, at_ms=at_ms))


class OfflineTransport(BatchTransport):
    Consumer = Offline


def records(tp: TP, *offsets: int, at_ms: int = NOW_MS) -> "list[ConsumerRecord[bytes, bytes]]":
    return [
        ConsumerRecord(tp.topic, tp.partition, offset, at_ms + offset, 0, b"k", b"v", None, 1, 1, ())
        for offset in offsets
    ]


def with_consumer(check: Callable[[Offline, OfflineTransport], Awaitable[None]]) -> None:
    async def run() -> None:
        app = faust.App("t", broker="kafka://127.0.0.1:1", store="memory://", autodiscover=False, web_enabled=False)
        transport = OfflineTransport(app.conf.broker_consumer, app)
        app.transport = transport
        app.topics.acks_enabled_for = lambda topic: topic == "purchases"  # type: ignore[method-assign]
        await check(app.consumer, transport)  # type: ignore[arg-type]

    asyncio.run(run())


def test_a_batch_says_where_it_begins_and_ends() -> None:
    batch = Batch(A, records(A, 4, 5, 9))
    assert (batch.first_offset, batch.last_offset) == (4, 9)
    message = type("Message", (), {"key": None, "value": [batch]})
    assert BatchSchema().loads_value(None, message) == [batch]
    assert BatchSchema().loads_key(None, message) is None


def test_the_partition_with_the_oldest_record_comes_first() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        assert consumer._by_age() == []
        consumer.fetched(A, 0, at_ms=NOW_MS + 50)
        consumer.fetched(B, 30, 31, at_ms=NOW_MS)
        assert consumer._by_age() == [B, A]  # the lower timestamp, not the lower offset
        consumer.active = {A}
        assert consumer._by_age() == [A]  # B is paused, or no longer ours
        consumer.active = set()
        assert consumer._by_age() == []

    with_consumer(check)


def test_a_fetch_is_handed_on_whole_and_reading_goes_on_behind_it() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        message = await consumer.hand_on(A, 3, 4, 7)
        assert [record.offset for record in consumer.handed[0].records] == [3, 4, 7]
        assert (message.topic, message.partition, message.offset, message.tp) == ("purchases", 0, 7, A)
        assert consumer._read_offset[A] == 8
        assert consumer._waiting == {}
        assert consumer.unfinished() == 1

    with_consumer(check)


def test_records_that_were_read_before_are_not_handed_on_again() -> None:
    """After a seek the broker may answer with the whole of a compressed batch, from its beginning."""

    async def check(consumer: Offline, _: Any) -> None:
        consumer._read_offset[A] = 5
        await consumer.hand_on(A, 3, 4, 5, 6)
        assert [record.offset for record in consumer.handed[0].records] == [5, 6]
        consumer.fetched(A, 5, 6)
        await consumer._hand_on()
        assert len(consumer.handed) == 1
        assert (consumer._read_offset[A], consumer._waiting, consumer.unfinished()) == (7, {}, 1)

    with_consumer(check)


def test_commits_cover_the_unbroken_run_of_acknowledged_batches() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        first, second, third = [await consumer.hand_on(A, *some) for some in ((0, 1), (2, 3), (4,))]
        other = await consumer.hand_on(B, 0)
        assert consumer._new_offset(A) is None
        assert consumer.ack(second)
        assert consumer._new_offset(A) is None  # the first is still on its way
        assert consumer.ack(first)
        assert consumer._new_offset(A) == 4
        assert consumer._new_offset(A) is None  # and only once
        assert consumer.ack(third)
        assert consumer._new_offset(A) == 5
        assert consumer.unfinished() == 1
        assert not consumer.ack(third)
        assert consumer.ack(other)
        assert (consumer._new_offset(B), consumer.unfinished()) == (1, 0)
        assert consumer._new_offset(C) is None

    with_consumer(check)


def test_partitions_with_something_to_commit() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        await consumer.hand_on(A, 0)
        assert list(consumer._filter_tps_with_pending_acks()) == [A]
        assert list(consumer._filter_tps_with_pending_acks([A])) == [A]
        assert list(consumer._filter_tps_with_pending_acks(["purchases"])) == [A]
        assert list(consumer._filter_tps_with_pending_acks([B])) == []

    with_consumer(check)


def test_the_lag_counts_what_is_not_acknowledged() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        consumer.assigned = {A, B, C}
        consumer.ends = {A: 10, B: None, C: 7}
        assert consumer.lag() == {}  # nothing is known yet
        first = await consumer.hand_on(A, 0, 1, 2)
        second = await consumer.hand_on(A, 3)
        assert consumer.lag() == {A: 10}
        consumer.ack(second)
        assert consumer.lag() == {A: 10}
        consumer.ack(first)
        assert consumer.lag() == {A: 6}
        consumer._read_offset[B] = 3
        consumer._read_offset[C] = 1  # a topic without acknowledgement
        assert consumer.lag() == {A: 6, B: 0}

    with_consumer(check)


def test_the_lag_is_nothing_before_the_consumer_runs() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        def assignment() -> Any:
            raise ConsumerNotStarted("Consumer thread not yet started")

        consumer.assignment = assignment  # type: ignore[method-assign]
        assert consumer.lag() == {}

    with_consumer(check)


def test_only_partitions_of_which_nothing_waits_are_fetched() -> None:
    """To aiokafka, no partition means all of them: what waits would be overwritten, and lost."""

    async def check(consumer: Offline, _: Any) -> None:
        consumer.fetched(A, 0)
        await consumer._getmany({A, B}, 1.0)
        consumer.fetched(B, 0)
        assert await consumer._getmany({A, B}, 1.0) == {}
        assert await consumer._getmany(None, 1.0) == {}
        assert consumer._thread.asked == [{B}]  # type: ignore[attr-defined]

    with_consumer(check)


@pytest.mark.parametrize("moved", ["generation", "seek", "nothing"])
def test_records_that_a_seek_overtook_are_read_again(moved: str) -> None:
    async def check(consumer: Offline, _: Any) -> None:
        def answer() -> Any:
            consumer.app.consumer_generation_id += moved == "generation"
            consumer._seeks += moved == "seek"
            return {A: [(7, packed(A, 7, 8))]}

        consumer.active = {A}
        consumer._thread.answer = answer  # type: ignore[attr-defined]
        await consumer._fetch()
        assert consumer._astray == (moved != "nothing")
        assert list(consumer._waiting) == ([A] if moved == "nothing" else [])
        await consumer.perform_seek()
        assert not consumer._astray

    with_consumer(check)


def test_what_waits_while_the_flow_is_stopped_is_handed_on_afterwards() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        consumer.fetched(A, 0, 1)
        fetcher = _NoThread()
        consumer.stop_flow()
        draining = asyncio.ensure_future(consumer._drain_messages(fetcher))
        for _turn in range(20):
            await asyncio.sleep(0)
        assert consumer.handed == []
        consumer.resume_flow()
        fetcher._stopped.set()  # after this round
        await draining
        assert [batch.last_offset for batch in consumer.handed] == [1]

    with_consumer(check)


def test_a_batch_that_could_not_be_handed_over_comes_again() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        async def never(_message: Any) -> None:
            await asyncio.Event().wait()

        consumer.callback = never
        consumer.fetched(A, 0, 1)
        handing_over = asyncio.ensure_future(consumer._hand_on())
        await asyncio.sleep(0)
        consumer.stop_flow()
        await handing_over
        assert consumer._astray

    with_consumer(check)


def test_a_batch_is_all_that_waits_up_to_its_bound() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        consumer._max_batch = 3
        consumer.fetched(A, *range(7))
        for _batch in range(3):
            await consumer._hand_on()
        assert [len(batch.records) for batch in consumer.handed] == [3, 3, 1]
        assert [batch.first_offset for batch in consumer.handed] == [0, 3, 6]
        assert (consumer._waiting, consumer._read_offset[A], consumer.unfinished()) == ({}, 7, 3)

    with_consumer(check)


def test_what_waits_of_several_partitions_is_handed_on_together() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        consumer.ends = {A: 2, B: 9}
        consumer.fetched(A, 0, 1, at_ms=NOW_MS + 50)
        consumer.fetched(B, 7, 8, at_ms=NOW_MS)
        await consumer._hand_on()
        [message] = consumer.messages
        assert [(batch.tp, batch.last_offset) for batch in message.value] == [(B, 8), (A, 1)]
        assert (consumer._waiting, consumer.unfinished()) == ({}, 2)
        consumer.ack(message)
        assert consumer.unfinished() == 0
        assert (consumer._new_offset(A), consumer._new_offset(B)) == (2, 9)

    with_consumer(check)


def test_nothing_is_handed_on_beside_a_partition_that_holds_more_and_older() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        consumer.ends = {A: 2, B: 100}
        consumer.fetched(A, 0, 1, at_ms=NOW_MS + 50)
        consumer.fetched(B, 7, 8, at_ms=NOW_MS)
        await consumer._hand_on()
        assert [batch.tp for batch in consumer.handed] == [B]
        assert list(consumer._waiting) == [A]

    with_consumer(check)


def test_together_they_are_no_more_than_a_batch() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        consumer._max_batch = 3
        consumer.ends = {A: 3, B: 30}
        consumer.fetched(A, 0, 1, at_ms=NOW_MS)
        consumer.fetched(B, 27, 28, 29, at_ms=NOW_MS)
        consumer.ends = {A: 2, B: 30}
        for _batch in range(2):
            await consumer._hand_on()
        assert [len(message.value) for message in consumer.messages] == [2, 1]
        assert [[record.offset for record in batch.records] for batch in consumer.handed] == [[0, 1], [27], [28, 29]]

    with_consumer(check)


def test_what_comes_while_a_small_batch_is_under_way_waits_for_it_and_goes_together() -> None:
    async def check(consumer: Offline, transport: OfflineTransport) -> None:
        transport.under_way = UnderWay(full=500)
        consumer.ends = {A: 2, B: 9}
        first = await consumer.hand_on(A, 0)
        consumer.fetched(A, 1)
        consumer._thread.answer = lambda: {B: [(8, packed(B, 8))], A: [(2, packed(A, 2))]}  # type: ignore[attr-defined]
        waiting = asyncio.ensure_future(consumer._has_room())
        await asyncio.sleep(0)
        assert not waiting.done()
        transport.under_way.take(first.value)
        transport.under_way.done(first.value)
        assert not await waiting
        assert consumer._thread.asked[-1] == {A, B}  # type: ignore[attr-defined]
        assert await consumer._has_room()
        await consumer._hand_on()
        assert sorted((batch.tp, len(batch.records)) for batch in consumer.handed[1:]) == [(A, 2), (B, 1)]

    with_consumer(check)


def test_what_a_rebalance_may_have_dropped_is_not_waited_for() -> None:
    async def check(consumer: Offline, transport: OfflineTransport) -> None:
        transport.under_way = UnderWay(full=500)
        await consumer.hand_on(A, 0)
        assert not transport.under_way.has_room(1)
        await consumer.perform_seek()
        assert transport.under_way.has_room(1)

    with_consumer(check)


def test_records_are_let_go_when_they_are_acknowledged() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        message = await consumer.hand_on(A, 0, 1)
        consumer.ack(message)
        assert message.value is None  # the commit, and what keeps the message until then, need none
        assert consumer._n_acked == 2
        assert consumer._new_offset(A) == 2

    with_consumer(check)


@pytest.mark.parametrize("behind", [True, False])
def test_nobody_waits_for_a_partition_that_holds_no_more(behind: bool) -> None:
    """What waits is handed on at once; only a partition that lags is waited for, and in vain only once."""

    async def check(consumer: Offline, _: Any) -> None:
        consumer.fetched(A, 0)
        consumer._read_offset[B] = 60 if behind else 100
        await consumer._fetch()
        asked = consumer._thread.asked  # type: ignore[attr-defined]
        assert asked == ([{B}] if behind else [])
        await consumer._fetch()
        assert len(asked) == behind
        consumer.ends[B] = 101
        await consumer._fetch()
        assert len(asked) == behind + 1

    with_consumer(check)


def test_nothing_is_fetched_between_an_assignment_and_its_seek() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        async def nobody(*_: Any) -> None:
            pass

        consumer._on_partitions_assigned = nobody
        consumer.app.on_rebalance_return = lambda: None  # type: ignore[method-assign]
        consumer.fetched(A, 0)
        consumer._begun[A] = 0
        await consumer.on_partitions_assigned({A, B})
        assert (consumer._waiting, consumer._begun) == ({}, {})
        consumer._thread.answer = lambda: {A: [(40, records(A, 40))]}  # type: ignore[attr-defined]
        fetching = asyncio.ensure_future(consumer._fetch())
        for _turn in range(20):
            await asyncio.sleep(0)
        assert consumer._thread.asked == []  # type: ignore[attr-defined]
        await consumer.perform_seek()
        consumer.active = {A}
        await fetching
        assert list(consumer._waiting) == [A]
        assert not consumer._astray

    with_consumer(check)


def test_a_seek_that_nobody_makes_is_made_by_ourselves(monkeypatch: Any) -> None:
    """Faust gives a seek up after a while, and goes on as if it had been made."""

    async def check(consumer: Offline, _: Any) -> None:
        monkeypatch.setattr(batch_transport, "_PLACING_S", 0.0)
        consumer._placed.clear()
        async with consumer._seeking:  # it is under way
            await consumer._fetch()
        assert not consumer._astray
        await consumer._fetch()
        assert consumer._astray
        assert consumer._thread.asked == []
        await consumer._seek_again()
        assert consumer._placed.is_set()

    with_consumer(check)


def test_transactions_are_refused() -> None:
    """What a transaction aborted would be handed on."""
    thread: Any = type("Thread", (), {"consumer": type("Consumer", (), {"in_transaction": True})})
    with pytest.raises(SettingsError, match="Action: "):
        batch_transport._Thread._create_worker_consumer(thread, None)


def test_a_seek_that_partitions_overtook_does_not_count() -> None:
    async def check(consumer: Offline, transport: OfflineTransport) -> None:
        async def begin(tp: TP, *_: Any) -> int:
            consumer._assignments += tp == B  # while the store is asked
            return 7

        transport.start_offset = begin
        await consumer.perform_seek()
        assert not consumer._placed.is_set()
        consumer.assigned = {A}
        await consumer.perform_seek()
        assert consumer._placed.is_set()

    with_consumer(check)


def test_a_seek_of_ours_that_fails_as_partitions_move_is_left_to_the_next() -> None:
    async def check(consumer: Offline, transport: OfflineTransport) -> None:
        moving = True

        async def begin(tp: TP, *_: Any) -> int:
            consumer.app.consumer_generation_id += moving
            raise IllegalStateError(f"{tp} is not assigned")

        transport.start_offset = begin
        await consumer._seek_again()
        assert not consumer._placed.is_set()
        moving = False
        with pytest.raises(IllegalStateError):
            await consumer._seek_again()
        consumer.assigned, consumer._astray = set(), True
        await consumer._seek_again()
        assert not consumer._astray  # nothing is ours, so nothing is missing

    with_consumer(check)


def test_without_an_offset_anywhere_a_seek_goes_back_to_where_reading_began() -> None:
    """Faust leaves such a partition where it is: what was read and not acknowledged would be lost."""

    async def check(consumer: Offline, _: Any) -> None:
        consumer.active = {A, B}
        consumer._thread.answer = lambda: {B: [(3, records(B, 3, 4))], A: [(44, records(A, 44))]}  # type: ignore[attr-defined]
        await consumer._fetch()
        await consumer.perform_seek()
        assert consumer.sought == [(B, 3)]  # the group has an offset for A
        assert consumer._read_offset[B] == 3

    with_consumer(check)


def test_a_partition_is_behind_until_it_was_read_to_its_end() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        assert consumer._behind(A)  # never read
        consumer._read_offset[A] = 99
        assert consumer._behind(A)
        consumer._read_offset[A] = 100
        assert not consumer._behind(A)
        consumer.ends[A] = None  # never fetched
        assert consumer._behind(A)

    with_consumer(check)


def test_after_a_rebalance_reading_begins_where_the_state_says() -> None:
    asked = []

    async def begin(tp: TP, committed: int | None, log_start: int) -> int:
        asked.append((tp, committed, log_start))
        return 30 + tp.partition

    async def check(consumer: Offline, transport: OfflineTransport) -> None:
        transport.start_offset = begin
        consumer.assigned = {A, B, C}
        await consumer.hand_on(A, 0)
        consumer.fetched(B, 9)
        await consumer.perform_seek()
        assert asked == [(A, 40, 5), (B, None, 5)]
        assert consumer.sought == [(A, 30), (B, 31)]
        assert (consumer._read_offset[A], consumer._read_offset[B]) == (30, 31)
        assert (consumer._handed_on, consumer._waiting) == ({}, {})

    with_consumer(check)


def test_what_is_revoked_is_forgotten_and_what_stays_is_not() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        await consumer.hand_on(A, 0)
        await consumer.hand_on(B, 0)
        consumer.fetched(A, 1)
        consumer.fetched(B, 1)

        async def nobody(*_: Any) -> None:
            pass

        consumer._on_partitions_revoked = nobody
        await consumer.on_partitions_revoked({A})
        assert (list(consumer._handed_on), list(consumer._waiting)) == ([B], [B])
        assert (consumer._read_offset[A], consumer._read_offset[B]) == (None, 1)

    with_consumer(check)


def test_a_full_queue_pauses_no_partition() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        consumer.on_buffer_full(A)
        consumer.on_buffer_drop(A)
        assert consumer._get_active_partitions() == {A, B}
        assert not consumer._buffered_partitions

    with_consumer(check)


@pytest.mark.parametrize("committed", [True, False])
def test_whoever_keeps_journals_hears_of_commits_that_came_to_pass(committed: bool, monkeypatch: Any) -> None:
    heard: list[tuple[TP, int]] = []

    async def commit(*_: Any) -> bool:
        return committed

    async def check(consumer: Offline, transport: OfflineTransport) -> None:
        transport.on_commit = lambda tp, offset: heard.append((tp, offset))
        monkeypatch.setattr(BatchConsumer.__mro__[1], "_commit_offsets", commit)
        assert await consumer._commit_offsets({A: 4, B: 9}) is committed

    with_consumer(check)
    assert heard == ([(A, 4), (B, 9)] if committed else [])


def test_nobody_hears_of_commits_for_what_is_no_longer_ours(monkeypatch: Any) -> None:
    heard: list[tuple[TP, int]] = []

    async def commit(consumer: Offline, *_: Any) -> bool:
        consumer.assigned = {A, B}
        return True

    async def check(consumer: Offline, transport: OfflineTransport) -> None:
        transport.on_commit = lambda tp, offset: heard.append((tp, offset))
        consumer.assigned = {A}  # B came while the commit was under way
        monkeypatch.setattr(BatchConsumer.__mro__[1], "_commit_offsets", commit)
        assert await consumer._commit_offsets({A: 4, B: 9})

    with_consumer(check)
    assert heard == [(A, 4)]


def test_a_drain_ends_when_all_is_acknowledged_and_says_if_it_was_not() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        message = await consumer.hand_on(A, 0)
        committed: list[int] = []

        async def commit(*_: Any, **__: Any) -> bool:
            committed.append(consumer.unfinished())
            return True

        consumer.commit = commit  # type: ignore[method-assign]
        assert not await consumer.drain(0.0)
        waiting: Coroutine[Any, Any, bool] = consumer.drain(30.0)
        draining = asyncio.ensure_future(waiting)
        await asyncio.sleep(0)
        consumer.ack(message)
        assert await draining
        assert committed == [1, 0]
        assert consumer._draining

    with_consumer(check)
