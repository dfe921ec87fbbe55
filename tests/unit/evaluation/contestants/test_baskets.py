from __future__ import annotations

import numpy as np
import pytest

from evaluation.contestant import DAY_MS, Purchases
from evaluation.contestants.baskets import Baskets


def test_later_purchases_are_not_in() -> None:
    batches = [Purchases.of([1, 2], [5, 6], [0, 1]), Purchases.of([1, 3], [7, 8], [DAY_MS - 1, DAY_MS])]
    made = Baskets.of(batches, before_ms=DAY_MS)
    assert made.item.tolist() == [5, 6, 7]
    assert made.count == 2


def test_a_customers_days_are_baskets_of_their_own() -> None:
    made = Baskets.of([Purchases.of([1, 1, 1], [5, 6, 5], [0, 9, DAY_MS])], before_ms=2 * DAY_MS)
    assert made.basket.tolist() == [0, 0, 1]
    assert made.sizes.tolist() == [2, 1]


def test_nothing_bought_is_no_basket() -> None:
    made = Baskets.of([], before_ms=DAY_MS)
    assert (made.count, made.item.size, made.sizes.size) == (0, 0, 0)


def test_the_table_holds_ones() -> None:
    pytest.importorskip("scipy", reason="needs the extra evaluation: pip install 'trendloom[evaluation]'")
    table = Baskets.of([Purchases.of([1, 1, 2], [5, 5, 6], [0, 1, 2])], before_ms=DAY_MS).sparse()
    assert np.asarray(table.todense()).tolist() == [[1.0, 0.0], [0.0, 1.0]]
