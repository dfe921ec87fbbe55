"""Our transport against Faust's own: one set of scenarios over both, on the embedded broker and on Apache Kafka.

Where Faust's own is known to lose or to commit too much (stopping the flow in mid-flight, acknowledging out of order in
a fresh group: faust-streaming issue 606), ours runs alone. The embedded broker lets members wait for seconds, so the
scenarios that were asked for are all played at once, each with its own topic and group.
What our transport relies on in Faust is held in ``test_faust_seams.py``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future

import pytest
from faust.types import TP

from tests.contract.kafka_reader import AT_ONCE, Reader, Record, Topic, reading

pytestmark = pytest.mark.slow

Scenario = Callable[[str, str], Awaitable[None]]

STOCK, OURS = "stock", "ours"
_LONGEST_S = 50.0
_played: list[tuple[str, Scenario]] = []
_played_on: dict[str, str] = {}


def over(*transports: str, only_on: str = "") -> Callable[[Scenario], Scenario]:
    """Have a scenario played over these transports; on both engines, or only on one."""

    def add(scenario: Scenario) -> Scenario:
        _played_on[scenario.__name__] = only_on
        _played.extend((transport, scenario) for transport in transports)
        return scenario

    return add


def once(records: list[Record]) -> bool:
    return len({record[:2] for record in records}) == len(records)


def of(records: list[Record], partition: int) -> list[Record]:
    return [record for record in records if record.partition == partition]


@over(STOCK, OURS)
async def the_same_records_in_the_same_order(broker: str, transport: str) -> None:
    topic = Topic(broker, 3)
    sent = await topic.send(20)
    async with reading(Reader(transport, topic)) as reader:
        sent += await topic.send(5, [1, 2], compression_type="gzip")
        await reader.until(lambda: len(reader.seen) >= len(sent))
        for partition in range(3):
            assert of(reader.seen, partition) == of(sent, partition)
        assert await reader.commit() == {0: 20, 1: 25, 2: 25}


@over(STOCK, OURS)
async def commits_cover_what_is_acknowledged_up_to_the_first_that_is_not(broker: str, transport: str) -> None:
    topic = Topic(broker)
    await topic.send(3)
    async with reading(Reader(transport, topic)) as reader:
        await reader.until(lambda: len(reader.seen) == 3)
        assert await reader.commit() == {0: 3}

        reader.acks = lambda record: record.offset >= 9
        await topic.send(12)
        await reader.until(lambda: len(reader.seen) == 15)
        assert await reader.commit() == {0: 3}  # the first six are still on their way
        for taken in reader.taken:
            if 6 <= taken.records[0].offset < 9:
                taken.ack()
        assert await reader.commit() == {0: 3}
        for taken in reader.taken:
            if 3 <= taken.records[0].offset < 6:
                taken.ack()
        assert await reader.commit() == {0: 15}
        assert reader.offsets() == list(range(15))


@over(OURS)
async def acknowledged_out_of_order_in_a_fresh_group(broker: str, transport: str) -> None:
    topic = Topic(broker)
    await topic.send(9)
    async with reading(Reader(transport, topic, acks=lambda record: record.offset >= 3)) as reader:
        await reader.until(lambda: len(reader.seen) == 9)
        assert len(reader.taken) > 1
        assert await reader.commit() == {}
        reader.taken[0].ack()
        assert await reader.commit() == {0: 9}
        assert reader.committed == [(0, 9)]


@over(STOCK, OURS)
async def so_many_acknowledgements_are_committed_without_waiting_for_the_interval(broker: str, transport: str) -> None:
    topic = Topic(broker)
    await topic.send(30)
    async with reading(Reader(transport, topic, commit_every=10)) as reader:
        await reader.until(lambda: len(reader.seen) == 30)
        found = await topic.committed()
        assert found[0] >= 10  # nobody called commit, and the interval is ten minutes


@over(STOCK, OURS)
async def a_second_reader_joins_and_leaves(broker: str, transport: str) -> None:
    topic = Topic(broker, 4)
    held = {(partition, offset) for partition in range(4) for offset in (4, 5)}
    acked: dict[int, set[int]] = {partition: set() for partition in range(4)}

    def unless_held(record: Record) -> bool:
        if (record.partition, record.offset) in held:
            return False
        acked[record.partition].add(record.offset)
        return True

    sent = await topic.send(4)
    async with reading(Reader(transport, topic, acks=unless_held)) as first:
        await first.until(lambda: len(first.seen) == 16)
        assert await first.commit() == dict.fromkeys(range(4), 4)
        sent += await topic.send(2)
        await first.until(lambda: len(first.seen) == 24)
        assert await first.commit() == dict.fromkeys(range(4), 4)
        unfinished, before = [taken for taken in first.taken if taken.records[0].offset >= 4], len(first.seen)

        async with reading(Reader(transport, topic, acks=unless_held), 2) as second:
            await first.until(lambda: len(first.partitions()) == 2)
            assert first.partitions().isdisjoint(second.partitions())
            await second.until(lambda: len(second.seen) == 4)  # what was not acknowledged, again
            await first.until(lambda: len(first.seen) == before + 4)
            assert once(first.seen[before:] + second.seen)
            assert {(r.partition, r.offset) for r in first.seen[before:] + second.seen} == held

            moved = second.partitions()
            for taken in unfinished:  # too late where the partition has gone: that is the other's to finish
                taken.ack()
            await first.consumer.commit()
            found = await topic.committed()
            assert {partition: found[partition] for partition in moved} == dict.fromkeys(moved, 4)

            held.clear()
            for taken in second.taken + first.taken:
                taken.ack()
            sent += await topic.send(3)
            await second.until(lambda: len(second.seen) == 4 + 6)
            await first.until(lambda: len(first.seen) == before + 4 + 6)
            await second.consumer.commit()
            assert await first.commit() == dict.fromkeys(range(4), 9)

        await first.until(lambda: len(first.partitions()) == 4)
        sent += await topic.send(2)
        await first.until(lambda: len(first.seen) == before + 4 + 6 + 8)
        assert await first.commit() == dict.fromkeys(range(4), 11)

        seen = first.seen + second.seen
        assert {record[:2] for record in seen} == {record[:2] for record in sent}
        assert len(seen) == len(sent) + 8  # the eight that were held, and nothing else, came twice
        for partition in second.partitions():
            assert second.offsets(partition) == sorted(second.offsets(partition))


@over(STOCK, OURS)
async def a_paused_partition_waits_and_the_others_do_not(broker: str, transport: str) -> None:
    topic = Topic(broker, 2)
    async with reading(Reader(transport, topic)) as reader:
        reader.consumer.pause_partitions({topic.tp(0)})
        sent = await topic.send(8)
        await reader.until(lambda: len(reader.offsets(1)) == 8)
        assert reader.offsets(0) == []
        reader.consumer.resume_partitions({topic.tp(0)})
        await reader.until(lambda: len(reader.seen) >= len(sent))
        assert (reader.offsets(0), reader.offsets(1)) == (list(range(8)), list(range(8)))
        assert await reader.commit() == {0: 8, 1: 8}


@over(OURS)
async def pausing_in_mid_flight_loses_and_doubles_nothing(broker: str, transport: str) -> None:
    topic = Topic(broker, 2)
    await topic.send(3)
    async with reading(Reader(transport, topic, queue=1)) as reader:
        await reader.until(lambda: len(reader.seen) == 6)
        reader.gate.clear()
        await topic.send(12)
        await reader.until(lambda: reader.consumer.unfinished() >= 2)  # the queue is full, more is fetched
        reader.consumer.pause_partitions({topic.tp(0)})
        reader.gate.set()
        await reader.until(lambda: len(reader.offsets(1)) == 15)
        assert len(reader.offsets(0)) < 15
        reader.consumer.resume_partitions({topic.tp(0)})
        await reader.until(lambda: len(reader.seen) >= 30)
        assert (reader.offsets(0), reader.offsets(1)) == (list(range(15)), list(range(15)))
        assert await reader.commit() == {0: 15, 1: 15}


@over(OURS, only_on="apache_kafka")  # the embedded broker sends whole logs, whatever fetch size it is asked for
async def a_flood_waits_in_the_log_and_not_in_the_worker(broker: str, transport: str) -> None:
    fetch_bytes, record_bytes, queue = 65_536, 1_000, 2
    topic = Topic(broker, 2)
    sent = await topic.send(1_000, padding=b"." * record_bytes)
    reader = Reader(transport, topic, queue=queue, fetch_bytes=fetch_bytes)
    reader.gate.clear()  # the agent does not get on
    async with reading(reader):
        await reader.until(
            lambda: reader.consumer.unfinished() >= queue + 1 and reader.ready_in_aiokafka() == topic.width
        )
        assert reader.consumer.unfinished() <= queue + 2  # one at the agent, one that finds no room
        read = await reader.read()
        assert read <= (queue + 2) * AT_ONCE + topic.width * (fetch_bytes // record_bytes)
        assert (await reader.read(), reader.ready_in_aiokafka()) == (read, topic.width)
        reader.gate.set()
        await reader.until(lambda: len(reader.seen) >= len(sent))
        for partition in range(2):
            assert of(reader.seen, partition) == of(sent, partition)
        assert await reader.commit() == {0: 1_000, 1: 1_000}


@over(OURS)
async def stopping_the_flow_loses_nothing_and_doubles_what_was_not_acknowledged(broker: str, transport: str) -> None:
    await _stop_and_resume(broker, transport, queue=8)


@over(OURS)
async def stopping_the_flow_with_a_full_queue_too(broker: str, transport: str) -> None:
    await _stop_and_resume(broker, transport, queue=1)


async def _stop_and_resume(broker: str, transport: str, queue: int) -> None:
    topic = Topic(broker, 2)
    await topic.send(3)
    async with reading(Reader(transport, topic, queue=queue)) as reader:
        await reader.until(lambda: len(reader.seen) == 6)
        assert await reader.commit() == {0: 3, 1: 3}
        reader.gate.clear()
        await topic.send(12)
        await reader.until(lambda: reader.consumer.unfinished() >= 2)
        reader.consumer.stop_flow()
        before = len(reader.seen)
        reader.gate.set()
        sent = await topic.send(1)
        reader.consumer.resume_flow()
        await reader.until(lambda: all(record in reader.seen for record in sent))
        assert before == 6
        for partition in range(2):
            found = reader.offsets(partition)
            assert sorted(set(found)) == list(range(16))
            assert found[:3] == [0, 1, 2]
            assert found.count(0) == 1  # committed before the flow was stopped
        await reader.until(lambda: reader.consumer.unfinished() == 0)
        assert await reader.commit() == {0: 16, 1: 16}


@over(STOCK, OURS)
async def a_clean_shutdown_commits_what_was_acknowledged(broker: str, transport: str) -> None:
    topic = Topic(broker)
    await topic.send(12)
    async with reading(Reader(transport, topic, acks=lambda record: record.offset < 6)) as first:
        await first.until(lambda: len(first.seen) == 12)
        assert await topic.committed() == {}
    assert await topic.committed() == {0: 6}
    async with reading(Reader(transport, topic)) as second:
        await second.until(lambda: len(second.seen) == 6)
        assert second.offsets() == list(range(6, 12))
    assert await topic.committed() == {0: 12}


@over(OURS)
async def a_drain_hands_on_nothing_more_and_waits_for_what_was(broker: str, transport: str) -> None:
    topic = Topic(broker)
    await topic.send(6)
    async with reading(Reader(transport, topic, acks=lambda record: record.offset < 3)) as reader:
        await reader.until(lambda: len(reader.seen) == 6)
        draining = asyncio.ensure_future(reader.consumer.drain(30.0))
        await asyncio.sleep(0)
        assert reader.consumer._draining
        await topic.send(6)
        reader.taken[-1].ack()
        assert await draining
        assert await topic.committed() == {0: 6}
        assert reader.offsets() == list(range(6))
    async with reading(Reader(transport, topic)) as second:
        await second.until(lambda: len(second.seen) == 6)
        assert second.offsets() == list(range(6, 12))


@over(OURS)
async def reading_begins_where_the_state_says(broker: str, transport: str) -> None:
    asked: list[tuple[int, int | None, int]] = []
    begin = {0: 2, 1: 9, 2: 0, 3: 7}

    async def start(tp: TP, committed: int | None, log_start: int) -> int:
        asked.append((tp.partition, committed, log_start))
        return begin[tp.partition]

    topic = Topic(broker, 4)
    await topic.send(6)
    async with reading(Reader(transport, topic)) as before:
        await before.until(lambda: len(before.seen) == 24)
    await topic.send(6)
    async with reading(Reader(transport, topic, start_offset=start)) as reader:
        await reader.until(lambda: len(reader.seen) >= 10 + 3 + 12 + 5)
        for partition, first in begin.items():
            assert reader.offsets(partition) == list(range(first, 12))
        assert await reader.commit() == dict.fromkeys(range(4), 12)
    assert asked == [(partition, 6, 0) for partition in range(4)]  # once each


@over(OURS)
async def in_a_fresh_group_too(broker: str, transport: str) -> None:
    asked: list[tuple[int, int | None, int]] = []

    async def start(tp: TP, committed: int | None, log_start: int) -> int:
        asked.append((tp.partition, committed, log_start))
        return 4

    topic = Topic(broker)
    await topic.send(6)
    async with reading(Reader(transport, topic, start_offset=start)) as reader:
        await reader.until(lambda: len(reader.seen) >= 2)
        assert reader.offsets() == [4, 5]
        assert await reader.commit() == {0: 6}
    assert asked == [(0, None, 0)]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("embedded_broker", marks=pytest.mark.broker),
        pytest.param("apache_kafka", marks=pytest.mark.kafka),
    ],
)
def stage(request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, str], Future[None]]]:
    """The scenarios that were asked for on this engine, all begun."""
    broker: str = request.getfixturevalue(request.param)
    asked = {item.name for item in request.session.items}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stage")
    thread.start()

    async def play(transport: str, scenario: Scenario) -> None:
        async with asyncio.timeout(_LONGEST_S):
            await scenario(broker, transport)

    begun = {
        (transport, scenario.__name__): asyncio.run_coroutine_threadsafe(play(transport, scenario), loop)
        for transport, scenario in _played
        if _played_on[scenario.__name__] in request.param
        and any(request.param in name and f"{transport}-{scenario.__name__}]" in name for name in asked)
    }
    yield begun
    for future in begun.values():
        future.cancel()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.parametrize(("transport", "scenario"), [(kind, found.__name__) for kind, found in _played])
def test_contract(stage: dict[tuple[str, str], Future[None]], transport: str, scenario: str) -> None:
    if (transport, scenario) not in stage:
        pytest.skip(f"{scenario} is played on {_played_on[scenario]} only")
    stage[transport, scenario].result(_LONGEST_S + 5)
