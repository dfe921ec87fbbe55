import asyncio
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
)
from aiokafka.partitioner import DefaultPartitioner

from agents.publishing import Publisher, Records, compiled_packer
from tests.fake_producer import FakeProducer
from tests.quick_loop import QuickLoop
from trendloom.errors import BrokerUnavailable
from trendloom.refresh.lists import Joined


def timed(work: Coroutine[Any, Any, None]) -> float:
    """Run it and return how long it would have taken, in seconds."""

    async def clocked() -> float:
        start_s = asyncio.get_running_loop().time()
        await work
        return asyncio.get_running_loop().time() - start_s

    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        return runner.run(clocked())


def publisher_of(producer: FakeProducer, *, retry_budget_s: float = 60.0) -> Publisher:
    return Publisher(lambda: producer, retry_budget_s=retry_budget_s)


def partition_of(key: bytes, count: int) -> int:
    everywhere = list(range(count))
    return int(DefaultPartitioner()(key, everywhere, everywhere))


def test_records_go_to_the_partitions_of_their_keys_in_whole_batches_and_in_order() -> None:
    producer = FakeProducer({"lists": 4})
    records = [(b"ann", b"%d" % n) for n in range(7)] + [(b"eve", b"b")]
    asyncio.run(publisher_of(producer).publish("lists", records, 1234))
    ann = partition_of(b"ann", 4)
    assert partition_of(b"eve", 4) != ann
    batches = [found for topic, partition, found in producer.sent if partition == ann]
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert [record for batch in batches for record in batch] == [(*record, 1234) for record in records[:7]]
    assert [(topic, found) for topic, partition, found in producer.sent if partition == partition_of(b"eve", 4)] == [
        ("lists", [(b"eve", b"b", 1234)])
    ]


def test_the_number_of_partitions_is_asked_for_once() -> None:
    producer = FakeProducer({"lists": 4})
    publisher = publisher_of(producer)

    async def check() -> None:
        assert await publisher.partitions("lists") == 4
        for _ in range(3):
            await publisher.publish("lists", [(b"k", b"v")], 0)

    asyncio.run(check())
    assert producer.asked == 1


def test_nothing_to_publish_sends_nothing() -> None:
    producer = FakeProducer({"lists": 4})
    asyncio.run(publisher_of(producer).publish("lists", [], 0))
    assert producer.sent == []


@pytest.mark.parametrize("late", [False, True])
def test_a_broker_that_comes_back_is_asked_again_with_growing_pauses_and_gets_each_record_once(late: bool) -> None:
    producer = FakeProducer({"lists": 1}, late=late)
    publisher = publisher_of(producer)
    asyncio.run(publisher.publish("lists", [(b"k", b"0")], 0))
    producer.faults = [KafkaConnectionError(), KafkaTimeoutError(), NotLeaderForPartitionError()]
    taken_s = timed(publisher.publish("lists", [(b"k", b"%d" % n) for n in range(1, 5)], 0))
    assert [value for _, _, batch in producer.sent for _, value, _ in batch] == [b"0", b"1", b"2", b"3", b"4"]
    assert taken_s == pytest.approx(0.1 + 0.2 + 0.4, abs=0.2)


def test_a_broker_that_does_not_come_back_is_given_up_within_the_budget() -> None:
    producer = FakeProducer({"lists": 1})
    publisher = publisher_of(producer, retry_budget_s=30.0)

    async def check() -> None:
        await publisher.publish("lists", [(b"k", b"0")], 0)
        producer.faults = [KafkaConnectionError() for _ in range(1000)]
        with pytest.raises(BrokerUnavailable, match=r"does not take records for lists .*30 s\. Action: start it"):
            await publisher.publish("lists", [(b"k", b"1")], 0)

    assert 20.0 < timed(check()) <= 31.0
    assert 980 < len(producer.faults) < 1000


def test_a_broker_that_is_away_while_partitions_are_asked_for() -> None:
    producer = FakeProducer({"lists": 2})
    producer.faults = [KafkaConnectionError()]

    async def check() -> None:
        assert await publisher_of(producer).partitions("lists") == 2

    assert timed(check()) == pytest.approx(0.1, abs=0.1)


