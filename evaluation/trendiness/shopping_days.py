"""A recorded log as shopping days: who bought when, and how popular each item was just before that day.

Popularity is an exponentially decayed count, its percentile the mid-rank among the items sold so far, both as a worker
has them at the start of the day; nothing of the day itself is known. Read next:
:mod:`evaluation.trendiness.estimators`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trendloom.logs.event_time import DAY_MS
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.relevance.popularity import percentile_ranks

__all__ = ["ShoppingDays", "percentiles_before", "shopping_days"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ShoppingDays:
    """R purchases by customer and, within a customer, by time; D customer-days, each a run of them.

    Day d of the table is purchases ``starts[d] : starts[d + 1]``, of ``customer[d]`` on ``day[d]`` (days since 1970).
    """

    customer: Ints
    day: Ints
    starts: Ints
    #: (R,) day and percentile of each purchase
    purchase_day: Ints
    percentile: Floats


def percentiles_before(day: Ints, item: Ints, half_life_days: float | None) -> Floats:
    """Return how popular each purchase's item was just before its day: a percentile in [0, 1], 0 if never sold.

    ``day`` (R,) ascends. Counts halve every ``half_life_days`` (None: never).

    >>> percentiles_before(np.array([0, 0, 1, 1]), np.array([7, 7, 7, 8]), None).tolist()
    [0.0, 0.0, 0.5, 0.0]
    """
    count = np.zeros(int(item.max(initial=-1)) + 1)
    out = np.zeros(day.size)
    edges = np.append(np.flatnonzero(np.append(True, day[1:] != day[:-1])), day.size) if day.size else np.zeros(1, int)
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if start and half_life_days is not None:
            count *= 0.5 ** ((day[start] - day[start - 1]) / half_life_days)
        score = np.where(count > 0, count, -np.inf)
        out[start:end] = percentile_ranks(score)[item[start:end]]
        np.add.at(count, item[start:end], 1.0)
    return out


def shopping_days(log: PurchaseLog, *, half_life_days: float | None) -> ShoppingDays:
    """Return a log's shopping days; several pieces of one item on one day are one purchase."""
    kept = np.flatnonzero(~log.repeated())
    day, item = log.occurred_at_ms[kept] // DAY_MS, log.item[kept].astype(np.int64)
    percentile = percentiles_before(day, item, half_life_days)
    order = np.lexsort((np.arange(day.size), log.customer[kept]))
    customer, day = log.customer[kept][order].astype(np.int64), day[order]
    new = np.append(True, (customer[1:] != customer[:-1]) | (day[1:] != day[:-1])) if day.size else np.zeros(0, bool)
    starts = np.flatnonzero(new)
    return ShoppingDays(
        customer[starts],
        day[starts],
        np.append(starts, day.size).astype(np.int64),
        day,
        percentile[order],
    )
