from __future__ import annotations

from evaluation.contestant import Purchases
from evaluation.contestants.sequences import Sequences


def test_later_purchases_are_not_in() -> None:
    made = Sequences.of([Purchases.of([1, 1], [5, 6], [0, 1]), Purchases.of([1, 2], [7, 8], [9, 10])], before_ms=10)
    assert made.item.tolist() == [5, 6, 7]
    assert made.column.tolist() == [0, 1, 2]
    assert made.count == 1


def test_an_item_that_comes_again_counts_where_it_came_first() -> None:
    made = Sequences.of([Purchases.of([1, 1, 1, 2], [6, 5, 6, 6], [0, 1, 2, 3])], before_ms=10)
    assert made.start.tolist() == [0, 2, 3]
    assert made.item[made.column].tolist() == [6, 5, 6]


def test_equal_times_keep_the_order_in_which_they_came() -> None:
    made = Sequences.of([Purchases.of([1, 1], [9, 3], [7, 7])], before_ms=10)
    assert made.item[made.column].tolist() == [9, 3]


def test_nothing_bought_is_no_sequence() -> None:
    made = Sequences.of([], before_ms=10)
    assert (made.count, made.start.tolist(), made.item.size) == (0, [0], 0)
