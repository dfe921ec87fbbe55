"""A rehearsal: a day that is over goes by once more in another order, and one that has begun does not."""

import numpy as np
import pytest

pytest.importorskip("numba", reason="the extra fast is not installed")

from dataclasses import replace

from small_log import small_ground

from evaluation.contestant import Purchases
from evaluation.ranking.rehearsal import ORDERS_OF_DAYS, Rehearsal, orders_of, train

pytestmark = pytest.mark.timeout(300)  # the first one compiles the kernel
DAY_MS = 86_400_000


def day(number: int) -> Purchases:
    """Return a day in which 40 customers buy the items 0 and 1, always in that order."""
    start = 18_521 * DAY_MS + number * DAY_MS
    rows = [(who, item, start + who * 60_000 + item) for who in range(40) for item in (0, 1)]
    return Purchases.of(*np.array(rows, np.int64).T)


def bought_in_other_orders(rehearsal: Rehearsal) -> set[int]:
    """Return the days of the examples of all orders but the first."""
    return {int(one) for walk in rehearsal._others for table in walk.examples.tables() for one in table.day}


def test_a_day_goes_by_again_when_it_is_over_and_not_before() -> None:
    rehearsal = Rehearsal(small_ground(), np.random.default_rng(1), orders=3)
    for number in range(2):
        for start in range(0, 80, 20):
            rehearsal.take(day(number).part(slice(start, start + 20)))
    for walk in rehearsal._others:
        walk.examples.settle()
        assert walk.loop.dynamics.purchases.sum() == 80
    assert bought_in_other_orders(rehearsal) == {18_521}
    assert rehearsal.loop.dynamics.purchases.sum() == 160


def test_the_other_orders_learn_the_same_purchases() -> None:
    rehearsal = Rehearsal(small_ground(), np.random.default_rng(1), orders=2)
    for number in range(3):
        rehearsal.take(day(number))
    rehearsal.take(day(3).part(slice(0, 1)))
    (other,) = rehearsal._others
    assert other.loop.dynamics.purchases[:2].tolist() == [120, 120]
    other.examples.settle()
    assert other.examples.count > 0


def test_what_is_not_kept_is_learnt_all_the_same() -> None:
    rehearsal = Rehearsal(small_ground(), np.random.default_rng(1), orders=2)
    for number in range(3):
        rehearsal.take(day(number), keep=False)
    assert rehearsal.examples.count == 0
    assert bought_in_other_orders(rehearsal) == set()
    assert rehearsal._others[0].loop.dynamics.purchases.sum() == 160


def test_only_a_log_without_times_goes_by_in_several_orders() -> None:
    shop = small_ground()
    assert orders_of(shop) == 1
    assert orders_of(replace(shop, days_only=True)) == ORDERS_OF_DAYS


def test_several_orders_make_several_times_the_examples() -> None:
    pytest.importorskip("lightgbm", reason="the extra ranking is not installed")
    from evaluation.ranking.growing import Growth

    log = Purchases.of(
        *(np.concatenate([getattr(day(number), name) for number in range(4)]) for name in ("customer", "item", "at_ms"))
    )
    small = Growth(rounds=5, least_rounds=2, patience=5, leaves=4, least_rows=2)
    one, four = (train(log, small_ground(), small, orders=orders) for orders in (1, 4))
    assert four.examples > 3 * one.examples
