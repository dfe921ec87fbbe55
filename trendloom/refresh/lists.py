"""The wire form of refreshed lists: from arrays of items, scores and parts to the JSON that a record carries.

The bytes equal what :func:`trendloom.events.encode` makes of the same :class:`~trendloom.events.RecommendationList`;
they are written directly because a list is published for every purchase. This is the plain form, and the reference
for :mod:`trendloom.refresh.compiled_lists`, which writes the same bytes many times faster.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt
import orjson

from trendloom.candidates import TopK
from trendloom.events import SCHEMA_VERSION
from trendloom.state.columns import Listings

__all__ = ["DECIMALS", "Heads", "Joined", "encode_heads", "encode_lists", "heads_of"]

#: Scores are published to six decimals: finer differences mean nothing to a reader, and a list stays small.
DECIMALS = 6

Whole = Sequence[int] | npt.NDArray[np.int64]
Real = Sequence[float] | npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Joined(Sequence[bytes]):
    """B texts that lie end to end: text i is ``raw[ends[i]:ends[i + 1]]``, cut out when somebody asks for it.

    >>> list(Joined(b"onetwo", np.array([0, 3, 6])))
    [b'one', b'two']
    """

    raw: bytes
    ends: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Return B."""
        return self.ends.size - 1

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        """Return one text, or some."""
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        at = range(len(self))[place]
        return self.raw[self.ends[at] : self.ends[at + 1]]

    def __iter__(self) -> Iterator[bytes]:
        """Yield the texts in order."""
        raw = self.raw
        return (raw[start:end] for start, end in pairwise(self.ends.tolist()))


class Heads(NamedTuple):
    """What B lists say of themselves, a column each (B,): lists, or arrays where there are some already."""

    customers: Sequence[str]
    numbers: Whole
    event_ids: Sequence[uuid.UUID | str]
    items: Sequence[str]
    times_ms: Whole
    partitions: Whole
    offsets: Whole
    sent_at_ms: Sequence[int | None]
    trendiness: Real
    percentiles: Real


def heads_of(listed: Listings, sent_at_ms: Sequence[int | None]) -> Heads:
    """Return the heads of the lists that answer these purchases; ``sent_at_ms`` holds their intended send times."""
    purchases = listed.purchases
    arrivals = listed.arrivals
    return Heads(
        [purchase.customer_id for purchase in purchases],
        listed.numbers,
        [purchase.event_id for purchase in purchases],
        [purchase.item_id for purchase in purchases],
        arrivals.at_ms[listed.which],
        arrivals.partitions[listed.which],
        arrivals.offsets[listed.which],
        sent_at_ms,
        listed.trendiness,
        listed.percentiles,
    )


def encode_lists(
    listed: Listings,
    top: TopK,
    sent_at_ms: Sequence[int | None],
    *,
    epoch: int,
    made_at_ms: int,
    preset: str,
    catalogue: str,
    ids: list[str],
) -> list[bytes]:
    """Return one JSON object for each listed purchase; ``sent_at_ms`` holds each purchase's intended send time."""
    return encode_heads(
        heads_of(listed, sent_at_ms),
        top,
        epoch=epoch,
        made_at_ms=made_at_ms,
        preset=preset,
        catalogue=catalogue,
        ids=ids,
    )


def encode_heads(
    heads: Heads,
    top: TopK,
    *,
    epoch: int,
    made_at_ms: int,
    preset: str,
    catalogue: str,
    ids: list[str],
) -> list[bytes]:
    """Return one JSON object for each head and its row of ``top``.

    Parts are rounded to ``DECIMALS``, those of nothing left out; an entry's score is the sum of its parts as they are
    published.
    """
    names = top.part_names
    parts = top.parts.round(DECIMALS).tolist()
    columns = [column.tolist() if isinstance(column, np.ndarray) else column for column in heads]
    out = []
    for row, (items, head) in enumerate(zip(top.items.tolist(), zip(*columns, strict=True), strict=True)):
        customer, number, event_id, bought, at_ms, partition, offset, sent_at, trendiness, percentile = head
        entries = []
        for item, values in zip(items, parts[row], strict=True):
            if item < 0:
                break
            shown = {name: value for name, value in zip(names, values, strict=True) if value}
            score = round(sum(shown.values(), 0.0), DECIMALS) + 0.0  # never -0.0
            entries.append({"item_id": ids[item], "score": score, "parts": shown})
        out.append(
            orjson.dumps(
                {
                    "schema_version": SCHEMA_VERSION,
                    "customer_id": customer,
                    "version": {"epoch": epoch, "number": number},
                    "cause": {
                        "event_id": event_id,
                        "item_id": bought,
                        "occurred_at": at_ms,
                        "partition": partition,
                        "offset": offset,
                    },
                    "sent_at": sent_at,
                    "made_at": made_at_ms,
                    "preset": preset,
                    "catalogue": catalogue,
                    "trendiness": trendiness,
                    "percentile": percentile,
                    "entries": entries,
                }
            )
        )
    return out
