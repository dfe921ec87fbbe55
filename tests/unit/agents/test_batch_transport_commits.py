"""What a consumer of batches acknowledges and commits, how far it is behind, and how it is drained."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from faust.exceptions import ConsumerNotStarted
from faust.types import TP
from offline_consumer import A, B, C, Offline, OfflineTransport, with_consumer

from agents.batch_transport import BatchConsumer


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

        consumer.assignment = assignment
        assert consumer.lag() == {}

    with_consumer(check)


def test_records_are_let_go_when_they_are_acknowledged() -> None:
    async def check(consumer: Offline, _: Any) -> None:
        message = await consumer.hand_on(A, 0, 1)
        consumer.ack(message)
        assert message.value is None  # the commit, and what keeps the message until then, need none
        assert consumer._n_acked == 2
        assert consumer._new_offset(A) == 2

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

        consumer.commit = commit
        assert not await consumer.drain(0.0)
        waiting: Coroutine[Any, Any, bool] = consumer.drain(30.0)
        draining = asyncio.ensure_future(waiting)
        await asyncio.sleep(0)
        consumer.ack(message)
        assert await draining
        assert committed == [1, 0]
        assert consumer._draining

    with_consumer(check)
