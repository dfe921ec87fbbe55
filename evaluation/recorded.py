"""A recorded log as an evaluation takes it: each item of a customer's day once, customers and items by number.

Customers are numbered as they first appear, items as the ground says. Read next: :mod:`evaluation.tasks`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS, Ground, Purchases
from evaluation.ground import make_ground
from trendloom.catalogue.garment import Catalogue
from trendloom.errors import LogFormatError
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.relevance.season import SeasonCounts

__all__ = ["batches", "cut_before", "prepare"]

Ints = npt.NDArray[np.int64]


def prepare(
    log: PurchaseLog, catalogue: Catalogue | None, *, seed: int = 1, past: PurchaseLog | None = None, from_ms: int = 0
) -> tuple[Purchases, Ground]:
    """Return a log's purchases and the ground for contestants.

    A repeated (day, customer, item) counts once. Of ``past``, an earlier log (its customers may be others), only what
    lies before the first scored day and before the log itself begins is handed on, and is what the season is told from.
    """
    first = _first_pieces(log)
    names = np.full(len(log.customers), -1, np.int64)
    buyers, order = np.unique(log.customer[first], return_index=True)
    names[buyers[np.argsort(order)]] = np.arange(buyers.size)
    customer_ids = [log.customers[buyer] for buyer in buyers[np.argsort(order)].tolist()]
    items = [log.items[code] for code in np.unique(log.item[first]).tolist()]
    earlier: Purchases | None = None
    if past is not None:
        begins_ms = int(log.occurred_at_ms[first[0]]) if first.size else from_ms
        kept = _first_pieces(past)
        kept = kept[past.occurred_at_ms[kept] < min(from_ms, begins_ms) // DAY_MS * DAY_MS]
        number = {name: place for place, name in enumerate(customer_ids)}
        coded = np.array([number.setdefault(name, len(number)) for name in past.customers], np.int64)
        customer_ids = list(number)
        items += [past.items[code] for code in np.unique(past.item[kept]).tolist()]
    ground = make_ground(tuple(dict.fromkeys(items)), catalogue, customer_ids=tuple(customer_ids), seed=seed)
    number_of = {item_id: number for number, item_id in enumerate(ground.item_ids)}
    if past is not None:
        earlier = _numbered(past, kept, coded, number_of)
        season = SeasonCounts(ground.n_items)
        season.learn(earlier.item, earlier.at_ms)
        ground = replace(ground, past=earlier, features=replace(ground.features, season=season))
    return _numbered(log, first, names, number_of), replace(ground, days_only=log.dates_only > 0)


def cut_before(purchases: Purchases, day_ms: int) -> Purchases:
    """Return the purchases that lie before the UTC day of ``day_ms``.

    >>> cut_before(Purchases.of([1, 1], [5, 6], [DAY_MS - 1, DAY_MS]), DAY_MS + 7).item.tolist()
    [5]
    """
    return purchases.part(purchases.at_ms < day_ms // DAY_MS * DAY_MS)


def batches(at_ms: Ints, size: int) -> Iterator[slice]:
    """Yield slices of at most ``size`` purchases at ``at_ms`` (R,), ascending; none lies across a midnight (UTC).

    >>> [(part.start, part.stop) for part in batches(np.array([0, 1, 2, DAY_MS]), 2)]
    [(0, 2), (2, 3), (3, 4)]
    """
    day = at_ms // DAY_MS
    edges = [0, *(np.flatnonzero(day[1:] != day[:-1]) + 1).tolist(), at_ms.size]
    for begin, end in itertools.pairwise(edges):
        for start in range(begin, end, size):
            yield slice(start, min(start + size, end))


def _first_pieces(log: PurchaseLog) -> Ints:
    if not len(log):
        raise LogFormatError(f"{log.name} holds no purchase in the asked time. Action: choose another --from or --to.")
    return np.flatnonzero(~log.repeated()).astype(np.int64)


def _numbered(log: PurchaseLog, rows: Ints, customer: Ints, number_of: dict[str, int]) -> Purchases:
    item = np.array([number_of.get(item_id, -1) for item_id in log.items], np.int64)
    return Purchases(
        customer[log.customer[rows]],
        item[log.item[rows]],
        log.occurred_at_ms[rows],
        log.price[rows],
        log.store[rows].astype(np.int16),
    )
