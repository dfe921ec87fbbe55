"""A batch as columns: its usable records, those of its purchases that get a list, and those that count.

They are what a batch travels as, because columns of five hundred purchases cost far less than five hundred objects;
each is a sequence of the objects that the plain fold speaks of, for whoever wants to look at one. Read next:
:mod:`trendloom.state.fold`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from trendloom.event_ids import event_hashes
from trendloom.events import Purchase, PurchaseRecord
from trendloom.state.customer import NO_ITEM, padded_entries, store_hash
from trendloom.state.store import Bought, Partition

__all__ = ["Arrival", "Arrivals", "Counted", "Listed", "Listings", "Span"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Arrival(NamedTuple):
    """A usable record: where it lies, what it says, and the number of its item."""

    offset: int
    purchase: Purchase | PurchaseRecord
    item: int


class Span(NamedTuple):
    """A batch's records of one partition, consecutive in its log: ``size`` of them are usable, one after the other."""

    partition: Partition
    first_offset: int
    last_offset: int
    size: int


class Listed(NamedTuple):
    """A purchase that gets a list: everything about its customer as of this purchase, and nothing later."""

    arrival: Arrival
    number: int
    percentile: float
    trendiness: float
    tail: bytes


class Arrivals(Sequence[Arrival]):
    """Usable records (A,), partition by partition (``spans``), in the order of their offsets.

    ``names`` are their customers, each once, by first appearance; ``places`` (A,) says which of the names a record's
    customer is. Without spans they are of one partition, which nobody asks for. Raises ``ValueError`` if a partition's
    offsets do not ascend.
    """

    def __init__(
        self,
        offsets: Sequence[int],
        purchases: Sequence[Purchase | PurchaseRecord],
        items: Ints,
        spans: Sequence[Span] = (),
    ) -> None:
        self.offsets: Ints = np.array(offsets, np.int64)
        self.purchases = purchases
        self.items = items
        self.spans = spans
        falls = self.offsets[1:] <= self.offsets[:-1]
        if len(spans) > 1:
            starts = self.starts
            falls[starts[(starts > 0) & (starts < self.offsets.size)] - 1] = False
        if falls.any():
            place = int(np.flatnonzero(falls)[0])
            msg = f"offset {self.offsets[place + 1]} comes after {self.offsets[place]}"
            raise ValueError(msg)
        known: dict[str, int] = {}
        self.places: Ints = np.array([known.setdefault(one.customer_id, len(known)) for one in purchases], np.int64)
        self.names = list(known)
        self.at_ms: Ints = np.array([one.occurred_at for one in purchases], np.int64)
        self.events: npt.NDArray[np.uint64] = event_hashes([one.event_id for one in purchases])
        self.prices: Floats = np.array([-1.0 if one.price is None else one.price for one in purchases], np.float64)
        stores = [one.store_id for one in purchases]
        hashes = {store: store_hash(store) for store in set(stores)}  # a few stores, many purchases
        self.stores: npt.NDArray[np.uint32] = np.array([hashes[store] for store in stores], np.uint32)

    @classmethod
    def of(cls, arrivals: Sequence[Arrival]) -> Arrivals:
        """Return arrivals as columns; they may be columns already."""
        if isinstance(arrivals, Arrivals):
            return arrivals
        items = np.array([arrival.item for arrival in arrivals], np.int64)
        return cls([arrival.offset for arrival in arrivals], [arrival.purchase for arrival in arrivals], items)

    @property
    def starts(self) -> Ints:
        """Where each span begins, and where the last one ends: (S + 1,)."""
        return np.cumsum([0, *(span.size for span in self.spans)], dtype=np.int64)

    @property
    def partitions(self) -> Ints:
        """The number of the partition (A,) in which each record lies."""
        numbers = [span.partition.partition for span in self.spans]
        return np.repeat(np.array(numbers, np.int64), [span.size for span in self.spans])

    def apart(self) -> list[Arrivals]:
        """Return each span's records by themselves."""
        parts = []
        for span, start in zip(self.spans, self.starts.tolist(), strict=False):
            part = slice(start, start + span.size)
            parts.append(Arrivals(self.offsets[part].tolist(), self.purchases[part], self.items[part], [span]))
        return parts

    def __len__(self) -> int:
        """Return A."""
        return len(self.purchases)

    @overload
    def __getitem__(self, place: int) -> Arrival: ...
    @overload
    def __getitem__(self, place: slice) -> list[Arrival]: ...
    def __getitem__(self, place: int | slice) -> Arrival | list[Arrival]:
        """Return one record, or some."""
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        return Arrival(int(self.offsets[place]), self.purchases[place], int(self.items[place]))


