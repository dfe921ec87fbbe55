"""Packed batches as a broker sends them: what is taken, in which portions, and where aiokafka is told to go on."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from agents.fetched import Fetched, Parts, Unopened

TP_0 = TP("purchases", 0)
NOW_MS = 1_600_000_000_000
GZIP = 1


class Position:
    """What aiokafka knows of a partition that it reads."""

    active = True
    paused = False

    def __init__(self, position: int) -> None:
        self.position = position

    def state_value(self, _tp: Any) -> Position:
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def packed(first: int, count: int, *, codec: int = 0, attributes: int = 0) -> bytes:
    """Return a batch of so many records, as it lies in a log."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    for place in range(count):
        offset = first + place
        headers = [("n", b"%d" % offset)]
        builder.append(place, timestamp=NOW_MS + offset, key=b"k", value=b"v%d" % offset, headers=headers)
    batch = bytearray(builder.build())
    batch[0:8] = first.to_bytes(8, "big")
    batch[22] |= attributes
    return bytes(batch)


def parts(raw: bytes, first: int = 0, *, check_crcs: bool = False) -> Parts:
    return Parts(TP_0, MemoryRecords(raw), first, check_crcs=check_crcs)


def offsets(records: list[Any]) -> list[int]:
    return [record.offset for record in records]


def test_a_record_is_what_was_sent() -> None:
    (record,) = Fetched(parts(packed(7, 1), 7)).take(9)
    assert record.offset == 7
    assert (record.timestamp, record.timestamp_type) == (NOW_MS + 7, 0)
    assert (record.key, record.value, record.headers) == (b"k", b"v7", [("n", b"7")])


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    portions=st.lists(st.integers(1, 7), min_size=1, max_size=30),
    start=st.integers(0, 29),
    codec=st.sampled_from([0, GZIP]),
)
def test_all_is_taken_once_and_in_order_however_it_is_cut(
    sizes: list[int], portions: list[int], start: int, codec: int
) -> None:
    total, raw = 0, b""
    for size in sizes:
        raw += packed(total, size, codec=codec)
        total += size
    fetched = Fetched(parts(raw, start))
    taken: list[int] = []
    for portion in [*portions, total]:
        first = fetched.first()
        some = offsets(fetched.take(portion))
        assert some[:1] == ([] if first is None else [first.offset])
        assert len(some) <= portion
        taken += some
    assert taken == list(range(start, total))
    assert fetched.first() is None
    assert fetched.take(1) == []


def test_nobody_sees_markers_of_transactions_but_reading_goes_on_behind_them() -> None:
    control = 0x20
    found = parts(packed(0, 2) + packed(2, 1, attributes=control))
    assert offsets(Fetched(found).take(9)) == [0, 1]
    assert found.next_fetch_offset == 3
    only_a_marker = parts(packed(3, 1, attributes=control), 3)
    assert list(only_a_marker) == []
    assert only_a_marker.next_fetch_offset == 4


def test_a_batch_that_was_spoilt_is_not_handed_on_where_checksums_are_checked() -> None:
    raw = packed(0, 2)
    spoilt = raw[:-1] + bytes([raw[-1] ^ 1])
    assert len(list(parts(raw, check_crcs=True))) == 1
    assert len(list(parts(spoilt))) == 1
    with pytest.raises(CorruptRecordException, match="purchases-0"):
        list(parts(raw + spoilt, check_crcs=True))


def test_aiokafka_takes_whole_fetches_and_moves_behind_them() -> None:
    store, position = Unopened(check_crcs=True), Position(1)
    records = PartitionRecords(TP_0, MemoryRecords(packed(0, 3) + packed(3, 4)), [], 1, None, None, True, 0)
    store[TP_0] = FetchResult(TP_0, assignment=position, partition_records=records, backoff=0)
    found = store[TP_0].getall(None)
    assert offsets(Fetched(found).take(99)) == [1, 2, 3, 4, 5, 6]
    assert position.position == 7
    assert not store[TP_0].has_more()
    store[TP_0] = error = object()  # what is no result stays what it is
    assert store[TP_0] is error


def test_aiokafka_returns_nothing_of_a_fetch_that_a_seek_overtook() -> None:
    store, position = Unopened(check_crcs=True), Position(0)
    records = PartitionRecords(TP_0, MemoryRecords(packed(0, 3)), [], 0, None, None, True, 0)
    store[TP_0] = FetchResult(TP_0, assignment=position, partition_records=records, backoff=0)
    position.position = 2
    assert store[TP_0].getall(None) == []
    assert position.position == 2
