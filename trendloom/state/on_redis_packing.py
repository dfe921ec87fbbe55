"""How what is kept in Redis looks as bytes, apart from customers' records and the entries of the items' log.

Numbers are little-endian; the scripts in ``state/lua`` look into none of it. Read next:
:mod:`trendloom.state.on_redis_items`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trendloom.state.item_log import Entry, Position
from trendloom.state.store import JOURNAL, ItemRows, JournalEntry, Partition, journal_entries

__all__ = [
    "fence_field",
    "joined",
    "pack_numbers",
    "pack_rows",
    "partition_of_field",
    "unpack_entry",
    "unpack_journal",
    "unpack_rows",
]

Ints = npt.NDArray[np.int64]

#: The start of an item's row: nine words of four bytes.
_POPULARITY = np.dtype(
    [("purchases", "<u4"), ("in_store", "<u4"), ("priced", "<u4"), ("spent", "<f8"), ("slow", "<f8"), ("fast", "<f8")]
)
_HEAD = np.arange(_POPULARITY.itemsize // 4)


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


def unpack_journal(batches: Iterable[bytes]) -> dict[int, JournalEntry]:
    """Return the entries of several batches' journals.

    >>> from trendloom.state.store import journal_of
    >>> unpack_journal([journal_of({7: JournalEntry(1, 0.5, 0.25)}).tobytes()])
    {7: JournalEntry(number=1, percentile=0.5, trendiness=0.25)}
    """
    return journal_entries(np.frombuffer(b"".join(batches), JOURNAL))


def unpack_entry(found: tuple[bytes, dict[bytes, Any]]) -> Entry:
    """Return an entry of the changes stream."""
    position, fields = found
    return Entry(
        Position.of(position),
        fields[b"w"].decode(),
        fields[b"i"],
        fields[b"c"],
        float(fields[b"p"]),
        int(fields[b"n"]),
        float(fields[b"s"]),
    )


def pack_numbers(numbers: Ints) -> list[bytes]:
    r"""Return item numbers as names of rows.

    >>> pack_numbers(np.array([1, 258]))
    [b'\x01\x00\x00\x00', b'\x02\x01\x00\x00']
    """
    packed = numbers.astype("<u4").tobytes()
    return [packed[at : at + 4] for at in range(0, len(packed), 4)]


def pack_rows(rows: ItemRows) -> list[bytes]:
    """Pack each row: three counts u32, spent, slow, fast f64, then column and half-units u32 of each co-purchase."""
    starts = _starts(rows.lengths)
    words = np.empty(_HEAD.size * rows.numbers.size + 2 * rows.columns.size, "<u4")
    popularity = np.empty(rows.numbers.size, _POPULARITY)
    for name in _POPULARITY.names or ():
        popularity[name] = getattr(rows, name)
    is_head = np.zeros(words.size, bool)
    is_head[(starts[:-1, None] + _HEAD).ravel()] = True
    words[is_head] = popularity.view("<u4")
    words[~is_head] = np.stack([rows.columns, rows.units], axis=1).ravel()
    packed, cuts = words.tobytes(), (4 * starts).tolist()
    return [packed[start:end] for start, end in itertools.pairwise(cuts)]


def unpack_rows(names: Sequence[bytes], packed: Sequence[bytes]) -> ItemRows:
    """Return the rows of these names, by ascending number.

    >>> from trendloom.state.item_log import no_rows
    >>> unpack_rows([], pack_rows(no_rows())).numbers.size
    0
    """
    numbers = np.frombuffer(b"".join(names), "<u4").astype(np.int64)
    order = np.argsort(numbers)
    some = [packed[place] for place in order.tolist()]
    lengths = (np.array([len(row) for row in some], np.int64) - _POPULARITY.itemsize) // 8
    starts = _starts(lengths)
    words = np.frombuffer(b"".join(some), "<u4")
    is_head = np.zeros(words.size, bool)
    is_head[(starts[:-1, None] + _HEAD).ravel()] = True
    popularity = words[is_head].view(_POPULARITY)
    columns, units = words[~is_head].reshape(-1, 2).T.astype(np.int32)
    return ItemRows(
        numbers[order],
        popularity["purchases"].astype(np.int64),
        popularity["in_store"].astype(np.int64),
        popularity["priced"].astype(np.int64),
        popularity["spent"].astype(np.float64),
        np.zeros(numbers.size),
        popularity["slow"].astype(np.float64),
        popularity["fast"].astype(np.float64),
        lengths,
        columns,
        units,
    )


def joined(parts: Sequence[ItemRows]) -> ItemRows:
    """Return the rows of several parts, which share no item, by ascending number."""
    numbers = np.concatenate([part.numbers for part in parts])
    order = np.argsort(numbers)
    lengths = np.concatenate([part.lengths for part in parts])
    starts = (np.cumsum(lengths) - lengths)[order]
    lengths = lengths[order]
    chosen = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(int(lengths.sum()))
    return ItemRows(
        numbers[order],
        np.concatenate([part.purchases for part in parts])[order],
        np.concatenate([part.in_store for part in parts])[order],
        np.concatenate([part.priced for part in parts])[order],
        np.concatenate([part.spent for part in parts])[order],
        np.concatenate([part.initial for part in parts])[order],
        np.concatenate([part.slow for part in parts])[order],
        np.concatenate([part.fast for part in parts])[order],
        lengths,
        np.concatenate([part.columns for part in parts])[chosen],
        np.concatenate([part.units for part in parts])[chosen],
    )


def _starts(lengths: Ints) -> Ints:
    """Return where each row begins, in words, and where the last one ends."""
    starts = np.zeros(lengths.size + 1, np.int64)
    np.cumsum(_HEAD.size + 2 * lengths, out=starts[1:])
    return starts
