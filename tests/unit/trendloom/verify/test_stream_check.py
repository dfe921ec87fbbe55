from __future__ import annotations

import uuid
from typing import Any

import orjson
import pytest

from trendloom.verify.stream_check import StreamCheck


def _id(number: int) -> uuid.UUID:
    return uuid.UUID(int=number)


def _list(event: int, customer: str, number: int, **changes: Any) -> bytes:
    found = {
        "schema_version": 1,
        "customer_id": customer,
        "version": {"epoch": 5, "number": number},
        "cause": {
            "event_id": str(_id(event)),
            "item_id": "bought",
            "occurred_at": 1_600_000_000_000,
            "partition": 0,
            "offset": event,
        },
        "sent_at": 1_600_000_000_000,
        "made_at": 1_600_000_000_010,
        "preset": "balanced",
        "catalogue": "0123",
        "trendiness": 0.5,
        "percentile": 0.25,
        "entries": [{"item_id": "a", "score": 0.75, "parts": {"visual": 0.5, "trend": 0.25}}],
    }
    return orjson.dumps(found | changes)


def _checked(*sent: int) -> StreamCheck:
    check = StreamCheck(examine_every=1)
    for number in sent:
        check.sent(_id(number), f"c{1 + number % 2}")
    return check


def test_every_purchase_with_its_list() -> None:
    check = _checked(1, 2, 3)
    for event, customer, number in ((1, "c1", 1), (2, "c2", 1), (3, "c1", 2)):
        check.take_list(_list(event, customer, number), 1_600_000_000_040.0)
    found = check.summary()
    assert (found.purchases_sent, found.lists_published, found.customers) == (3, 3, 2)
    assert (found.missing_lists, found.duplicate_lists, found.foreign_lists, found.version_regressions) == (0, 0, 0, 0)
    assert (found.lists_examined, found.lists_malformed) == (3, 0)
    assert check.freshness.quantile_ms(0.5) == pytest.approx(40.0, rel=0.02)


def test_a_purchase_without_a_list_is_missing() -> None:
    check = _checked(1, 2)
    check.take_list(_list(1, "c1", 1), 0.0)
    assert (check.summary().missing_lists, check.outstanding) == (1, 1)


def test_a_list_that_comes_twice_is_a_duplicate_and_no_second_freshness() -> None:
    check = _checked(1, 2)
    for event, number in ((1, 1), (2, 2), (1, 1), (2, 2)):
        check.take_list(_list(event, "c1", number), 1_600_000_000_001.0)
    found = check.summary()
    assert (found.lists_published, found.duplicate_lists, found.version_regressions) == (4, 2, 0)
    assert check.freshness.count == 2


def test_a_new_list_behind_a_greater_version_is_a_regression() -> None:
    check = _checked(1, 2, 3)
    for event, number in ((1, 1), (3, 3), (2, 2)):
        check.take_list(_list(event, "c1", number), 0.0)
    found = check.summary()
    assert (found.version_regressions, found.duplicate_lists, found.missing_lists) == (1, 0, 0)


def test_a_new_epoch_counts_from_one_again() -> None:
    check = _checked(1, 2)
    check.take_list(_list(1, "c1", 7), 0.0)
    check.take_list(_list(2, "c1", 1, version={"epoch": 6, "number": 1}), 0.0)
    check.take_list(_list(1, "c1", 7), 0.0)
    found = check.summary()
    assert (found.version_regressions, found.duplicate_lists) == (0, 1)


def test_lists_of_others_are_told_apart() -> None:
    check = _checked(1)
    check.take_list(_list(99, "c9", 4), 0.0)
    assert (check.summary().foreign_lists, check.summary().missing_lists) == (1, 1)


def _dead(offset: int, payload: str) -> bytes:
    return orjson.dumps({"topic": "purchases", "partition": 0, "offset": offset, "payload": payload})


def test_a_dead_letter_settles_its_purchase() -> None:
    check = _checked(1)
    check.take_dead_letter(_dead(0, orjson.dumps({"event_id": str(_id(1))}).decode()))
    check.take_dead_letter(_dead(1, "not json"))
    check.take_dead_letter(_dead(2, "[1, 2]"))
    found = check.summary()
    assert (found.dead_letters, found.purchases_refused, found.missing_lists, check.settled) == (3, 1, 0, 3)


def test_a_dead_letter_that_comes_twice_counts_once() -> None:
    check = _checked(1)
    for _ in range(2):
        check.take_dead_letter(_dead(0, orjson.dumps({"event_id": str(_id(1))}).decode()))
    found = check.summary()
    assert (found.dead_letters, found.purchases_refused) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"entries": [{"item_id": "a", "score": 0.8, "parts": {"visual": 0.5, "trend": 0.25}}]}, "sum to"),
        ({"entries": [{"item_id": "bought", "score": 0.5, "parts": {"visual": 0.5}}]}, "just bought"),
        ({"entries": [{"item_id": "a", "score": 0.5, "parts": {"visual": 0.5}}] * 2}, "twice"),
        ({"trendiness": 1.5}, "not a list"),
        ({"schema_version": 2}, "not a list"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(changes: dict[str, Any], complaint: str) -> None:
    check = _checked(1)
    check.take_list(_list(1, "c1", 1, **changes), 0.0)
    assert check.summary().lists_malformed == 1
    assert complaint in check.complaints[0]


def test_only_some_lists_are_examined_when_asked() -> None:
    check = StreamCheck(examine_every=10)
    for number in range(1, 101):
        check.take_list(_list(number, "c1", number), 0.0)
    assert check.summary().lists_examined == 10


def test_complaints_are_bounded() -> None:
    check = _checked()
    for number in range(1, 50):
        check.take_list(_list(number, "c1", number, trendiness=2), 0.0)
    assert check.summary().lists_malformed == 49
    assert len(check.complaints) == 5


def test_a_debounced_list_covers_what_its_customer_was_sent_before() -> None:
    check = StreamCheck(debounced=True)
    for event, customer in ((1, "c1"), (2, "c2"), (3, "c1"), (4, "c1"), (5, "c1")):
        check.sent(_id(event), customer)
    check.take_list(_list(4, "c1", 3), 1_600_000_000_040.0)
    found = check.summary()
    assert (found.purchases_covered, found.missing_lists, check.outstanding, check.freshness.count) == (2, 2, 2, 1)
    check.take_list(_list(3, "c1", 2), 1_600_000_000_050.0)  # after a crash what was covered may come all the same
    check.take_list(_list(5, "c1", 4), 1_600_000_000_060.0)
    check.take_list(_list(2, "c2", 1), 1_600_000_000_060.0)
    found = check.summary()
    assert (found.purchases_covered, found.missing_lists, found.duplicate_lists) == (2, 0, 1)
    assert (found.foreign_lists, found.version_regressions) == (0, 0)


def test_a_dead_letter_is_not_covered() -> None:
    check = StreamCheck(debounced=True)
    for event in (1, 2):
        check.sent(_id(event), "c1")
    check.take_dead_letter(_dead(0, orjson.dumps({"event_id": str(_id(1))}).decode()))
    check.take_list(_list(2, "c1", 1), 0.0)
    found = check.summary()
    assert (found.purchases_refused, found.purchases_covered, found.missing_lists) == (1, 0, 0)


def test_without_debounce_a_later_list_covers_nothing() -> None:
    check = _checked(1, 3)
    check.take_list(_list(3, "c2", 2), 0.0)
    assert (check.summary().purchases_covered, check.outstanding) == (0, 1)
