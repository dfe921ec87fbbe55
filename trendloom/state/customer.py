"""A customer as the store keeps it: a purchase count, the sum of percentiles, and the last purchases, 24 bytes each.

The record is plain bytes: a header (number of purchases, sum of their popularity percentiles) and, oldest first, one
entry a purchase. It holds what trendiness, history, and the recognition of repeated event ids need, and nothing else.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

__all__ = ["ENTRY", "ENTRY_BYTES", "NO_ITEM", "Customer", "padded_entries", "store_hash", "trendiness"]

#: One purchase in a customer's history. ``event`` is a hash of its event id, ``store`` one of its store id (0: none).
ENTRY = np.dtype([("item", "<u4"), ("at_s", "<u4"), ("percentile", "<f4"), ("event", "<u8"), ("store", "<u4")])
ENTRY_BYTES = ENTRY.itemsize
#: Item number that stands for "no purchase" where histories are padded to one length.
NO_ITEM = 0xFFFF_FFFF

_HEADER = struct.Struct("<Qd")
_ENTRY = struct.Struct("<IIfQI")
_BOUGHT = struct.Struct("<II16x")
_EVENT = struct.Struct("<Q")
_EVENT_AT = 12
_PADDING = _ENTRY.pack(NO_ITEM, 0, 0.0, 0, 0)


def store_hash(store_id: str | None) -> int:
    """Return the 32 bits that stand for a store id in a history; 0 where there is none.

    >>> store_hash(None), store_hash("store-1") != store_hash("store-2")
    (0, True)
    """
    return 0 if store_id is None else zlib.crc32(store_id.encode()) or 1


def trendiness(number: int, percentile_sum: float, *, prior_mean: float, prior_weight: float) -> float:
    """Return a customer's trendiness in [0, 1]: the mean percentile of the purchases, shrunk towards the population's.

    (prior_weight * prior_mean + percentile_sum) / (prior_weight + number)

    >>> trendiness(2, 1.5, prior_mean=0.5, prior_weight=2.0)  # (1 + 1.5) / 4
    0.625
    """
    weight = prior_weight + number
    return (prior_weight * prior_mean + percentile_sum) / weight if weight else prior_mean


@dataclass(slots=True)
class Customer:
    """One customer; ``tail`` is the packed history, oldest entry first."""

    number: int = 0
    percentile_sum: float = 0.0
    tail: bytes = b""

    @classmethod
    def unpack(cls, record: bytes | None) -> Customer:
        """Return the customer that a stored record holds; a new one where there is no record.

        >>> Customer.unpack(None)
        Customer(number=0, percentile_sum=0.0, tail=b'')
        """
        if record is None:
            return cls()
        number, percentile_sum = _HEADER.unpack_from(record)
        return cls(number, percentile_sum, record[_HEADER.size :])

    def pack(self) -> bytes:
        """Return the record to store: 16 bytes and 24 for each remembered purchase."""
        return _HEADER.pack(self.number, self.percentile_sum) + self.tail

    def entries(self) -> list[tuple[int, int, float, int, int]]:
        """Return the history, oldest first, as (item, at_s, percentile, event, store)."""
        return list(_ENTRY.iter_unpack(self.tail))

    def bought(self) -> list[tuple[int, int]]:
        """Return item and second of the history's purchases, oldest first."""
        return list(_BOUGHT.iter_unpack(self.tail))

    def knows(self, event: int) -> bool:
        """Return whether an event is in the history."""
        packed, tail = _EVENT.pack(event), self.tail
        at = tail.find(packed)
        while at >= 0:  # the bytes may also lie across other fields
            if at % ENTRY_BYTES == _EVENT_AT:
                return True
            at = tail.find(packed, at + 1)
        return False

    def buy(self, item: int, at_ms: int, percentile: float, event: int, store: int, *, history_length: int) -> None:
        """Add a purchase: count it, add its percentile (a float32 value), and drop the oldest entry of a full history.

        >>> c = Customer()
        >>> c.buy(7, 60_000, 0.5, 11, 0, history_length=2)
        >>> c.number, c.percentile_sum, c.entries()
        (1, 0.5, [(7, 60, 0.5, 11, 0)])
        """
        self.number += 1
        self.percentile_sum += percentile
        entry = _ENTRY.pack(item, max(at_ms // 1000, 0), percentile, event, store)
        self.tail = (self.tail + entry)[-history_length * ENTRY_BYTES :]

    def tail_until(self, number: int) -> bytes:
        """Return the packed history as it was at purchase ``number``, as far as it is still remembered."""
        later = max(self.number - number, 0)
        return self.tail[: max(len(self.tail) - later * ENTRY_BYTES, 0)]


def padded_entries(tails: list[bytes], history_length: int) -> np.ndarray[tuple[int, int], np.dtype[np.void]]:
    """Return histories as one array (B, history_length) of ``ENTRY``, newest first, padded with ``NO_ITEM``.

    >>> padded_entries([_ENTRY.pack(3, 1, 0.5, 9, 0)], 2)["item"].tolist()
    [[3, 4294967295]]
    """
    full = history_length * ENTRY_BYTES
    padding = _PADDING * history_length
    joined = b"".join([padding[: full - len(tail)] + tail for tail in tails])
    return np.frombuffer(joined, ENTRY).reshape(len(tails), history_length)[:, ::-1]
