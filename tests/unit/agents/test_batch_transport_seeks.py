"""Where a consumer of batches reads: seeks, assignments, and partitions that move meanwhile."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError
from faust.types import TP
from offline_consumer import A, B, C, Offline, OfflineTransport, packed, records, with_consumer

from agents import batch_transport
from trendloom.errors import SettingsError


@pytest.mark.parametrize("moved", ["generation", "seek", "nothing"])
def test_records_that_a_seek_overtook_are_read_again(moved: str) -> None:
    async def check(consumer: Offline, _: Any) -> None:
        def answer() -> Any:
            consumer.app.consumer_generation_id += moved == "generation"
            consumer._seeks += moved == "seek"
            return {A: [(7, packed(A, 7, 8))]}

        consumer.active = {A}
        consumer._thread.answer = answer
        await consumer._fetch()
        assert consumer._astray == (moved != "nothing")
        assert list(consumer._waiting) == ([A] if moved == "nothing" else [])
        await consumer.perform_seek()
        assert not consumer._astray

    with_consumer(check)


def test_nothing_is_fetched_between_an_assignment_and_its_seek() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        async def nobody(*_: Any) -> None:
            pass

        consumer._on_partitions_assigned = nobody
        consumer.app.on_rebalance_return = lambda: None
        consumer.fetched(A, 0)
        consumer._begun[A] = 0
        await consumer.on_partitions_assigned({A, B})
        assert (consumer._waiting, consumer._begun) == ({}, {})
        consumer._thread.answer = lambda: {A: [(40, records(A, 40))]}
        fetching = asyncio.ensure_future(consumer._fetch())
        for _turn in range(20):
            await asyncio.sleep(0)
        assert consumer._thread.asked == []
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
        consumer._thread.answer = lambda: {B: [(3, records(B, 3, 4))], A: [(44, records(A, 44))]}
        await consumer._fetch()
        await consumer.perform_seek()
        assert consumer.sought == [(B, 3)]  # the group has an offset for A
        assert consumer._read_offset[B] == 3

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
