"""What an evaluation asks, and which items would have been right: three tasks over one log.

``next_in_session`` (after each purchase: the customer's next different item, that day or later), ``rest_of_basket``
(the same lists: what the customer still buys that day) and ``next_basket`` (before a customer's day: all of that day).
Answers are read by the scoring alone, never by a contestant. Read next: :mod:`evaluation.prequential`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS, Purchases
from evaluation.next_in_session import next_different
from trendloom.relevance.features import Lists

__all__ = ["AFTER_TASKS", "TASKS", "Questions", "ask"]

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

#: The tasks that a list right after a purchase is judged by.
AFTER_TASKS = ("next_in_session", "rest_of_basket")
TASKS = (*AFTER_TASKS, "next_basket")


@dataclass(frozen=True, eq=False)
class Questions:
    """The questions about R purchases: which of them are scored (R,), and the right answers, a list for each purchase.

    ``first`` (R,) marks the first purchase of each customer's day, which ``next_basket`` is asked before; ``cold`` (R,)
    marks purchases of customers of whom nothing from an earlier day is known.
    """

    scored: Flags
    first: Flags
    cold: Flags
    answers: dict[str, Lists]


def ask(purchases: Purchases, *, from_ms: int, to_ms: int | None = None, every: int = 1) -> Questions:
    """Return the questions about purchases that are in event-time order, each (day, customer, item) once.

    Scored are the baskets (a customer's UTC day) with ``from_ms`` <= event time < ``to_ms``; of those every
    ``every``-th, in the order in which they begin.

    >>> asked = ask(Purchases.of([1, 2, 1, 1], [5, 8, 6, 7], [0, 1, 2, DAY_MS]), from_ms=0)
    >>> [asked.answers["next_in_session"].expand(np.array([row]), 9)[1].tolist() for row in range(4)]
    [[6], [], [7], []]
    >>> [asked.answers["rest_of_basket"].expand(np.array([row]), 9)[1].tolist() for row in range(4)]
    [[6], [], [], []]
    >>> [asked.answers["next_basket"].expand(np.array([row]), 9)[1].tolist() for row in range(4)]
    [[5, 6], [8], [], [7]]
    """
    size = len(purchases)
    day = purchases.at_ms // DAY_MS
    order = np.lexsort((np.arange(size), day, purchases.customer))  # baskets one after the other
    customer_there, day_there = purchases.customer[order], day[order]
    new = np.ones(size, np.bool_)
    new[1:] = (customer_there[1:] != customer_there[:-1]) | (day_there[1:] != day_there[:-1])
    starts = np.flatnonzero(new)
    sizes = np.diff(np.append(starts, size))
    first = np.zeros(size, np.bool_)
    first[order[starts]] = True
    serial = np.empty(starts.size, np.int64)  # of each basket, in the order in which they begin
    within = (purchases.at_ms[order[starts]] >= from_ms) & (
        to_ms is None or purchases.at_ms[order[starts]] < (to_ms or 0)
    )
    begin = np.argsort(order[starts], kind="stable")
    serial[begin] = np.cumsum(within[begin]) - 1
    chosen = within & (serial % every == 0)
    scored = np.zeros(size, np.bool_)
    scored[order] = np.repeat(chosen, sizes)
    cold = np.zeros(size, np.bool_)
    newcomer = np.ones(starts.size, np.bool_)
    newcomer[1:] = customer_there[starts[1:]] != customer_there[starts[:-1]]
    cold[order] = np.repeat(newcomer, sizes)
    following = next_different(purchases.customer, purchases.item)
    following[~scored] = -1
    place = np.arange(size) - np.repeat(starts, sizes)  # in its basket, for rows in order
    left = np.where(scored[order], np.repeat(sizes, sizes) - place - 1, 0)
    whole = np.where(scored[order] & new, np.repeat(sizes, sizes), 0)
    return Questions(
        scored,
        first,
        cold,
        {
            "next_in_session": _one_each(following),
            "rest_of_basket": _runs(purchases.item[order], order, np.arange(size) + 1, left),
            "next_basket": _runs(purchases.item[order], order, np.arange(size), whole),
        },
    )


def _one_each(item: Ints) -> Lists:
    there = item >= 0
    return Lists(np.concatenate([[0], np.cumsum(there)]).astype(np.int64), item[there])


def _runs(items: Ints, order: Ints, begin: Ints, length: Ints) -> Lists:
    """Return, for the purchase at each place of ``order`` (R,), the run of ``items`` from ``begin`` of some length."""
    sizes, begins = np.empty_like(length), np.empty_like(begin)
    sizes[order], begins[order] = length, begin
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    place = np.arange(int(starts[-1])) - np.repeat(starts[:-1], sizes) + np.repeat(begins, sizes)
    return Lists(starts, items[place])
