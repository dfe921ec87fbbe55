"""The parts of the consumer that fetch and hand on; what it does with a broker is in the journeys."""

import asyncio
from typing import Any

import pytest
from offline_consumer import NOW_MS, A, B, NoThread, Offline, OfflineTransport, packed, records, with_consumer

from agents.batch_transport import Batch, BatchSchema
from agents.under_way import UnderWay


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


def test_only_partitions_of_which_nothing_waits_are_fetched() -> None:
    """To aiokafka, no partition means all of them: what waits would be overwritten, and lost."""

    async def check(consumer: Offline, _: Any) -> None:
        consumer.fetched(A, 0)
        await consumer._getmany({A, B}, 1.0)
        consumer.fetched(B, 0)
        assert await consumer._getmany({A, B}, 1.0) == {}
        assert await consumer._getmany(None, 1.0) == {}
        assert consumer._thread.asked == [{B}]

    with_consumer(check)


def test_what_waits_while_the_flow_is_stopped_is_handed_on_afterwards() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        consumer.fetched(A, 0, 1)
        fetcher = NoThread()
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


@pytest.mark.parametrize(("more", "together"), [(501, False), (500, True)])
def test_nothing_is_handed_on_beside_a_partition_that_holds_far_more_and_older(more: int, *, together: bool) -> None:
    async def check(consumer: Offline, _: Any) -> None:
        consumer.ends = {A: 2, B: 9 + more}
        consumer.fetched(A, 0, 1, at_ms=NOW_MS + 50)
        consumer.fetched(B, 7, 8, at_ms=NOW_MS)
        await consumer._hand_on()
        assert [batch.tp for batch in consumer.handed] == ([B, A] if together else [B])
        assert list(consumer._waiting) == ([] if together else [A])

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
        consumer._thread.answer = lambda: {B: [(8, packed(B, 8))], A: [(2, packed(A, 2))]}
        waiting = asyncio.ensure_future(consumer._has_room())
        await asyncio.sleep(0)
        assert not waiting.done()
        transport.under_way.take(first.value)
        transport.under_way.done(first.value)
        assert not await waiting
        assert consumer._thread.asked[-1] == {A, B}
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


@pytest.mark.parametrize("behind", [True, False])
def test_nobody_waits_for_a_partition_that_holds_little_more(behind: bool) -> None:
    """What waits is handed on at once; only a partition that lags is waited for, and in vain only once."""

    async def check(consumer: Offline, _: Any) -> None:
        consumer.fetched(A, 0)
        consumer.ends[B] = 1_000
        consumer._read_offset[B] = 60 if behind else 950
        await consumer._fetch()
        asked = consumer._thread.asked
        assert asked == ([{B}] if behind else [])
        await consumer._fetch()
        assert len(asked) == behind
        consumer.ends[B] = 1_600
        await consumer._fetch()
        assert len(asked) == behind + 1

    with_consumer(check)


def test_a_partition_is_behind_until_it_was_read_nearly_to_its_end() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        assert consumer._behind(A)  # never read
        consumer.ends[A] = 1_000
        consumer._read_offset[A] = 499
        assert consumer._behind(A)
        consumer._read_offset[A] = 500
        assert not consumer._behind(A)
        consumer.ends[A] = None  # never fetched
        assert consumer._behind(A)

    with_consumer(check)


def test_a_full_queue_pauses_no_partition() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        consumer.on_buffer_full(A)
        consumer.on_buffer_drop(A)
        assert consumer._get_active_partitions() == {A, B}
        assert not consumer._buffered_partitions

    with_consumer(check)