@dataclass(eq=False)
class Listings(Sequence[Listed]):
    """The purchases of a batch that get a list (B,), in the order of its records.

    ``which`` (B,) are their places among ``arrivals``; ``entries`` (B, H) their customers' histories, newest first,
    padded with ``NO_ITEM``.
    """

    arrivals: Arrivals
    which: Ints
    numbers: Ints
    percentiles: Floats
    trendiness: Floats
    entries: np.ndarray[tuple[int, int], np.dtype[np.void]]

    @classmethod
    def of(cls, listed: Sequence[Listed], arrivals: Arrivals, history_length: int) -> Listings:
        """Return listed purchases as columns; they may be columns already."""
        if isinstance(listed, Listings):
            return listed
        offsets = np.array([one.arrival.offset for one in listed], np.int64)
        return cls(
            arrivals,
            np.searchsorted(arrivals.offsets, offsets).astype(np.int64),
            np.array([one.number for one in listed], np.int64),
            np.array([one.percentile for one in listed], np.float64),
            np.array([one.trendiness for one in listed], np.float64),
            padded_entries([one.tail for one in listed], history_length),
        )

    @classmethod
    def joined(cls, parts: Sequence[Listings], arrivals: Arrivals) -> Listings:
        """Return the listings of each span of ``arrivals`` as those of all of it."""
        return cls(
            arrivals,
            np.concatenate([part.which + start for part, start in zip(parts, arrivals.starts.tolist(), strict=False)]),
            np.concatenate([part.numbers for part in parts]),
            np.concatenate([part.percentiles for part in parts]),
            np.concatenate([part.trendiness for part in parts]),
            np.concatenate([part.entries for part in parts]),
        )

    def __len__(self) -> int:
        """Return B."""
        return int(self.which.size)

    @overload
    def __getitem__(self, place: int) -> Listed: ...
    @overload
    def __getitem__(self, place: slice) -> list[Listed]: ...
    def __getitem__(self, place: int | slice) -> Listed | list[Listed]:
        """Return one purchase, or some."""
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        history = self.entries[place]
        tail = np.ascontiguousarray(history[history["item"] != NO_ITEM][::-1])
        return Listed(
            self.arrivals[int(self.which[place])],
            int(self.numbers[place]),
            float(self.percentiles[place]),
            float(self.trendiness[place]),
            tail.tobytes(),
        )

    def narrowed(self, places: Ints) -> Listings:
        """Return those at ``places`` (C,), which ascend; their arrivals stay whole."""
        return Listings(
            self.arrivals,
            self.which[places],
            self.numbers[places],
            self.percentiles[places],
            self.trendiness[places],
            self.entries[places],
        )

    @property
    def purchases(self) -> list[Purchase | PurchaseRecord]:
        """The purchases (B,) themselves."""
        everything = self.arrivals.purchases
        if len(self) == len(everything):
            return list(everything)
        return [everything[place] for place in self.which.tolist()]


class Counted(Sequence[Bought]):
    """The purchases of a batch that count, made into objects only when somebody looks at them."""

    def __init__(self, arrivals: Arrivals, counts: npt.NDArray[np.bool_], percentiles: npt.NDArray[np.float32]) -> None:
        self._arrivals = arrivals
        self._counts = counts
        self._percentiles = percentiles
        self._made: list[Bought] | None = None

    def _all(self) -> list[Bought]:
        if self._made is None:
            found = self._arrivals
            names = [purchase.customer_id for purchase in found.purchases]
            columns = (found.items, found.at_ms, self._percentiles, found.events, found.stores, found.prices)
            rows = zip(found.offsets.tolist(), names, *(column.tolist() for column in columns), strict=True)
            self._made = [Bought(*row) for row in compress(rows, self._counts.tolist())]
        return self._made

    def __len__(self) -> int:
        """Return how many count."""
        return int(self._counts.sum())

    @overload
    def __getitem__(self, place: int) -> Bought: ...
    @overload
    def __getitem__(self, place: slice) -> list[Bought]: ...
    def __getitem__(self, place: int | slice) -> Bought | list[Bought]:
        """Return one of them, or some."""
        return self._all()[place]
