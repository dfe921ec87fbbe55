"""The simulation: customers visit, buy what is popular or not as their trendiness has it, and so make things popular.

:class:`Simulation` decides what is bought, one purchase at a time, and is the same for the same seed;
``producers/simulate.py`` decides when, and sends. Neither knows recommendations: what is shown changes nothing.
"""

from __future__ import annotations

import heapq
import math
import threading
import uuid
from bisect import bisect
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from producers.bursts import LAST_SHARE, Burst
from producers.customers import Customers, draw_customers
from producers.popular_set import PopularSet
from producers.rhythm import season_weights
from producers.wares import Wares
from trendloom.errors import SettingsError
from trendloom.events import Purchase

__all__ = ["Simulation"]

_DAY_MS = 86_400_000
#: Items that a customer looks at before buying one.
_LOOKED_AT = 8
#: Chance that a further item of a visit is chosen among the look-alikes of the one before.
_LOOK_ALIKE_SHARE = 0.35
#: How much likelier a favourite category is.
_FAVOURITE_WEIGHT = 6.0
#: Nobody buys the same thing again within this many purchases of theirs.
_REMEMBERED = 20
#: Mean time between two purchases of a visit, event time.
_BETWEEN_MS = 60_000.0


@dataclass(order=True, slots=True)
class _Visit:
    """A customer who is in the shop: when they buy next, how many more, and what they bought last."""

    due_ms: float
    number: int
    customer: int = field(compare=False)
    left: int = field(compare=False)
    last: int = field(compare=False)


