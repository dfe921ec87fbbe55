"""Kafka's record batches (magic 2), written whole by a compiled kernel for those who have numba (the extra ``fast``).

The bytes are those of aiokafka's builder, which stays the reference in the tests: uncompressed, without headers, of no
transaction, all records of one time. The interpreter is free meanwhile, checksum included. The format is that of
https://kafka.apache.org/documentation/#recordbatch; nothing here speaks Kafka.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from trendloom.batch_bytes import CRC_TABLES, HEADER_BYTES, copy_bytes, put_header, put_varint, varint_bytes

__all__ = ["RecordBatch", "record_batches"]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

#: Compiled once and kept on disk; other threads may run meanwhile.
jit = numba.njit(cache=True, nogil=True, error_model="numpy")

#: A record beside its key and value: its length, attributes, time, offset, two lengths, and how many headers.
_RECORD_BYTES = 5 + 1 + 1 + 5 + 5 + 5 + 1


class RecordBatch(NamedTuple):
    """A batch as it goes into a produce request: the partition it is for, how many records it holds, and its bytes."""

    partition: int
    records: int
    raw: memoryview


def record_batches(
    keys: Sequence[bytes], values: bytes, ends: Ints, partitions: npt.NDArray[np.int32], at_ms: int, most_bytes: int
) -> list[RecordBatch]:
    r"""Return records as batches, those of a partition in their order; record i is ``values[ends[i]:ends[i + 1]]``.

    ``partitions`` (R,) says where each belongs, ``at_ms`` when all were made. A batch has at most ``most_bytes``
    unless it is of one record. Raises ``ValueError`` if there are not as many keys, ends and partitions.

    >>> made = record_batches([b"ann", b"eve"], b"onetwo", np.array([0, 3, 6]), np.array([1, 1], np.int32), 5, 1000)
    >>> [(batch.partition, batch.records, len(batch.raw), bytes(batch.raw[-5:])) for batch in made]
    [(1, 2, 87, b'\x06two\x00')]
    """
    if not len(keys) == partitions.size == ends.size - 1:
        msg = f"{len(keys)} keys, {partitions.size} partitions and {ends.size - 1} values"
        raise ValueError(msg)
    order = np.argsort(partitions, kind="stable")
    joined = b"".join(keys)
    key_ends = np.zeros(len(keys) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, keys), np.int64, len(keys)), out=key_ends[1:])
    room = len(joined) + len(values) + (_RECORD_BYTES + HEADER_BYTES) * len(keys)
    out = np.empty(room + 8, np.uint8)
    of_batch = np.zeros((len(keys) + 1, 3), np.int64)
    made = _write(
        np.frombuffer(joined, np.uint8),
        key_ends,
        np.frombuffer(values, np.uint8),
        np.ascontiguousarray(ends, np.int64),
        order,
        np.ascontiguousarray(partitions[order], np.int64),
        at_ms,
        most_bytes,
        CRC_TABLES,
        out,
        of_batch,
    )
    found, raw = of_batch[: made + 1].tolist(), out.data
    return [RecordBatch(where, records, raw[start:end]) for (start, *_), (end, where, records) in pairwise(found)]


@jit
def _write(
    keys: Bytes,
    key_ends: Ints,
    values: Bytes,
    ends: Ints,
    order: Ints,
    partitions: Ints,
    at_ms: int,
    most_bytes: int,
    tables: npt.NDArray[np.uint32],
    out: Bytes,
    of_batch: Ints,
) -> int:
    """Write all batches one after the other; note of each where it ends, its partition and its records (E, 3)."""
    made, at, row = 0, 0, 0
    while row < order.size:
        partition, head, count = partitions[row], at, 0
        at += HEADER_BYTES
        while row < order.size and partitions[row] == partition:
            one = order[row]
            key_size, size = key_ends[one + 1] - key_ends[one], ends[one + 1] - ends[one]
            body = 3 + varint_bytes(count) + varint_bytes(key_size) + key_size + varint_bytes(size) + size
            if count and at - head + varint_bytes(body) + body > most_bytes:
                break
            at = put_varint(out, at, body)
            at = put_varint(out, at, 0)  # attributes
            at = put_varint(out, at, 0)  # milliseconds after the batch's first record
            at = put_varint(out, at, count)
            at = put_varint(out, at, key_size)
            at = copy_bytes(out, at, keys, key_ends[one], key_ends[one + 1])
            at = put_varint(out, at, size)
            at = copy_bytes(out, at, values, ends[one], ends[one + 1])
            at = put_varint(out, at, 0)  # headers
            count += 1
            row += 1
        put_header(out, head, at, count, at_ms, at_ms, tables)
        made += 1
        of_batch[made, 0], of_batch[made, 1], of_batch[made, 2] = at, partition, count
    return made
