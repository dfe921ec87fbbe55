from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluation.next_in_session import DAY_MS, asked, next_different, popularity_lists, score_lists, score_published
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.read import read_log

ROWS = (
    "customer_id,item_id,occurred_at",
    "ann,shoe,2020-09-16T10:00:00Z",
    "bob,hat,2020-09-16T10:01:00Z",
    "ann,coat,2020-09-16T10:02:00Z",
    "ann,coat,2020-09-16T10:03:00Z",  # a second piece: the same day, the same item
    "ann,shoe,2020-09-17T10:00:00Z",
    "bob,coat,2020-09-17T10:01:00Z",
    "ann,belt,2020-09-17T10:02:00Z",
)
FIRST_DAY_MS = 18_521 * DAY_MS


@pytest.fixture
def log(tmp_path: Path) -> PurchaseLog:
    path = tmp_path / "log.csv"
    path.write_text("\n".join(ROWS) + "\n")
    return read_log(path)


def test_the_target_is_the_customers_next_different_item() -> None:
    customer = np.array([1, 2, 1, 1, 2, 1])
    item = np.array([5, 5, 5, 7, 8, 5])
    assert next_different(customer, item).tolist() == [7, 8, 7, 5, -1, -1]


def test_repeated_pieces_and_last_purchases_are_not_asked(log: PurchaseLog) -> None:
    question = asked(log, from_ms=FIRST_DAY_MS)
    pairs = [
        (log.customers[log.customer[place]], log.items[log.item[place]], log.items[target])
        for place, target in zip(question.place.tolist(), question.target.tolist(), strict=True)
    ]
    assert pairs == [
        ("ann", "shoe", "coat"),
        ("bob", "hat", "coat"),
        ("ann", "coat", "shoe"),
        ("ann", "shoe", "belt"),
    ]


def test_only_the_scored_days_are_asked(log: PurchaseLog) -> None:
    assert asked(log, from_ms=FIRST_DAY_MS + DAY_MS).target.size == 1
    assert asked(log, from_ms=FIRST_DAY_MS, to_ms=FIRST_DAY_MS + DAY_MS).target.size == 3


def test_published_lists_are_matched_by_the_event_that_caused_them(log: PurchaseLog) -> None:
    ids = [str(event_id) for event_id in log.event_ids()]
    published = [
        (ids[0], ["hat", "coat"]),  # hit at the second place
        (ids[1], ["shoe", "hat"]),  # corrected below: the last list of a purchase counts
        (ids[1], ["coat", "hat"]),
        (ids[2], ["never-sold", "belt"]),  # miss
        (ids[3], ["shoe"]),  # the repeated piece is not asked
        ("someone-elses", ["coat"]),
    ]
    result = score_published(log, published, from_ms=FIRST_DAY_MS, k=2)
    assert (result.purchases, result.lists) == (4, 3)
    assert result.hit_at_k == 2 / 4
    assert result.ndcg_at_k == pytest.approx((1 / np.log2(3) + 1) / 4)


def test_lists_longer_than_k_are_cut(log: PurchaseLog) -> None:
    ids = [str(event_id) for event_id in log.event_ids()]
    result = score_published(log, {ids[0]: ["hat", "coat"]}, from_ms=FIRST_DAY_MS, k=1)
    assert result.hit_at_k == 0.0


def test_popularity_knows_the_past_only_and_not_what_was_bought_today(log: PurchaseLog) -> None:
    question = asked(log, from_ms=FIRST_DAY_MS)
    lists = popularity_lists(log, question, half_life_s=None, k=3, batch=1)
    named = [[log.items[item] for item in row if item >= 0] for row in lists.tolist()]
    assert named == [[], ["shoe"], ["hat"], ["hat", "coat"]]
    assert score_lists(lists, question, k=3).hit_at_k == 0.0


def test_a_short_half_life_prefers_what_sold_last(log: PurchaseLog) -> None:
    question = asked(log, from_ms=FIRST_DAY_MS + DAY_MS)
    lists = popularity_lists(log, question, half_life_s=60.0, k=1, batch=1)
    assert log.items[lists[0, 0]] == "coat"