class Simulation:
    """Customers who buy: ask for one purchase after the other with :meth:`purchase`.

    ``num_customers`` customers make visits of 1 to ``max_purchases_per_customer`` purchases; with ``one_visit_each``
    every customer comes once and ``planned`` purchases are made in all, else they come again and again (``planned`` is
    None). Each item starts with a popularity drawn from 0 .. ``p_max``; the popular set of a customer are those items
    made for them whose popularity percentile is at least 1 - ``p_threshold``. A customer buys from it with a
    probability of their trendiness, otherwise from the rest (if one of the two is empty: from the other), and the
    item's popularity grows at once. Within that choice they prefer their favourite categories, what is in season, near
    stores, look-alikes of what they have just bought and, among the popular, what sells now. ``burst_every`` is the
    mean number of purchases between random bursts (None: never). ``run`` tells runs with one seed apart: it changes
    the event ids and nothing else.
    """

    def __init__(
        self,
        wares: Wares,
        stores: Mapping[str, tuple[float, float]],
        *,
        seed: int = 42,
        num_customers: int = 15,
        max_purchases_per_customer: int = 3,
        p_max: int = 100,
        p_threshold: float = 0.15,
        one_visit_each: bool = False,
        burst_every: float | None = None,
        run: int = 0,
    ) -> None:
        _check(
            seed=seed,
            customers=num_customers,
            max_purchases=max_purchases_per_customer,
            p_max=p_max,
            p_threshold=p_threshold,
            burst_every=burst_every,
        )
        rng = np.random.default_rng(seed)
        self.wares = wares
        self.seed = seed
        self.customers: Customers = draw_customers(num_customers, wares, stores, rng)
        self.initial_popularity: list[int] = rng.integers(0, p_max, size=len(wares), endpoint=True).tolist()
        self.purchases_of: list[int] = [0] * len(wares)
        self.made = 0
        self.from_popular = 0
        self.bursts: list[Burst] = []
        groups: dict[tuple[int, bool], PopularSet] = {}
        for key in zip(self.customers.gender, self.customers.shops_for_kids, strict=True):
            if key not in groups:
                members = wares.for_shoppers(key[0], kids=key[1]) or list(range(len(wares)))
                groups[key] = PopularSet(members, self.initial_popularity, share=p_threshold)
        keys = zip(self.customers.gender, self.customers.shops_for_kids, strict=True)
        self._group_of = [groups[key] for key in keys]
        self._groups = list(groups.values())
        self._season = season_weights(wares.category_names)
        self._month_of_day: tuple[int, int] = (-1, 0)
        self._bought: list[deque[int]] = [deque(maxlen=_REMEMBERED) for _ in range(num_customers)]
        self._appetite = np.cumsum(self.customers.appetite).tolist()
        self._visits: list[_Visit] = []
        self._visits_begun = 0
        self._draw = _uniforms(rng).__next__
        self._ids = _event_ids(np.random.default_rng([seed, run]))
        self._max_purchases = max_purchases_per_customer
        self._burst_chance = 0.0 if burst_every is None else 1.0 / burst_every
        self._wanted_bursts: deque[int] = deque()
        self._lock = threading.Lock()
        self._to_come: list[tuple[int, int]] | None = None
        self.planned: int | None = None
        if one_visit_each:
            sizes = rng.integers(1, max_purchases_per_customer, size=num_customers, endpoint=True).tolist()
            self._to_come = [(customer, sizes[customer]) for customer in rng.permutation(num_customers).tolist()][::-1]
            self.planned = sum(sizes)

    def start_burst(self, item_id: str) -> None:
        """Make an item trend from the next purchase on; may be called from another thread."""
        row = self.wares.row(item_id)
        with self._lock:
            self._wanted_bursts.append(row)

    def is_popular(self, row: int, customer: int) -> bool:
        """Return whether an item is in a customer's popular set now."""
        group = self._group_of[customer]
        return row in group and group.is_popular(row)

    def purchase(self, at_ms: int) -> Purchase:
        """Make the next purchase, at event time ``at_ms`` (ms since the epoch; not before the one before it).

        Raises :class:`IndexError` when every customer has come and gone (only with ``one_visit_each``).
        """
        visit = self._next_visit(at_ms)
        customer = visit.customer
        row = self._choose(customer, visit.last, at_ms)
        visit.last = row
        visit.left -= 1
        if visit.left:
            visit.due_ms = at_ms + 1000.0 - _BETWEEN_MS * math.log(1.0 - self._draw())
            heapq.heappush(self._visits, visit)
        self._bought[customer].append(row)
        self.purchases_of[row] += 1
        for group in self._groups:
            group.bought(row)
        self.made += 1
        store = self.wares.store[row]
        return Purchase(
            schema_version=1,
            event_id=next(self._ids),
            customer_id=self.customers.ids[customer],
            item_id=self.wares.item_ids[row],
            occurred_at=at_ms,
            store_id=self.wares.store_ids[store] if store >= 0 else None,
            source="synthetic",
        )

    def _next_visit(self, at_ms: int) -> _Visit:
        if self._visits and self._visits[0].due_ms <= at_ms:
            return heapq.heappop(self._visits)
        if self._to_come is None:
            customer = min(bisect(self._appetite, self._draw() * self._appetite[-1]), len(self.customers) - 1)
            size = 1 + int(self._draw() * self._max_purchases)
        elif self._to_come:
            customer, size = self._to_come.pop()
        else:  # nobody comes any more: whoever is in the shop buys a little early
            return heapq.heappop(self._visits)
        self._visits_begun += 1
        return _Visit(at_ms, self._visits_begun, customer, size, -1)

    def _choose(self, customer: int, last: int, at_ms: int) -> int:
        group = self._group_of[customer]
        trendiness = self.customers.trendiness[customer]
        recent = self._bought[customer]
        burst = self._caught_by_burst(trendiness)
        if burst is not None and burst in group and burst not in recent:
            self.from_popular += group.is_popular(burst)
            return burst
        popular = self._draw() < trendiness
        if not group.size or group.size == len(group):
            popular = bool(group.size)
        self.from_popular += popular
        seen: list[int] = []
        if last >= 0 and self._draw() < _LOOK_ALIKE_SHARE:
            alike = self.wares.neighbours[last]
            seen = [row for row in alike if row in group and group.is_popular(row) == popular and row not in recent]
        if not seen:
            low, high = (0, group.size) if popular else (group.size, len(group))
            looked = [group.order[low + int(self._draw() * (high - low))] for _ in range(_LOOKED_AT)]
            seen = [row for row in looked if row not in recent] or looked
        month = self._month(at_ms)
        favourites, nearness = self.customers.favourites[customer], self.customers.nearness[customer]
        category, store, sold, season = self.wares.category, self.wares.store, self.purchases_of, self._season
        reached, total = [], 0.0
        for row in seen:
            kind, shop = category[row], store[row]
            weight = season[kind][month] * (_FAVOURITE_WEIGHT if kind in favourites else 1.0)
            if shop >= 0:
                weight *= nearness[shop]
            if popular:
                weight *= 1.0 + sold[row]  # what sells, sells
            total += weight
            reached.append(total)
        return seen[min(bisect(reached, self._draw() * total), len(seen) - 1)]

    def _caught_by_burst(self, trendiness: float) -> int | None:
        if self._wanted_bursts:
            with self._lock:
                self.bursts.extend(Burst(row, self.made) for row in self._wanted_bursts)
                self._wanted_bursts.clear()
        if self._burst_chance and self._draw() < self._burst_chance:
            self.bursts.append(Burst(int(self._draw() * len(self.wares)), self.made))
        if not self.bursts:
            return None
        self.bursts = [burst for burst in self.bursts if burst.share(self.made) >= LAST_SHARE]
        draw, reached = self._draw(), 0.0
        for burst in self.bursts:
            reached += burst.share(self.made) * (0.5 + trendiness)  # the trendy follow first
            if draw < reached:
                return burst.row
        return None

    def _month(self, at_ms: int) -> int:
        day = at_ms // _DAY_MS
        if day != self._month_of_day[0]:
            self._month_of_day = (day, datetime.fromtimestamp(day * 86_400, UTC).month - 1)
        return self._month_of_day[1]


def _uniforms(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.random(8192).tolist()


def _event_ids(rng: np.random.Generator) -> Iterator[uuid.UUID]:
    while True:
        block = rng.bytes(16 * 1024)
        for start in range(0, len(block), 16):
            yield uuid.UUID(bytes=block[start : start + 16], version=4)


def _check(
    *, seed: int, customers: int, max_purchases: int, p_max: int, p_threshold: float, burst_every: float | None
) -> None:
    problems = {
        f"seed {seed} is negative. Action: give 0 or more.": seed < 0,
        f"{customers} customers buy nothing. Action: give at least 1.": customers < 1,
        f"{max_purchases} purchases a visit are none. Action: give at least 1.": max_purchases < 1,
        f"P_max {p_max} is negative. Action: give 0 or more.": p_max < 0,
        f"P_threshold {p_threshold} is no share. Action: give a number in [0, 1].": not 0.0 <= p_threshold <= 1.0,
        f"a burst every {burst_every} purchases is too many. Action: give 1 or more.": burst_every is not None
        and burst_every < 1,
    }
    for problem, there in problems.items():
        if there:
            raise SettingsError(problem)
