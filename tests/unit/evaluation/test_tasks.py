from __future__ import annotations

import numpy as np

from evaluation.contestant import DAY_MS, Purchases
from evaluation.tasks import TASKS, ask

#           customer, item, at
EVENTS = [(1, 5, 10), (2, 8, 20), (1, 6, 30), (1, 7, 40), (2, 8, DAY_MS + 5), (1, 5, DAY_MS + 6), (3, 9, DAY_MS + 7)]


def answers(task: str, *, from_ms: int = 0) -> list[list[int]]:
    questions = ask(log(), from_ms=from_ms)
    lists = questions.answers[task]
    return [lists.items[lists.starts[row] : lists.starts[row + 1]].tolist() for row in range(len(EVENTS))]


def log() -> Purchases:
    customer, item, at_ms = zip(*EVENTS, strict=True)
    return Purchases.of(customer, item, at_ms)


def test_next_in_session_may_be_days_later_and_is_another_item() -> None:
    assert answers("next_in_session") == [[6], [], [7], [5], [], [], []]


def test_the_rest_of_the_basket_ends_with_the_day() -> None:
    assert answers("rest_of_basket") == [[6, 7], [], [7], [], [], [], []]


def test_a_basket_is_asked_before_its_first_purchase() -> None:
    assert answers("next_basket") == [[5, 6, 7], [8], [], [], [8], [5], [9]]


def test_the_warm_up_is_not_asked() -> None:
    asked = ask(log(), from_ms=DAY_MS)
    assert asked.scored.tolist() == [False] * 4 + [True] * 3
    assert answers("next_basket", from_ms=DAY_MS) == [[], [], [], [], [8], [5], [9]]
    assert answers("next_in_session", from_ms=DAY_MS) == [[]] * 7


def test_nothing_is_asked_from_the_end_on() -> None:
    assert ask(log(), from_ms=0, to_ms=DAY_MS).scored.tolist() == [True] * 4 + [False] * 3


def test_every_second_basket_in_the_order_in_which_they_begin() -> None:
    assert ask(log(), from_ms=0, every=2).scored.tolist() == [True, False, True, True, True, False, True]


def test_cold_is_whoever_bought_on_no_earlier_day() -> None:
    assert ask(log(), from_ms=0).cold.tolist() == [True, True, True, True, False, False, True]


def test_nothing_bought_nothing_asked() -> None:
    none = np.zeros(0, np.int64)
    questions = ask(Purchases.of(none, none, none), from_ms=0)
    assert all(len(questions.answers[task]) == 0 for task in TASKS)
