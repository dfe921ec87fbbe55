"""The pieces of Kafka's record batches (magic 2), written by compiled kernels: numbers, bytes, a batch's header.

What is made of them: :mod:`trendloom.record_batches` for lists, ``producers/packed_load.py`` for a load test's
purchases. The format is that of https://kafka.apache.org/documentation/#recordbatch. Needs numba (the extra ``fast``).
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["CRC_TABLES", "HEADER_BYTES", "copy_bytes", "number_batch", "put_header", "put_varint", "varint_bytes"]

Bytes = npt.NDArray[np.uint8]
Tables = npt.NDArray[np.uint32]

#: Compiled once and kept on disk; other threads may run meanwhile. Bytes are addressed by ``np.uintp``: with an index
#: that may be negative each one costs a test, and no two are moved at once (twice the time, measured).
jit = numba.njit(cache=True, nogil=True, error_model="numpy")

#: Bytes of a batch before its first record.
HEADER_BYTES = 61
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


#: What :func:`put_header` and :func:`number_batch` compute checksums with.
CRC_TABLES = _crc_tables()


@jit
def varint_bytes(number: int) -> int:
    """Return how many bytes :func:`put_varint` takes for a number.

    >>> varint_bytes(63), varint_bytes(64), varint_bytes(-64)
    (1, 2, 1)
    """
    left, size = (number << 1) ^ (number >> 63), 1
    while left > 0x7F:
        left >>= 7
        size += 1
    return size


@jit
def put_varint(out: Bytes, at: int, number: int) -> int:
    """Write a number in zigzag form, seven bits a byte, and return where the next byte goes.

    >>> out = np.zeros(2, np.uint8)
    >>> put_varint(out, 0, 150), out.tolist()  # 2 * 150 = 300 = 2 * 128 + 44
    (2, [172, 2])
    """
    left = (number << 1) ^ (number >> 63)
    while left > 0x7F:
        out[np.uintp(at)] = (left & 0x7F) | 0x80
        left >>= 7
        at += 1
    out[np.uintp(at)] = left
    return at + 1


@jit
def copy_bytes(out: Bytes, at: int, source: Bytes, start: int, end: int) -> int:
    """Write ``source[start:end]``, and return where the next byte goes.

    >>> out = np.zeros(3, np.uint8)
    >>> copy_bytes(out, 1, np.arange(9, dtype=np.uint8), 4, 6), out.tolist()
    (3, [0, 4, 5])
    """
    for place in range(end - start):
        out[np.uintp(at + place)] = source[np.uintp(start + place)]
    return at + end - start


@jit
def _big_endian(out: Bytes, at: int, size: int, number: int) -> None:
    for place in range(size):
        out[np.uintp(at + place)] = (number >> (8 * (size - 1 - place))) & 0xFF


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
def put_header(out: Bytes, head: int, end: int, count: int, first_ms: int, last_ms: int, tables: Tables) -> None:
    """Write the header of a batch whose ``count`` records lie in ``out[head + HEADER_BYTES : end]``, checksum included.

    ``first_ms`` is the first record's time, ``last_ms`` the latest; the batch is of no numbered producer. ``tables``
    are :data:`CRC_TABLES`.
    """
    _big_endian(out, head, _LENGTH, 0)  # the first offset is the broker's to say
    _big_endian(out, head + _LENGTH, 4, end - head - _LEADER_EPOCH)
    _big_endian(out, head + _LEADER_EPOCH, 4, -1)
    _big_endian(out, head + _MAGIC, 1, 2)
    _big_endian(out, head + _ATTRIBUTES, 2, 0)
    _big_endian(out, head + _LAST_OFFSET, 4, count - 1)
    _big_endian(out, head + _FIRST_MS, 8, first_ms)
    _big_endian(out, head + _LAST_MS, 8, last_ms)
    _big_endian(out, head + _RECORDS, 4, count)
    number_batch(out, head, end, -1, -1, 0, tables)


@jit
def number_batch(
    out: Bytes, head: int, end: int, producer_id: int, producer_epoch: int, sequence: int, tables: Tables
) -> None:
    """Say which producer made the batch in ``out[head:end]``, and its first record's number; renew the checksum."""
    _big_endian(out, head + _PRODUCER_ID, 8, producer_id)
    _big_endian(out, head + _PRODUCER_EPOCH, 2, producer_epoch)
    _big_endian(out, head + _SEQUENCE, 4, sequence)
    _big_endian(out, head + _CRC, 4, _crc32c(out, head + _ATTRIBUTES, end, tables))
