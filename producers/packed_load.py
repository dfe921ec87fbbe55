"""Purchases of one partition that wait for their batch, packed whole by a compiled kernel (the extra ``fast``).

The bytes are those of ``producers/load_batches.py`` and aiokafka's builder, a tenth of their time. Read next:
:mod:`trendloom.batch_bytes` for the pieces.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from aiokafka.producer.message_accumulator import BatchBuilder

from producers.load_records import CUSTOMER_PREFIX, Drawn, LoadRecords
from trendloom.batch_bytes import (
    CRC_TABLES,
    HEADER_BYTES,
    copy_bytes,
    number_batch,
    put_header,
    put_varint,
    varint_bytes,
)
from trendloom.events import SENT_AT_HEADER

__all__ = ["LoadPacker", "PackedBatch", "PackedLoad"]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

#: Compiled once and kept on disk; other threads may run meanwhile.
jit = numba.njit(cache=True, nogil=True, error_model="numpy")

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_NUMBER_DIGITS = 12
_ZERO = ord("0")
#: Most bytes of a record beside its texts, its customer and its item: lengths, numbers and two times.
_RECORD_BYTES = 96


class PackedBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """A batch of aiokafka's producer that is packed already: ``raw`` is its bytes, which hold so many records."""

    def __init__(self, raw: Bytes, records: int) -> None:
        super().__init__(raw.size, 0)
        self.close()
        self._raw, self._buffer, self._relative_offset = raw, raw.data, records

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        """Note who sends it, and the number of its first record; called before it is built."""
        number_batch(self._raw, 0, self._raw.size, producer_id, producer_epoch, base_sequence, CRC_TABLES)


