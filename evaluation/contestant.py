"""What takes part in an evaluation: anything that answers purchases with lists of items and then learns from them.

Only the shapes of the exchange and the customers' histories live here; nothing here scores or reads a log. Read next:
:mod:`evaluation.contestants.popularity` for the smallest contestant, :mod:`evaluation.prequential` for who asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.garment import Catalogue
from trendloom.relevance.features import ItemFeatures
from trendloom.state.rules import StateRules

__all__ = ["DAY_MS", "Contestant", "Customers", "Ground", "Histories", "Purchases"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Shorts = npt.NDArray[np.int16]
DAY_MS = 86_400_000


@dataclass(frozen=True, eq=False)
class Purchases:
    """B purchases in event-time order.

    ``customer`` and ``item`` (B,) are numbers from 0 on; ``at_ms`` (B,) event times, UTC; ``price`` (B,) NaN where
    unknown; ``store`` (B,) codes of the stores, -1 where it was made in none or nobody knows.
    """

    customer: Ints
    item: Ints
    at_ms: Ints
    price: Floats
    store: Shorts

    def __len__(self) -> int:
        return int(self.item.size)

    @classmethod
    def of(cls, customer: npt.ArrayLike, item: npt.ArrayLike, at_ms: npt.ArrayLike) -> Purchases:
        """Return purchases of which nothing more is known.

        >>> len(Purchases.of([1, 2], [5, 6], [0, 60_000]))
        2
        """
        size = np.size(item)
        return cls(
            np.asarray(customer, np.int64),
            np.asarray(item, np.int64),
            np.asarray(at_ms, np.int64),
            np.full(size, np.nan),
            np.full(size, -1, np.int16),
        )

    def part(self, which: slice | npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> Purchases:
        """Return some of the purchases."""
        return Purchases(
            self.customer[which],
            self.item[which],
            self.at_ms[which],
            self.price[which],
            self.store[which],
        )


@dataclass(frozen=True, eq=False)
class Histories:
    """The latest purchases of B customers: ``item`` and ``at_ms`` (B, H), newest first, padded with -1 and 0.

    H is the length of the longest one, at least 1.
    """

    item: Ints
    at_ms: Ints

    @cached_property
    def distinct(self) -> npt.NDArray[np.bool_]:
        """Where a history names an item for the first time (B, H), counted from the newest.

        >>> Histories(np.array([[7, 8, 7, -1]]), np.zeros((1, 4), np.int64)).distinct.tolist()
        [[True, True, False, False]]
        """
        order = np.argsort(self.item, axis=1, kind="stable")
        ordered = np.take_along_axis(self.item, order, axis=1)
        first = np.ones(self.item.shape, np.bool_)
        first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        fresh = np.empty_like(first)
        np.put_along_axis(fresh, order, first, axis=1)
        return fresh & (self.item >= 0)

    def bought_on(self, at_ms: Ints) -> Ints:
        """Return the items (B, H) that were bought on the UTC day of ``at_ms`` (B,), -1 elsewhere.

        >>> kept = Histories(np.array([[7, 8, -1]]), np.array([[86_400_005, 99, 0]]))
        >>> kept.bought_on(np.array([86_400_009])).tolist()
        [[7, -1, -1]]
        """
        today = self.at_ms // DAY_MS == at_ms[:, None] // DAY_MS
        return np.where(today, self.item, -1)


class Customers:
    """Every customer's latest purchases, shared by all contestants; whoever runs the evaluation lets it learn.

    >>> known = Customers(length=2)
    >>> known.learn(Purchases.of([4], [7], [1_000]))
    >>> known.after(Purchases.of([4, 5], [8, 9], [2_000, 2_000])).item.tolist()
    [[8, 7], [9, -1]]
    >>> known.before(np.array([4, 5])).item.tolist()
    [[7], [-1]]
    """

    def __init__(self, length: int = 64) -> None:
        self.length = length
        self._tails: dict[int, tuple[tuple[int, int], ...]] = {}
        self._latest: tuple[Purchases, Histories, dict[int, tuple[tuple[int, int], ...]]] | None = None

    def before(self, customer: Ints) -> Histories:
        """Return what is learnt of customers (B,); nothing of those who are new."""
        return self._padded([self._tails.get(buyer, ()) for buyer in customer.tolist()])

    def after(self, batch: Purchases) -> Histories:
        """Return each purchase's history up to and including itself, the purchases before it in the batch as well."""
        return self._read(batch)[1]

    def learn(self, batch: Purchases) -> None:
        """Remember the purchases of a batch."""
        self._tails.update(self._read(batch)[2])
        self._latest = None

    def _read(self, batch: Purchases) -> tuple[Purchases, Histories, dict[int, tuple[tuple[int, int], ...]]]:
        if self._latest is None or self._latest[0] is not batch:
            tails: dict[int, tuple[tuple[int, int], ...]] = {}
            rows = []
            for buyer, item, moment in zip(
                batch.customer.tolist(), batch.item.tolist(), batch.at_ms.tolist(), strict=True
            ):
                known = tails.get(buyer)
                tail = ((item, moment), *(self._tails.get(buyer, ()) if known is None else known))[: self.length]
                tails[buyer] = tail
                rows.append(tail)
            self._latest = (batch, self._padded(rows), tails)
        return self._latest

    def _padded(self, rows: list[tuple[tuple[int, int], ...]]) -> Histories:
        sizes = np.array([len(tail) for tail in rows], np.int64)
        width = max(int(sizes.max(initial=0)), 1)
        item = np.full((len(rows), width), -1, np.int64)
        at_ms = np.zeros((len(rows), width), np.int64)
        table = np.array([entry for tail in rows for entry in tail], np.int64).reshape(-1, 2)
        row = np.repeat(np.arange(len(rows)), sizes)
        place = np.arange(row.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        item[row, place], at_ms[row, place] = table.T
        return Histories(item, at_ms)


@dataclass(frozen=True, eq=False)
class Ground:
    """What every contestant is built on; item numbers run from 0 to ``n_items`` - 1 in a seeded random order.

    So whoever breaks ties by item number breaks them at random. ``features`` knows the items of ``catalogue`` by
    number (of a log without one, nothing); ``item_ids`` and ``customer_ids`` name the numbers. ``past`` holds
    purchases from before the first scored day that come from another log. ``rules`` are those of a worker's state.
    ``seed`` is for generators of a contestant's own: ``ground.generator("my name")``. ``days_only`` says that the log
    names days, and that times within them were drawn.
    """

    n_items: int
    item_ids: tuple[str, ...]
    features: ItemFeatures
    catalogue: Catalogue | None = None
    customer_ids: tuple[str, ...] = ()
    customers: Customers = field(default_factory=Customers)
    past: Purchases | None = None
    rules: StateRules = field(default_factory=StateRules)
    seed: int = 1
    days_only: bool = False

    def generator(self, name: str) -> np.random.Generator:
        """Return a generator that depends on the seed and on the contestant's name alone."""
        return np.random.default_rng([self.seed, *name.encode()])


class Contestant(Protocol):
    """Answers purchases with lists of item numbers, best first, padded with -1; it learns after it was asked.

    For each batch, in event-time order: ``before`` (for customers whose day begins in it), ``after``, ``learn``. A
    list never holds what its customer has bought on that UTC day. In a warm-up only ``learn`` is called; it may come
    much later than ``after`` (state frozen at midnight), so what is known of a customer comes from
    ``ground.customers``, which is never late.
    """

    name: str

    def after(self, batch: Purchases, k: int) -> Ints:
        """Return the list (B, k) right after each purchase.

        It may know each customer's purchases up to and including that row, and of the items what was learnt.
        """
        ...

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        """Return lists (B, k) before the days of customers (B,) begin with purchases at ``at_ms`` (B,)."""
        ...

    def learn(self, batch: Purchases) -> None:
        """Learn from a batch that was asked, or from one of the warm-up."""
        ...
