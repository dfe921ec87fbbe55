"""The fold: what one batch of purchases changes, prepared from what was read, without touching the store.

Pure: the same batch, read state and percentiles give the same change. Duplicates (an event id that is still in the
customer's history) and re-deliveries (offsets at or below the fence) change nothing; a re-delivered purchase is listed
again with the number, percentile and trendiness that it had. Read next: :mod:`trendloom.state.store`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trendloom.events import Purchase
from trendloom.state.customer import Customer, event_hash, store_hash, trendiness
from trendloom.state.forward_decay import batch_scores
from trendloom.state.rules import LANDMARK_MS, StateRules
from trendloom.state.store import Before, Change, CustomerChange, ItemChange, JournalEntry

__all__ = ["Arrival", "Listed", "Prepared", "Tally", "customers_of", "prepare"]

_DAY_S = 86_400
_SAME_DAY, _OTHER_DAY = 2, 1  # half-units of co-purchase


class Arrival(NamedTuple):
    """A usable record: where it lies, what it says, and the number of its item."""

    offset: int
    purchase: Purchase
    item: int


class Listed(NamedTuple):
    """A purchase that gets a list: everything about its customer as of this purchase, and nothing later."""

    arrival: Arrival
    number: int
    percentile: float
    trendiness: float
    tail: bytes


@dataclass(slots=True)
class Tally:
    """What became of a batch's purchases."""

    new: int = 0
    duplicates: int = 0
    repeated: int = 0
    covered: int = 0


@dataclass(slots=True)
class Prepared:
    """A batch, ready to be written (``change``) and scored (``listed``, in offset order)."""

    change: Change
    listed: list[Listed] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


def customers_of(arrivals: Sequence[Arrival]) -> list[str]:
    """Return the customers of a batch, each once, in order of first appearance."""
    return list(dict.fromkeys(arrival.purchase.customer_id for arrival in arrivals))


