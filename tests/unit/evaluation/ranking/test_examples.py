"""Examples: what was bought later that day, and nothing else, is an answer."""

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("numba", reason="the extra fast is not installed")

from evaluation.ranking.examples import Examples
from trendloom.relevance.learned.lists import Described
from trendloom.relevance.learned.signals import SIGNALS

DAY_MS = 86_400_000


def described(candidates: list[list[int]]) -> Described:
    """Return candidates whose first signal is their number."""
    item = np.array([one for some in candidates for one in some], np.int64)
    signals = np.zeros((item.size, len(SIGNALS)), np.float32)
    signals[:, 0] = item
    starts = np.cumsum([0, *map(len, candidates)])
    return Described(starts, item, np.zeros(item.size, np.int64), signals)


def longs(*values: int) -> npt.NDArray[np.int64]:
    return np.array(values, np.int64)


def test_answers_are_what_the_customer_bought_later_that_day() -> None:
    examples = Examples(np.random.default_rng(1), kept=1.0)
    examples.ask(longs(1, 2, 1), longs(5, 8, 6), longs(0, 1, 2), described([[6, 7, 8], [5], [7, 9]]))
    examples.ask(longs(1), longs(7), longs(3), described([[9]]))
    examples.ask(longs(1), longs(9), longs(DAY_MS), described([[5]]))
    examples.settle()
    table = examples.table()
    assert table.customer.tolist() == [1, 1]
    assert table.sizes.tolist() == [3, 2]
    assert table.signals[:, 0].tolist() == [6, 7, 8, 7, 9]
    assert table.bought.tolist() == [1, 1, 0, 1, 0]
    assert table.day.tolist() == [0, 0]


def test_a_basket_is_finished_when_enough_others_bought() -> None:
    examples = Examples(np.random.default_rng(1), patience=2)
    examples.ask(longs(1), longs(5), longs(0), described([[6]]))
    examples.ask(longs(1), longs(6), longs(1), described([[7]]))
    assert examples.table().sizes.size == 0
    examples.ask(longs(2, 3), longs(5, 5), longs(2, 2), described([[6], [6]]))
    assert examples.table().sizes.tolist() == [1]


def test_most_of_what_was_not_bought_is_left_out_but_no_answer() -> None:
    examples = Examples(np.random.default_rng(1), kept=0.3)
    examples.ask(longs(1, 1), longs(0, 999), longs(0, 1), described([list(range(1, 1_001)), [5]]))
    examples.settle()
    table = examples.table()
    assert table.bought.sum() == 1
    assert 200 < table.sizes[0] < 400
    assert table.signals[table.bought == 1, 0].tolist() == [999]


def test_the_latest_examples_are_handed_out() -> None:
    examples = Examples(np.random.default_rng(1), kept=1.0)
    for day in range(4):
        examples.ask(longs(day, day), longs(1, 2), longs(0, 1) + day * DAY_MS, described([[2], [3]]))
    examples.settle()
    assert examples.table(most=2).day.tolist() == [2, 3]
