from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from evaluation.contestant import DAY_MS, Ground, Purchases
from evaluation.contestants.baskets import Baskets
from evaluation.contestants.trained import Trained
from evaluation.ground import bare_ground

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
HOUR_MS = 3_600_000


class Next:
    """A model that recommends the column after the newest one."""

    def __init__(self, size: int) -> None:
        self.size = size

    def scores(self, column: Ints, weight: Floats) -> Floats:
        scores = np.full((column.shape[0], self.size), -np.inf, np.float32)
        scores[np.arange(column.shape[0]), (column[:, 0] + 1) % self.size] = 1.0
        return scores


class Trainer:
    """Notes what every training was given."""

    def __init__(self) -> None:
        self.baskets: list[Baskets] = []
        self.draws: list[int] = []

    def __call__(self, baskets: Baskets, rng: np.random.Generator) -> Next:
        self.baskets.append(baskets)
        self.draws.append(int(rng.integers(1000)))
        return Next(baskets.item.size)


def step(one: Trained, ground: Ground, batch: Purchases, k: int = 3) -> list[list[int]]:
    lists = one.after(batch, k)
    one.learn(batch)
    ground.customers.learn(batch)
    return [[int(item) for item in row] for row in lists]


def shop(every_ms: int = DAY_MS) -> tuple[Trained, Ground, Trainer]:
    ground, trainer = bare_ground(30), Trainer()
    return Trained("next", ground, trainer, every_ms=every_ms), ground, trainer


def test_each_day_is_answered_by_the_days_before() -> None:
    one, ground, trainer = shop()
    step(one, ground, Purchases.of([1, 2], [5, 6], [0, 1]))
    assert trainer.baskets == []  # the first day: nothing to learn from
    step(one, ground, Purchases.of([1], [7], [DAY_MS - 1]))
    assert step(one, ground, Purchases.of([3], [5], [DAY_MS]))[0][0] == 6
    assert trainer.baskets[0].item.tolist() == [5, 6, 7]
    step(one, ground, Purchases.of([3], [9], [DAY_MS + 5]))
    assert len(trainer.baskets) == 1
    step(one, ground, Purchases.of([3], [9], [3 * DAY_MS]))
    assert trainer.baskets[1].item.tolist() == [5, 6, 7, 9]


def test_nothing_of_the_day_itself_is_learnt_even_where_a_batch_spans_midnight() -> None:
    one, ground, trainer = shop()
    step(one, ground, Purchases.of([1, 1], [5, 6], [0, 1]))
    step(one, ground, Purchases.of([2], [8], [DAY_MS + 1]))
    first = step(one, ground, Purchases.of([3, 4], [5, 5], [DAY_MS + 2, 2 * DAY_MS]))
    assert [baskets.item.tolist() for baskets in trainer.baskets] == [[5, 6], [5, 6, 8]]
    assert [row[0] for row in first] == [6, 6]


def test_shorter_periods_train_on_what_the_day_has_brought_so_far() -> None:
    one, ground, trainer = shop(every_ms=HOUR_MS)
    step(one, ground, Purchases.of([1], [5], [0]))
    step(one, ground, Purchases.of([1], [6], [HOUR_MS]))
    assert trainer.baskets[0].item.tolist() == [5]


def test_a_model_that_is_renewed_seldom_serves_until_then() -> None:
    ground, trainer = bare_ground(30), Trainer()
    one = Trained("next", ground, trainer, renew_every=3)
    for day in range(6):
        step(one, ground, Purchases.of([day], [5 + day], [day * DAY_MS]))
    assert [baskets.item.tolist() for baskets in trainer.baskets] == [[5], [5, 6, 7, 8]]


def test_what_was_bought_today_is_left_out_and_popular_items_fill_the_rest() -> None:
    one, ground, _ = shop()
    step(one, ground, Purchases.of([1, 2, 3, 1], [5, 6, 6, 7], [0, 1, 2, 3]))
    lists = step(one, ground, Purchases.of([4, 4, 5], [5, 6, 29], [DAY_MS, DAY_MS, DAY_MS]))
    assert lists[0][0] == 6
    assert lists[1] == [7, -1, -1]  # 5 and 6 are bought, and nothing else is known
    assert lists[2][0] == 6  # an item that no model knows: popular ones


def test_a_customer_without_a_past_is_shown_what_is_popular() -> None:
    one, ground, _ = shop()
    step(one, ground, Purchases.of([1, 2, 3], [5, 6, 6], [0, 1, 2]))
    assert one.before(np.array([1, 9]), np.array([DAY_MS, DAY_MS]), 2).tolist() == [[6, 5], [6, 5]]


def test_each_training_has_its_own_draws_and_the_same_ones_in_every_run() -> None:
    draws = []
    for _ in range(2):
        one, ground, trainer = shop()
        for day in range(3):
            step(one, ground, Purchases.of([1], [5], [day * DAY_MS]))
        draws.append(trainer.draws)
    assert draws[0] == draws[1]
    assert len(set(draws[0])) == len(draws[0]) == 2


@pytest.mark.parametrize("k", [1, 3])
def test_lists_do_not_depend_on_how_many_are_asked_at_once(k: int) -> None:
    rng = np.random.default_rng(4)
    customer, item = rng.integers(8, size=600), rng.integers(30, size=600)
    at_ms = np.sort(rng.integers(3 * DAY_MS, size=600))
    runs = []
    for size in (1, 300):
        one, ground, _ = shop()
        learnt = Purchases.of(customer[:200], item[:200], at_ms[:200] % DAY_MS)
        one.learn(learnt)
        ground.customers.learn(learnt)
        asked = Purchases.of(customer[200:], item[200:], at_ms[200:] + DAY_MS)
        lists = []
        for start in range(0, 400, size):
            part = asked.part(slice(start, start + size))
            lists.extend(one.after(part, k)[:, 0].tolist())
            ground.customers.learn(part)
        runs.append(lists)
    assert runs[0] == runs[1]