class LoadPacker:
    """Packs drawn purchases; making one compiles the kernel, or reads what was compiled before."""

    def __init__(self, records: LoadRecords, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._digits = records.customer_digits
        self._texts = _joined([*records.texts, CUSTOMER_PREFIX, SENT_AT_HEADER.encode()])
        self._items = _joined(records.item_json)
        ends = self._items[1]
        self._room = _RECORD_BYTES + 2 * (len(CUSTOMER_PREFIX) + self._digits) + self._texts[0].size
        self._room += int(np.max(np.diff(ends), initial=0))
        self.pack(Drawn(*(np.zeros(0, np.int64) for _ in range(4))))

    def pack(self, drawn: Drawn) -> tuple[Bytes, int]:
        """Return the bytes of a batch of as many of the first purchases as it holds (one at least), and how many."""
        out = np.empty(min(self._room * drawn.numbers.size, self._most_bytes + self._room) + HEADER_BYTES, np.uint8)
        numbers, customers, items, intended_ms = (np.ascontiguousarray(column, np.int64) for column in drawn)
        end, count = _pack(
            numbers,
            customers,
            items,
            intended_ms,
            self._digits,
            *self._texts,
            *self._items,
            self._most_bytes,
            CRC_TABLES,
            out,
        )
        return out[:end], count


class PackedLoad:
    """Holds drawn purchases as the columns that they are, until a batch is wanted."""

    def __init__(self, packer: LoadPacker) -> None:
        self._packer = packer
        self._waiting: deque[Drawn] = deque()

    def add(self, drawn: Drawn) -> None:
        """Let purchases wait, behind those that do."""
        self._waiting.append(drawn)

    def __bool__(self) -> bool:
        """Return whether a purchase waits."""
        return bool(self._waiting)

    def take(self, producer: Any) -> tuple[PackedBatch, int]:
        """Return the next purchases as a closed batch, and how many they are."""
        waiting = self._waiting
        drawn = waiting[0] if len(waiting) == 1 else Drawn(*map(np.concatenate, zip(*waiting, strict=True)))
        raw, count = self._packer.pack(drawn)
        waiting.clear()
        if count < drawn.numbers.size:
            waiting.append(Drawn(*(column[count:] for column in drawn)))
        return PackedBatch(raw, count), count


def _joined(texts: Sequence[bytes]) -> tuple[Bytes, Ints]:
    """Return texts (N,) end to end, and where each begins and the last ends (N + 1,)."""
    return np.frombuffer(b"".join(texts), np.uint8), np.cumsum([0, *map(len, texts)], dtype=np.int64)


@jit
def _put_hexadecimal(out: Bytes, at: int, number: int) -> int:
    for place in range(_NUMBER_DIGITS):
        out[np.uintp(at + place)] = _HEX[np.uintp((number >> (4 * (_NUMBER_DIGITS - 1 - place))) & 15)]
    return at + _NUMBER_DIGITS


@jit
def _put_decimal(out: Bytes, at: int, number: int, digits: int) -> int:
    left = number
    for place in range(digits):
        out[np.uintp(at + digits - 1 - place)] = _ZERO + left % 10
        left //= 10
    return at + digits


@jit
def _digits_of(number: int) -> int:
    digits, left = 1, number // 10
    while left:
        digits += 1
        left //= 10
    return digits


@jit
def _pack(
    numbers: Ints,
    customers: Ints,
    items: Ints,
    intended_ms: Ints,
    customer_digits: int,
    texts: Bytes,
    text_ends: Ints,
    item_json: Bytes,
    item_ends: Ints,
    most_bytes: int,
    tables: npt.NDArray[np.uint32],
    out: Bytes,
) -> tuple[int, int]:
    """Write a batch of the first purchases; return where it ends and how many there are in it."""
    at, count, last_ms = HEADER_BYTES, 0, 0
    prefix_size, name_size = text_ends[6] - text_ends[5], text_ends[7] - text_ends[6]
    key_size = prefix_size + customer_digits
    for row in range(numbers.size):
        item, ms = items[row], int(intended_ms[row])
        ms_digits = _digits_of(ms)
        size = text_ends[5] + _NUMBER_DIGITS + key_size + item_ends[item + 1] - item_ends[item] + ms_digits
        delta_ms = ms - intended_ms[0]
        body = 1 + varint_bytes(delta_ms) + varint_bytes(count) + varint_bytes(key_size) + key_size
        body += varint_bytes(size) + size
        body += 1 + varint_bytes(name_size) + name_size + varint_bytes(ms_digits) + ms_digits
        if count and at + varint_bytes(body) + body > most_bytes:
            break
        at = put_varint(out, at, body)
        at = put_varint(out, at, 0)  # attributes
        at = put_varint(out, at, delta_ms)
        at = put_varint(out, at, count)
        at = put_varint(out, at, key_size)
        at = copy_bytes(out, at, texts, text_ends[5], text_ends[6])
        at = _put_decimal(out, at, customers[row], customer_digits)
        at = put_varint(out, at, size)
        at = copy_bytes(out, at, texts, text_ends[0], text_ends[1])
        at = _put_hexadecimal(out, at, numbers[row])
        at = copy_bytes(out, at, texts, text_ends[1], text_ends[2])
        at = copy_bytes(out, at, texts, text_ends[5], text_ends[6])
        at = _put_decimal(out, at, customers[row], customer_digits)
        at = copy_bytes(out, at, texts, text_ends[2], text_ends[3])
        at = copy_bytes(out, at, item_json, item_ends[item], item_ends[item + 1])
        at = copy_bytes(out, at, texts, text_ends[3], text_ends[4])
        at = _put_decimal(out, at, ms, ms_digits)
        at = copy_bytes(out, at, texts, text_ends[4], text_ends[5])
        at = put_varint(out, at, 1)  # headers
        at = put_varint(out, at, name_size)
        at = copy_bytes(out, at, texts, text_ends[6], text_ends[7])
        at = put_varint(out, at, ms_digits)
        at = _put_decimal(out, at, ms, ms_digits)
        last_ms = max(last_ms, ms)
        count += 1
    if count:
        put_header(out, 0, at, count, int(intended_ms[0]), last_ms, tables)
    return at, count
