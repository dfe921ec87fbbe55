"""The experiment's customers: who buys what and when, and what that makes popular. Seeded; nobody sees a list.

The rules are the source's; where one of them was wrong the right one is used, and the wrong one can be asked for by
name (:class:`Faults`), so that its effect can be measured. Read next: :mod:`evaluation.paper.lists`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from trendloom.errors import SettingsError
from trendloom.relevance.features import GENDERS

__all__ = ["Faults", "Habits", "Purchases", "buy"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FIRST_DAY = date(2024, 1, 1)
DAYS = 366
UNISEX = GENDERS.index("unisex")


@dataclass(frozen=True)
class Habits:
    """The source's flags that say how customers buy, with its defaults."""

    customers: int = 15
    max_purchases: int = 3
    #: initial popularity is drawn from 0 .. p_max, in purchases
    p_max: int = 100
    #: share of a customer's garments that are popular: those of the highest popularity
    p_threshold: float = 0.15

    def __post_init__(self) -> None:
        """Refuse what cannot be; the text names the flag."""
        problems = {
            f"--num_customers {self.customers} is no number of customers. Action: give 1 or more.": self.customers < 1,
            f"--max_purchases_per_customer {self.max_purchases} buys nothing. Action: give 1 or more.": (
                self.max_purchases < 1
            ),
            f"--P_max {self.p_max} is negative. Action: give 0 or more.": self.p_max < 0,
            f"--P_threshold {self.p_threshold} is no share. Action: give a number in [0, 1].": not (
                0.0 <= self.p_threshold <= 1.0
            ),
        }
        for problem, there in problems.items():
            if there:
                raise SettingsError(problem)


@dataclass(frozen=True)
class Faults:
    """Faults of the original that can be put back, to see what they do."""

    #: popular is what has at least ``p_threshold`` of the SUM of all popularities: nothing ever has
    threshold_of_sum: bool = False
    #: the gender that a list is judged by is that of the garment bought, not of the garment recommended
    gender_of_bought: bool = False


@dataclass(frozen=True)
class Purchases:
    """R purchases in the order of their days; customers are numbers 0 .. C - 1, garments are rows."""

    customer: Ints
    item: Ints
    #: (R,) days since 2024-01-01
    day: Ints
    #: (R,) whether the garment was in its customer's popular set then
    popular: npt.NDArray[np.bool_]
    #: (C,) chance of buying what is popular, and the gender code of the first garment bought
    trendiness: Floats
    gender: npt.NDArray[np.int8]
    #: (N,) before the first purchase, and after the last
    initial_popularity: Ints
    popularity: Ints

    def date_of(self, row: int) -> date:
        """Return the day of a purchase."""
        return FIRST_DAY + timedelta(days=int(self.day[row]))


def buy(gender: npt.NDArray[np.int8], habits: Habits, faults: Faults, rng: np.random.Generator) -> Purchases:
    """Return what customers buy of N garments of these genders (N,).

    Each customer draws a trendiness from U(0, 1) and makes 1 .. ``max_purchases`` purchases on days of 2024, in the
    order of these days over all customers, so that popularity grows as time passes. The first is any garment, and its
    gender is the customer's; each later one comes, with a chance of their trendiness, from the popular garments of
    that gender (or for both), else from the others; where one set is empty, from the other. Nobody buys a garment
    twice. A purchase adds one to the garment's popularity at once.

    >>> bought = buy(np.full(50, 1, np.int8), Habits(customers=200), Faults(), np.random.default_rng(42))
    >>> trendy = bought.trendiness[bought.customer] > 0.5
    >>> bool(bought.popular[trendy].mean() > bought.popular[~trendy].mean())
    True
    """
    n = gender.size
    if n <= habits.max_purchases:
        raise SettingsError(f"{n} garments are too few. Action: give more than --max_purchases_per_customer.")
    trendiness = rng.random(habits.customers)
    popularity = rng.integers(0, habits.p_max, size=n, endpoint=True)
    initial = popularity.copy()
    count = rng.integers(1, habits.max_purchases, size=habits.customers, endpoint=True)
    customer = np.repeat(np.arange(habits.customers), count)
    day = rng.integers(0, DAYS, size=customer.size)
    order = np.lexsort((customer, day))
    customer, day = customer[order], day[order]
    item = np.full(customer.size, -1, np.int64)
    popular = np.zeros(customer.size, np.bool_)
    customers_gender = np.zeros(habits.customers, np.int8)
    bought: list[list[int]] = [[] for _ in range(habits.customers)]
    for row, buyer in enumerate(customer.tolist()):
        if not bought[buyer]:
            pool = np.arange(n)
        else:
            fits = (gender == customers_gender[buyer]) | (gender == UNISEX)
            fits[bought[buyer]] = False
            pool = np.flatnonzero(fits)
            if not pool.size:  # they have everything that is made for them
                pool = np.setdiff1d(np.arange(n), bought[buyer])
        is_popular = _popular(popularity, pool, habits.p_threshold, faults)
        if bought[buyer]:
            wanted = is_popular if rng.random() < trendiness[buyer] else ~is_popular
            chosen = np.flatnonzero(wanted if wanted.any() else ~wanted)
        else:
            chosen = np.arange(pool.size)
        place = int(chosen[rng.integers(chosen.size)])
        item[row], popular[row] = pool[place], is_popular[place]
        if not bought[buyer]:
            customers_gender[buyer] = gender[item[row]]
        bought[buyer].append(int(item[row]))
        popularity[item[row]] += 1
    return Purchases(
        customer.astype(np.int64),
        item,
        day.astype(np.int64),
        popular,
        trendiness,
        customers_gender,
        initial,
        popularity,
    )


def _popular(popularity: Ints, pool: Ints, share: float, faults: Faults) -> npt.NDArray[np.bool_]:
    """Return which of the pool (Q,) are popular: the ``ceil(share * Q)`` most popular ones, equal ones by number."""
    if faults.threshold_of_sum:
        return np.asarray(popularity[pool] >= share * popularity.sum())
    chosen = np.zeros(pool.size, np.bool_)
    best = np.lexsort((pool, -popularity[pool]))[: int(np.ceil(share * pool.size))]
    chosen[best] = True
    return chosen
