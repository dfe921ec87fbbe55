"""The fold: what one batch of purchases changes, prepared from what was read, without touching the store.

Pure: the same batch, read state and percentiles give the same change. Duplicates (an event id that is still in the
customer's history) and re-deliveries (offsets at or below the fence) change nothing; a re-delivered purchase is listed
again with the number, percentile and trendiness that it had. Read next: :mod:`trendloom.state.store`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from trendloom.event_ids import event_hash
from trendloom.state.columns import Arrival, Listed
from trendloom.state.customer import Customer, store_hash, trendiness
from trendloom.state.forward_decay import batch_scores
from trendloom.state.rules import LANDMARK_MS, StateRules
from trendloom.state.store import Before, Bought, Change, CustomerChanges, ItemChange, JournalEntry, journal_of

__all__ = ["Fold", "Prepared", "Tally", "customers_of", "item_change", "items_changed", "prepare"]

Ints = npt.NDArray[np.int64]

_DAY_S = 86_400
_SAME_DAY, _OTHER_DAY = 2, 1  # half-units of co-purchase
#: What costs more is taken for a price that nobody knows: one such record would drown all others in the sums for good.
_MOST_PRICE = 1e9


@dataclass(slots=True)
class Tally:
    """What became of a batch's purchases."""

    new: int = 0
    duplicates: int = 0
    repeated: int = 0
    covered: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Return what became of the purchases of both."""
        return Tally(
            self.new + other.new,
            self.duplicates + other.duplicates,
            self.repeated + other.repeated,
            self.covered + other.covered,
        )


@dataclass(slots=True)
class Prepared:
    """A batch, ready to be written (``change``) and scored (``listed``, in offset order)."""

    change: Change
    listed: Sequence[Listed] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


def customers_of(arrivals: Sequence[Arrival]) -> list[str]:
    """Return the customers of a batch, each once, in order of first appearance."""
    return list(dict.fromkeys(arrival.purchase.customer_id for arrival in arrivals))


class Fold:
    """Purchases folded one after the other into customers, item counts and a journal; the customers are changed.

    >>> from trendloom.state.customer import Customer
    >>> fold = Fold({"c": Customer()}, prior_mean=0.5, rules=StateRules(trendiness_prior_weight=1.0))
    >>> first = Bought(offset=0, customer_id="c", item=7, at_ms=60_000, percentile=0.25, event=1, store=0)
    >>> fold.buy(first)  # (1 * 0.5 + 0.25) / 2
    JournalEntry(number=1, percentile=0.25, trendiness=0.375)
    >>> fold.buy(first) is None  # the same event again
    True
    """

    def __init__(self, customers: dict[str, Customer], *, prior_mean: float, rules: StateRules) -> None:
        self._customers = customers
        self._prior_mean = prior_mean
        self._rules = rules
        self._numbers_before = {name: customer.number for name, customer in customers.items()}
        self.bought: list[Bought] = []
        self.pairs: list[tuple[int, int, int]] = []
        self.journal: dict[int, JournalEntry] = {}

    def buy(self, bought: Bought) -> JournalEntry | None:
        """Count a purchase and return what its list needs; None if its event is in the customer's history already."""
        customer, rules = self._customers[bought.customer_id], self._rules
        if customer.knows(bought.event):
            return None
        if customer.tail and rules.co_purchase_window:
            at_s = bought.at_ms // 1000
            _count_pairs(self.pairs, customer.bought(), bought.item, at_s, rules.co_purchase_window)
        customer.buy(
            bought.item,
            bought.at_ms,
            bought.percentile,
            bought.event,
            bought.store,
            history_length=rules.history_length,
        )
        trend = trendiness(
            customer.number,
            customer.percentile_sum,
            prior_mean=self._prior_mean,
            prior_weight=rules.trendiness_prior_weight,
        )
        entry = self.journal[bought.offset] = JournalEntry(customer.number, bought.percentile, trend)
        self.bought.append(bought)
        return entry

    def changed(self) -> CustomerChanges:
        """Return the new records of the customers who bought something."""
        before = self._numbers_before
        names = [name for name, customer in self._customers.items() if customer.number != before[name]]
        return CustomerChanges(
            names,
            np.array([before[name] for name in names], np.int64),
            [self._customers[name].pack() for name in names],
        )


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
    ``last_offset`` is that of the batch's last record, usable or not. Raises ``ValueError`` if arrivals are out of
    order.
    """
    names = customers_of(arrivals)
    customers = {name: Customer.unpack(record) for name, record in zip(names, before.customers, strict=True)}
    fold = Fold(customers, prior_mean=prior_mean, rules=rules)
    listed: list[Listed] = []
    tally = Tally()
    previous = -1
    for arrival, percentile in zip(arrivals, percentiles.tolist(), strict=True):
        purchase = arrival.purchase
        if arrival.offset <= previous:
            msg = f"offset {arrival.offset} comes after {previous}"
            raise ValueError(msg)
        previous = arrival.offset
        customer = customers[purchase.customer_id]
        event = event_hash(purchase.event_id)
        if arrival.offset <= before.fence:
            again = _listed_again(arrival, customer, event, before, prior_mean, rules)
            if again is None:
                tally.covered += 1
            else:
                tally.repeated += 1
                listed.append(again)
            continue
        store = store_hash(purchase.store_id)
        name = purchase.customer_id
        price = -1.0 if purchase.price is None else purchase.price
        bought = Bought(arrival.offset, name, arrival.item, purchase.occurred_at, percentile, event, store, price)
        entry = fold.buy(bought)
        if entry is None:
            tally.duplicates += 1
            continue
        tally.new += 1
        listed.append(Listed(arrival, entry.number, entry.percentile, entry.trendiness, customer.tail))
    change = Change(
        epoch=before.epoch,
        expected_fence=before.fence,
        fence=max(last_offset, before.fence),
        customers=fold.changed(),
        items=item_change(fold.bought, fold.pairs, rules),
        journal=journal_of(fold.journal),
        bought=fold.bought,
        prior_mean=prior_mean,
    )
    return Prepared(change, listed, tally)


def _listed_again(
    arrival: Arrival,
    customer: Customer,
    event: int,
    before: Before,
    prior_mean: float,
    rules: StateRules,
) -> Listed | None:
    known = before.journal.get(arrival.offset)
    if known is None:
        known = _from_history(customer, event, prior_mean, rules)
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
    event: int,
    prior_mean: float,
    rules: StateRules,
) -> JournalEntry | None:
    later_sum = 0.0
    for back, entry in enumerate(reversed(customer.entries())):
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
    pairs: list[tuple[int, int, int]],
    history: list[tuple[int, int]],
    item: int,
    at_s: int,
    window: int,
) -> None:
    """Add one co-purchase between ``item`` and each distinct item of the window; a repeat of the same day adds none."""
    day = at_s // _DAY_S
    weights: dict[int, int] = {}
    for other, other_s in history[-window:]:
        same_day = other_s // _DAY_S == day
        if other == item:
            if same_day:
                return
        elif same_day:
            weights[other] = _SAME_DAY
        else:
            weights.setdefault(other, _OTHER_DAY)
    pairs += [(item, other, weight) for other, weight in weights.items()]


def item_change(bought: Sequence[Bought], pairs: Sequence[tuple[int, int, int]], rules: StateRules) -> ItemChange:
    """Return what purchases, in offset order, and their pairs (item, other item, half-units) add to the items."""
    items = np.array([one.item for one in bought], np.int64)
    times = np.array([one.at_ms for one in bought], np.int64)
    in_store = np.array([one.store != 0 for one in bought], np.bool_)
    prices = np.array([one.price for one in bought], np.float64)
    table = np.array(pairs, np.int64).reshape(-1, 3)
    total = 0.0
    for one in bought:  # in order, and not with sum(), which is more exact: the compiled fold adds up so
        total += one.percentile
    return items_changed(items, times, in_store, prices, table, total, rules)


def items_changed(
    items: Ints,
    times_ms: Ints,
    in_store: npt.NDArray[np.bool_],
    prices: npt.NDArray[np.float64],
    pairs: Ints,
    percentile_sum: float,
    rules: StateRules,
) -> ItemChange:
    """Return what purchases (A,) and ``pairs`` (P, 3) add to the items; ``prices`` (A,) are -1 where unknown."""
    numbers, groups, purchases = np.unique(items, return_inverse=True, return_counts=True)
    size = numbers.size
    slow = batch_scores(groups, size, times_ms, rate_per_ms=rules.slow_rate_per_ms, landmark_ms=LANDMARK_MS)
    fast = batch_scores(groups, size, times_ms, rate_per_ms=rules.fast_rate_per_ms, landmark_ms=LANDMARK_MS)
    rows, columns, weights = pairs.T
    known = (prices >= 0.0) & (prices <= _MOST_PRICE)
    return ItemChange(
        numbers,
        purchases.astype(np.int64),
        np.bincount(groups[in_store], minlength=size).astype(np.int64),
        np.bincount(groups[known], minlength=size).astype(np.int64),
        np.bincount(groups[known], prices[known], size).astype(np.float64),
        slow,
        fast,
        rows,
        columns,
        weights,
        percentile_sum,
    )