def test_a_fault_that_no_repetition_mends_is_raised_at_once() -> None:
    producer = FakeProducer({"lists": 1})
    publisher = publisher_of(producer)

    async def check() -> None:
        await publisher.partitions("lists")
        producer.faults = [MessageSizeTooLargeError(), MessageSizeTooLargeError()]
        with pytest.raises(MessageSizeTooLargeError):
            await publisher.publish("lists", [(b"k", b"1")], 0)

    assert timed(check()) < 0.1
    assert len(producer.faults) == 1


def test_a_record_that_fits_into_no_batch_is_a_fault_not_an_endless_loop() -> None:
    producer = FakeProducer({"lists": 1})
    with pytest.raises(ValueError, match="1000001 bytes does not fit"):
        asyncio.run(publisher_of(producer).publish("lists", [(b"k", b"x" * 1_000_001)], 0))


def test_those_who_publish_at_once_keep_their_order_though_the_first_has_to_send_again() -> None:
    async def check() -> None:
        producer = FakeProducer({"t": 1}, room=2)
        producer.faults = [NotLeaderForPartitionError(), NotLeaderForPartitionError()]
        publisher = publisher_of(producer)
        publisher._partitions["t"] = 1  # known from an earlier send
        records = [[(b"k", str(number).encode())] * 3 for number in range(3)]
        await asyncio.gather(*(publisher.publish("t", some, 5) for some in records))
        assert producer.values("t") == [b"0"] * 3 + [b"1"] * 3 + [b"2"] * 3

    timed(check())


def lists_of(records: list[tuple[bytes, bytes]]) -> Records:
    values = [value for _, value in records]
    ends = np.cumsum([0, *map(len, values)], dtype=np.int64)
    return Records([key for key, _ in records], Joined(b"".join(values), ends))


def packing(producer: FakeProducer, *, retry_budget_s: float = 60.0) -> Publisher:
    pytest.importorskip("numba", reason="the extra fast is not installed")
    return Publisher(lambda: producer, retry_budget_s=retry_budget_s, packer=compiled_packer())


@pytest.mark.timeout(120)  # the first one compiles the kernel
@pytest.mark.parametrize("count", [1, 63, 500])
def test_packed_records_are_those_that_go_one_by_one(count: int) -> None:
    records = [(b"customer-%d" % (n % 17), b"list %d" % n) for n in range(count)]
    one_by_one, packed = FakeProducer({"lists": 4}, room=1000), FakeProducer({"lists": 4}, room=1000)
    asyncio.run(publisher_of(one_by_one).publish("lists", records, 1234))
    asyncio.run(packing(packed).publish("lists", lists_of(records), 1234))
    assert sorted(packed.sent) == sorted(one_by_one.sent)
    assert list(lists_of(records)) == records == lists_of(records)[:]
    assert lists_of(records)[count - 1] == records[-1]


@pytest.mark.timeout(120)
def test_packed_records_are_sent_again_until_they_are_taken() -> None:
    producer = FakeProducer({"lists": 1}, late=True)
    producer.faults = [NotLeaderForPartitionError(), KafkaTimeoutError()]
    publisher = packing(producer)
    publisher._partitions["lists"] = 1
    asyncio.run(publisher.publish("lists", lists_of([(b"ann", b"1"), (b"bob", b"2")]), 7))
    assert producer.sent == [("lists", 0, [(b"ann", b"1", 7), (b"bob", b"2", 7)])]


@pytest.mark.timeout(120)
def test_large_lists_go_in_several_batches_and_in_order() -> None:
    producer = FakeProducer({"lists": 1})
    records = [(b"ann", b"%d" % n * 150_000) for n in range(10)]
    asyncio.run(packing(producer).publish("lists", lists_of(records), 7))
    assert [len(batch) for _, _, batch in producer.sent] == [6, 4]
    assert [(key, value) for _, _, batch in producer.sent for key, value, _ in batch] == records


@pytest.mark.timeout(120)
def test_what_is_packed_beside_the_event_loop_is_not_overtaken() -> None:
    producer = FakeProducer({"lists": 2}, room=10_000)
    publisher = packing(producer)
    parts = [[(b"ann", b"%d" % n) for n in range(5_000)], [(b"ann", b"5000")], [(b"ann", b"5001")]]

    async def check() -> None:
        kinds = [lists_of(parts[0]), lists_of(parts[1]), parts[2]]  # in a thread, at once, and one by one
        await asyncio.gather(*(publisher.publish("lists", records, 7) for records in kinds))

    asyncio.run(check())
    assert producer.values("lists") == [b"%d" % n for n in range(5_002)]