def prepare(
    before: Before,
    arrivals: Sequence[Arrival],
    *,
    last_offset: int,
    percentiles: npt.NDArray[np.float32],
    prior_mean: float,
    rules: StateRules,
) -> Prepared:
    """Return what a batch of one partition changes.

    ``before`` was read for ``customers_of(arrivals)``, in that order; ``percentiles`` (A,) holds the popularity
    percentile of each arrival's item at the start of the batch, ``prior_mean`` the population's mean percentile.
    ``last_offset`` is that of the batch's last record, usable or not. Raises ``ValueError`` if arrivals are out of order.
    """
    names = customers_of(arrivals)
    customers = {
        name: Customer.unpack(record) for name, record in zip(names, before.customers, strict=True)
    }
    numbers_before = {name: customer.number for name, customer in customers.items()}
    bought: list[tuple[int, int]] = []
    pairs: dict[tuple[int, int], int] = {}
    journal: dict[int, JournalEntry] = {}
    listed: list[Listed] = []
    tally = Tally()
    percentile_sum = 0.0
    previous = -1
    for arrival, percentile in zip(arrivals, percentiles.tolist(), strict=True):
        purchase = arrival.purchase
        if arrival.offset <= previous:
            msg = f"offset {arrival.offset} comes after {previous}"
            raise ValueError(msg)
        previous = arrival.offset
        customer = customers[purchase.customer_id]
        event = event_hash(purchase.event_id)
        history = customer.entries()
        if arrival.offset <= before.fence:
            again = _listed_again(arrival, customer, history, event, before, prior_mean, rules)
            if again is None:
                tally.covered += 1
            else:
                tally.repeated += 1
                listed.append(again)
            continue
        if any(entry[3] == event for entry in history):
            tally.duplicates += 1
            continue
        at_ms = purchase.occurred_at
        _count_pairs(pairs, history, arrival.item, at_ms // 1000, rules.co_purchase_window)
        customer.buy(
            arrival.item,
            at_ms,
            percentile,
            event,
            store_hash(purchase.store_id),
            history_length=rules.history_length,
        )
        percentile_sum += percentile
        bought.append((arrival.item, at_ms))
        tally.new += 1
        trend = trendiness(
            customer.number,
            customer.percentile_sum,
            prior_mean=prior_mean,
            prior_weight=rules.trendiness_prior_weight,
        )
        journal[arrival.offset] = JournalEntry(customer.number, percentile, trend)
        listed.append(Listed(arrival, customer.number, percentile, trend, customer.tail))
    changed = [
        CustomerChange(name, numbers_before[name], customer.pack())
        for name, customer in customers.items()
        if customer.number != numbers_before[name]
    ]
    change = Change(
        epoch=before.epoch,
        expected_fence=before.fence,
        fence=max(last_offset, before.fence),
        customers=changed,
        items=_item_change(bought, pairs, percentile_sum, rules),
        journal=journal,
    )
    return Prepared(change, listed, tally)


def _listed_again(
    arrival: Arrival,
    customer: Customer,
    history: list[tuple[int, int, float, int, int]],
    event: int,
    before: Before,
    prior_mean: float,
    rules: StateRules,
) -> Listed | None:
    known = before.journal.get(arrival.offset)
    if known is None:
        known = _from_history(customer, history, event, prior_mean, rules)
    if known is None:
        return None
    tail = customer.tail_until(known.number)
    if not tail:  # so many purchases since that the history has forgotten this one: it still knows itself
        alone = Customer(number=known.number - 1)
        purchase = arrival.purchase
        alone.buy(
            arrival.item, purchase.occurred_at, known.percentile, event, store_hash(purchase.store_id), history_length=1
        )
        tail = alone.tail
    return Listed(arrival, known.number, known.percentile, known.trendiness, tail)


def _from_history(
    customer: Customer,
    history: list[tuple[int, int, float, int, int]],
    event: int,
    prior_mean: float,
    rules: StateRules,
) -> JournalEntry | None:
    later_sum = 0.0
    for back, entry in enumerate(reversed(history)):
        if entry[3] == event:
            number = customer.number - back
            trend = trendiness(
                number,
                customer.percentile_sum - later_sum,
                prior_mean=prior_mean,
                prior_weight=rules.trendiness_prior_weight,
            )
            return JournalEntry(number, entry[2], min(max(trend, 0.0), 1.0))
        later_sum += entry[2]
    return None


def _count_pairs(
    pairs: dict[tuple[int, int], int],
    history: list[tuple[int, int, float, int, int]],
    item: int,
    at_s: int,
    window: int,
) -> None:
    """Add one co-purchase between ``item`` and each distinct item of the window; a repeat of the same day adds none."""
    day = at_s // _DAY_S
    weights: dict[int, int] = {}
    for other, other_s, _, _, _ in history[-window:]:
        same_day = other_s // _DAY_S == day
        if other == item:
            if same_day:
                return
        elif same_day:
            weights[other] = _SAME_DAY
        else:
            weights.setdefault(other, _OTHER_DAY)
    for other, weight in weights.items():
        pairs[item, other] = pairs.get((item, other), 0) + weight
        pairs[other, item] = pairs.get((other, item), 0) + weight


def _item_change(
    bought: list[tuple[int, int]], pairs: dict[tuple[int, int], int], percentile_sum: float, rules: StateRules
) -> ItemChange:
    flat = np.array(bought, np.int64).reshape(-1, 2)
    numbers, groups, purchases = np.unique(flat[:, 0], return_inverse=True, return_counts=True)
    size = numbers.size
    times = flat[:, 1]
    slow = batch_scores(groups, size, times, rate_per_ms=rules.slow_rate_per_ms, landmark_ms=LANDMARK_MS)
    fast = batch_scores(groups, size, times, rate_per_ms=rules.fast_rate_per_ms, landmark_ms=LANDMARK_MS)
    keys = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    weights = np.array([pairs[key] for key in sorted(pairs)], np.int64)
    return ItemChange(
        numbers, purchases.astype(np.int64), slow, fast, keys[:, 0], keys[:, 1], weights, percentile_sum
    )
