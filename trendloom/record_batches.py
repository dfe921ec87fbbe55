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

__all__ = ["RecordBatch", "record_batches"]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

#: Compiled once and kept on disk; other threads may run meanwhile.
jit = numba.njit(cache=True, nogil=True, error_model="numpy")

_HEADER_BYTES = 61
#: A record beside its key and value: its length, attributes, time, offset, two lengths, and how many headers.
_RECORD_BYTES = 5 + 1 + 1 + 5 + 5 + 5 + 1
#: Where things stand in a batch's header.
_LENGTH, _LEADER_EPOCH, _MAGIC, _CRC, _ATTRIBUTES, _LAST_OFFSET = 8, 12, 16, 17, 21, 23
_FIRST_MS, _LAST_MS, _PRODUCER_ID, _PRODUCER_EPOCH, _SEQUENCE, _RECORDS = 27, 35, 43, 51, 53, 57


def _crc_tables() -> npt.NDArray[np.uint32]:
    """Return the eight tables (8, 256) of CRC-32C: what a byte does to the checksum, and 1 to 7 bytes further on."""
    tables = np.zeros((8, 256), np.uint32)
    tables[0] = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        tables[0] = np.where(tables[0] & 1, (tables[0] >> 1) ^ np.uint32(0x82F63B78), tables[0] >> 1)
    for step in range(1, 8):
        tables[step] = (tables[step - 1] >> 8) ^ tables[0][tables[step - 1] & 255]
    return tables


_TABLES = _crc_tables()


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
    room = len(joined) + len(values) + (_RECORD_BYTES + _HEADER_BYTES) * len(keys)
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
        _TABLES,
        out,
        of_batch,
    )
    found, raw = of_batch[: made + 1].tolist(), out.data
    return [RecordBatch(where, records, raw[start:end]) for (start, *_), (end, where, records) in pairwise(found)]


@jit
def _varint_bytes(number: int) -> int:
    size, left = 1, number << 1
    while left > 0x7F:
        left >>= 7
        size += 1
    return size


@jit
def _varint(out: Bytes, at: int, number: int) -> int:
    """Write a number that is not negative in zigzag form, and return where the next byte goes."""
    left = number << 1
    while left > 0x7F:
        out[np.uintp(at)] = (left & 0x7F) | 0x80
        left >>= 7
        at += 1
    out[np.uintp(at)] = left
    return at + 1


@jit
def _big_endian(out: Bytes, at: int, size: int, number: int) -> None:
    for place in range(size):
        out[np.uintp(at + place)] = (number >> (8 * (size - 1 - place))) & 0xFF


@jit
def _copy(out: Bytes, at: int, source: Bytes, start: int, end: int) -> int:
    for place in range(end - start):
        out[np.uintp(at + place)] = source[np.uintp(start + place)]
    return at + end - start


@jit
def _crc32c(text: Bytes, start: int, end: int, tables: npt.NDArray[np.uint32]) -> int:
    """Return the CRC-32C of ``text[start:end]``, eight bytes at a time."""
    crc = np.uint32(0xFFFFFFFF)
    at = start
    while at + 8 <= end:
        crc ^= (
            np.uint32(text[np.uintp(at)])
            | np.uint32(text[np.uintp(at + 1)]) << np.uint32(8)
            | np.uint32(text[np.uintp(at + 2)]) << np.uint32(16)
            | np.uint32(text[np.uintp(at + 3)]) << np.uint32(24)
        )
        crc = (
            tables[7, np.uintp(crc & np.uint32(255))]
            ^ tables[6, np.uintp((crc >> np.uint32(8)) & np.uint32(255))]
            ^ tables[5, np.uintp((crc >> np.uint32(16)) & np.uint32(255))]
            ^ tables[4, np.uintp(crc >> np.uint32(24))]
            ^ tables[3, np.uintp(text[np.uintp(at + 4)])]
            ^ tables[2, np.uintp(text[np.uintp(at + 5)])]
            ^ tables[1, np.uintp(text[np.uintp(at + 6)])]
            ^ tables[0, np.uintp(text[np.uintp(at + 7)])]
        )
        at += 8
    while at < end:
        crc = (crc >> np.uint32(8)) ^ tables[0, np.uintp((crc ^ np.uint32(text[np.uintp(at)])) & np.uint32(255))]
        at += 1
    return int(crc ^ np.uint32(0xFFFFFFFF))


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
        at += _HEADER_BYTES
        while row < order.size and partitions[row] == partition:
            one = order[row]
            key_size, size = key_ends[one + 1] - key_ends[one], ends[one + 1] - ends[one]
            body = 3 + _varint_bytes(count) + _varint_bytes(key_size) + key_size + _varint_bytes(size) + size
            if count and at - head + _varint_bytes(body) + body > most_bytes:
                break
            at = _varint(out, at, body)
            at = _varint(out, at, 0)  # attributes
            at = _varint(out, at, 0)  # milliseconds after the batch's first record
            at = _varint(out, at, count)
            at = _varint(out, at, key_size)
            at = _copy(out, at, keys, key_ends[one], key_ends[one + 1])
            at = _varint(out, at, size)
            at = _copy(out, at, values, ends[one], ends[one + 1])
            at = _varint(out, at, 0)  # headers
            count += 1
            row += 1
        _big_endian(out, head, _LENGTH, 0)  # the first offset is the broker's to say
        _big_endian(out, head + _LENGTH, 4, at - head - _LEADER_EPOCH)
        _big_endian(out, head + _LEADER_EPOCH, 4, -1)
        _big_endian(out, head + _MAGIC, 1, 2)
        _big_endian(out, head + _ATTRIBUTES, 2, 0)
        _big_endian(out, head + _LAST_OFFSET, 4, count - 1)
        _big_endian(out, head + _FIRST_MS, 8, at_ms)
        _big_endian(out, head + _LAST_MS, 8, at_ms)
        _big_endian(out, head + _PRODUCER_ID, 8, -1)
        _big_endian(out, head + _PRODUCER_EPOCH, 2, -1)
        _big_endian(out, head + _SEQUENCE, 4, 0)
        _big_endian(out, head + _RECORDS, 4, count)
        _big_endian(out, head + _CRC, 4, _crc32c(out, head + _ATTRIBUTES, at, tables))
        made += 1
        of_batch[made, 0], of_batch[made, 1], of_batch[made, 2] = at, partition, count
    return made
