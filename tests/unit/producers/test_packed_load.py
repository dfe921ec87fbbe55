"""Packed purchases against aiokafka's builder, byte by byte."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pytest

pytest.importorskip("numba", reason="the extra fast is not installed")

from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from producers.load_batches import AppendedLoad
from producers.load_records import Drawn, LoadRecord, LoadRecords
from producers.packed_load import LoadPacker, PackedBatch, PackedLoad

NOW_MS = 1_600_000_000_123
ITEMS = ["tee", 'a "quoted" one', "naïve-Größe-猫", "x" * 128]
CUSTOMERS = 12_345_678  # eight digits
RECORDS = LoadRecords(ITEMS, customers=3, exponent=1.0, seed=3, run=uuid.UUID(int=2**127), partitions=1)
RECORDS.customer_digits = len(str(CUSTOMERS))
ROWS = st.lists(
    st.tuples(
        st.integers(0, 16**12 - 1),
        st.integers(0, CUSTOMERS - 1),
        st.integers(0, len(ITEMS) - 1),
        st.integers(NOW_MS, NOW_MS + 3_000) | st.integers(0, 10**14),
    ),
    min_size=1,
    max_size=60,
)


class Producer:
    """What is asked of aiokafka's: an empty batch."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(self._most_bytes, 0)


@lru_cache
def packer(most_bytes: int) -> LoadPacker:
    return LoadPacker(RECORDS, most_bytes)


def drawn(rows: Sequence[tuple[int, int, int, int]]) -> Drawn:
    return Drawn(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))


def built(records: Sequence[LoadRecord]) -> BatchBuilder:
    batch = BatchBuilder(1 << 30, 0)
    for key, value, ms, headers in records:
        assert batch.append(timestamp=ms, key=key, value=value, headers=headers) is not None
    batch.close()
    return batch


@given(rows=ROWS, most_bytes=st.sampled_from([100, 900, 5_000, 262_144]))
def test_batches_are_those_of_the_builder_and_as_full_as_may_be(
    rows: list[tuple[int, int, int, int]], most_bytes: int
) -> None:
    records = RECORDS.encode(drawn(rows))
    raw, count = packer(most_bytes).pack(drawn(rows))
    assert raw.tobytes() == bytes(built(records[:count])._build())
    assert raw.size <= most_bytes or count == 1
    assert count == len(rows) or built(records[: count + 1]).size() > most_bytes


@given(rows=ROWS, cuts=st.lists(st.integers(0, 60), max_size=4), most_bytes=st.sampled_from([900, 262_144]))
def test_packed_and_appended_batches_hold_the_same(
    rows: list[tuple[int, int, int, int]], cuts: list[int], most_bytes: int
) -> None:
    producer = Producer(most_bytes)
    for waiting in (PackedLoad(packer(most_bytes)), AppendedLoad(RECORDS)):
        for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(rows)], strict=True):
            if rows[start:end]:
                waiting.add(drawn(rows[start:end]))
        taken: list[LoadRecord] = []
        expected = RECORDS.encode(drawn(rows))
        while waiting:
            batch, count = waiting.take(producer)
            assert batch.closed()
            assert batch.record_count() == count > 0
            assert bytes(batch._build()) == bytes(built(expected[len(taken) : len(taken) + count])._build())
            taken += expected[len(taken) : len(taken) + count]
        assert taken == expected


def test_a_batch_says_who_sends_it_as_the_builders_does() -> None:
    some = drawn([(n, n, n % len(ITEMS), NOW_MS + n) for n in range(50)])
    raw, count = packer(262_144).pack(some)
    ours, theirs = PackedBatch(raw, count), built(RECORDS.encode(some))
    for batch in (ours, theirs):
        batch._set_producer_state(4_000_000_007, 3, 2_000_000_001)
    assert ours.size() == len(theirs._build())
    assert bytes(ours._build()) == bytes(theirs._build())
