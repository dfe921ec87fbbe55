"""How changes and what is read back look as bytes: the layouts that the Lua scripts unpack, and nothing else.

Numbers are little-endian. The scripts in ``state/lua`` state the same layouts in their headers.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from trendloom.state.store import JOURNAL, ItemChange, JournalEntry, Partition, journal_entries

__all__ = [
    "NEVER_SOLD",
    "POPULARITY",
    "fence_field",
    "pack_co_purchases",
    "pack_items",
    "partition_of_field",
    "unpack_journal",
]

Ints = npt.NDArray[np.int64]

#: An item's value in the popularity hash.
POPULARITY = np.dtype([("purchases", "<u4"), ("slow", "<f8"), ("fast", "<f8")])
#: The value of an item that was never bought.
NEVER_SOLD = np.array((0, -np.inf, -np.inf), POPULARITY).tobytes()

_ITEM = np.dtype([("number", "<u4"), ("purchases", "<u4"), ("slow", "<f8"), ("fast", "<f8")])


def fence_field(partition: Partition) -> str:
    """Return the name under which a partition's fence is kept.

    >>> fence_field(Partition("purchases", 3))
    'purchases:3'
    """
    return f"{partition.topic}:{partition.partition}"


def partition_of_field(field: str) -> Partition:
    """Return the partition that :func:`fence_field` made a name of.

    >>> partition_of_field("shop:purchases:3")
    Partition(topic='shop:purchases', partition=3)
    """
    topic, _, partition = field.rpartition(":")
    return Partition(topic, int(partition))


def pack_items(items: ItemChange) -> bytes:
    """Pack what a change adds to items: number u32, purchases u32, slow f64, fast f64 each."""
    packed = np.empty(items.numbers.size, _ITEM)
    packed["number"], packed["purchases"] = items.numbers, items.purchases
    packed["slow"], packed["fast"] = items.slow, items.fast
    return packed.tobytes()


def pack_co_purchases(items: ItemChange) -> bytes:
    """Pack pairs in both directions, row by row: row, number of columns, then column and weight of each; all u32."""
    rows, columns, weights = items.both_ways()
    if rows.size == 0:
        return b""
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    sizes = np.diff(np.r_[starts, rows.size])
    packed = np.empty(2 * starts.size + 2 * rows.size, "<u4")
    heads = 2 * starts + 2 * np.arange(starts.size)
    packed[heads], packed[heads + 1] = rows[starts], sizes
    places = 2 * np.arange(rows.size) + 2 * (np.repeat(np.arange(starts.size), sizes) + 1)
    packed[places], packed[places + 1] = columns, weights
    return packed.tobytes()


def unpack_journal(batches: Iterable[bytes]) -> dict[int, JournalEntry]:
    """Return the entries of several batches' journals.

    >>> from trendloom.state.store import journal_of
    >>> unpack_journal([journal_of({7: JournalEntry(1, 0.5, 0.25)}).tobytes()])
    {7: JournalEntry(number=1, percentile=0.5, trendiness=0.25)}
    """
    return journal_entries(np.frombuffer(b"".join(batches), JOURNAL))
