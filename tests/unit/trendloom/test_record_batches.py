"""Record batches against aiokafka's builder, byte by byte."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba", reason="the extra fast is not installed")

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from trendloom.record_batches import record_batches

NOW_MS = 1_600_000_000_123
Record = tuple[bytes, bytes, int]
RECORDS = st.lists(st.tuples(st.binary(max_size=70), st.binary(max_size=300), st.integers(0, 3)), max_size=150)


def ours(records: list[Record], most_bytes: int) -> list[tuple[int, int, bytes]]:
    values = [value for _, value, _ in records]
    made = record_batches(
        [key for key, _, _ in records],
        b"".join(values),
        np.cumsum([0, *map(len, values)], dtype=np.int64),
        np.array([partition for *_, partition in records], np.int32),
        NOW_MS,
        most_bytes,
    )
    return [(batch.partition, batch.records, bytes(batch.raw)) for batch in made]


def built(records: list[Record]) -> bytes:
    builder = BatchBuilder(1 << 30, 0)
    for key, value, _ in records:
        assert builder.append(key=key, value=value, timestamp=NOW_MS) is not None
    return bytes(builder._build())


@given(records=RECORDS, most_bytes=st.sampled_from([100, 400, 5_000, 1_000_000]))
def test_batches_are_those_of_the_builder_and_as_full_as_may_be(records: list[Record], most_bytes: int) -> None:
    waiting = sorted(records, key=lambda record: record[2])
    for partition, count, raw in ours(records, most_bytes):
        assert {record[2] for record in waiting[:count]} == {partition}
        assert raw == built(waiting[:count])
        assert len(raw) <= most_bytes or count == 1
        if len(waiting) > count and waiting[count][2] == partition:
            assert len(built(waiting[: count + 1])) > most_bytes
        waiting = waiting[count:]
    assert not waiting


def test_what_a_consumer_reads_is_what_was_packed() -> None:
    rng = np.random.default_rng(1)
    records = [(b"k%d" % n, rng.bytes(int(rng.integers(20_000))), n % 2) for n in range(200)]
    read: list[Record] = []
    for partition, count, raw in ours(records, 100_000):
        packed = MemoryRecords(raw)
        batch = packed.next_batch()
        assert batch is not None
        assert batch.validate_crc()
        found = list(batch)
        assert [record.offset for record in found] == list(range(count))
        assert {record.timestamp for record in found} == {NOW_MS}
        read += [(record.key or b"", record.value or b"", partition) for record in found]
        assert not packed.has_next()
    assert read == sorted(records, key=lambda record: record[2])


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="1 keys, 2 partitions and 1 values"):
        record_batches([b"k"], b"v", np.array([0, 1]), np.array([0, 0], np.int32), NOW_MS, 1000)
