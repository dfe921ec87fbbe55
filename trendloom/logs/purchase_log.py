"""A recorded purchase log in memory: numpy columns in event-time order, about 40 bytes a purchase.

It yields purchases with their event ids; where they came from is :mod:`trendloom.logs.read`'s business.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trendloom.events import Purchase
from trendloom.logs.event_time import DAY_MS

__all__ = ["PurchaseLog", "row_event_id"]


def row_event_id(sha256: str, row: int) -> uuid.UUID:
    """Return the event id of a log's row: UUIDv5 of the log's hash (its first 16 bytes are the namespace) and the row.

    >>> row_event_id("00" * 32, 7)
    UUID('94167980-f909-527e-a4af-bc3155f586d3')
    """
    return uuid.uuid5(uuid.UUID(hex=sha256[:32]), str(row))


@dataclass(frozen=True, slots=True)
class PurchaseLog:
    """R purchases in the order of (event time, row of the file), as columns.

    ``customer``, ``item``, ``store`` and ``variant`` (all int32 (R,), -1: none) index ``customers``, ``items``,
    ``stores`` and ``variants``. ``row`` (R,) is the number of the file's row, from 0; ``price`` is NaN where unknown;
    ``given_ids`` uint8 (R, 16) are the log's own event ids, if it has any. ``rows_read`` = R + ``rows_outside`` (the
    asked window) + all of ``rejected``, which counts unusable rows by reason. ``dates_only`` counts the rows whose
    time of day is seeded. ``order_key`` is the same for two readings if they hold the same purchases in the same order.
    """

    name: str
    sha256: str
    order_key: str
    seed: int
    customers: tuple[str, ...]
    items: tuple[str, ...]
    stores: tuple[str, ...]
    variants: tuple[str, ...]
    occurred_at_ms: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    customer: npt.NDArray[np.int32]
    item: npt.NDArray[np.int32]
    quantity: npt.NDArray[np.int32]
    price: npt.NDArray[np.float64]
    store: npt.NDArray[np.int32]
    variant: npt.NDArray[np.int32]
    given_ids: npt.NDArray[np.uint8] | None
    rows_read: int
    rows_outside: int
    dates_only: int
    rejected: dict[str, int]

    def __len__(self) -> int:
        return int(self.row.size)

    def event_ids(self, start: int = 0, stop: int | None = None) -> list[uuid.UUID]:
        """Return the event ids of purchases ``start`` to ``stop`` (not included)."""
        if self.given_ids is not None:
            return [uuid.UUID(bytes=given.tobytes()) for given in self.given_ids[start:stop]]
        namespace = bytes.fromhex(self.sha256[:32])
        ids = []
        for row in self.row[start:stop].tolist():
            digest = hashlib.sha1(namespace + str(row).encode(), usedforsecurity=False).digest()
            ids.append(uuid.UUID(bytes=digest[:16], version=5))
        return ids

    def purchases(self, start: int = 0, stop: int | None = None, *, chunk: int = 4096) -> Iterator[Purchase]:
        """Yield the purchases ``start`` to ``stop`` (not included) in event-time order, ``source`` replay."""
        end = len(self) if stop is None else min(stop, len(self))
        for low in range(start, end, chunk):
            high = min(low + chunk, end)
            part = slice(low, high)
            for event_id, customer, item, at, quantity, price, store, variant in zip(
                self.event_ids(low, high),
                self.customer[part].tolist(),
                self.item[part].tolist(),
                self.occurred_at_ms[part].tolist(),
                self.quantity[part].tolist(),
                self.price[part].tolist(),
                self.store[part].tolist(),
                self.variant[part].tolist(),
                strict=True,
            ):
                yield Purchase(
                    schema_version=1,
                    event_id=event_id,
                    customer_id=self.customers[customer],
                    item_id=self.items[item],
                    occurred_at=at,
                    quantity=quantity,
                    price=price if price == price else None,  # noqa: PLR0124 - NaN is not itself
                    store_id=self.stores[store] if store >= 0 else None,
                    variant_id=self.variants[variant] if variant >= 0 else None,
                    source="replay",
                )

    def repeated(self) -> npt.NDArray[np.bool_]:
        """Return which purchases (R,) repeat an earlier one of the same customer, item and UTC day."""
        day = self.occurred_at_ms // DAY_MS
        order = np.lexsort((np.arange(len(self)), self.item, self.customer, day))
        again = np.zeros(len(self), np.bool_)
        if len(self) > 1:
            same = np.ones(len(self) - 1, np.bool_)
            for column in (day, self.customer, self.item):
                same &= column[order[1:]] == column[order[:-1]]
            again[order[1:]] = same
        return again
