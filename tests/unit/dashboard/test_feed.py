from __future__ import annotations

from typing import Any

import pytest

from dashboard.feed import Feed


class Clock:
    """A clock that is set by hand, seconds since the epoch."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def _list(customer: str = "c1", sent_at: int | None = 1_000_000) -> dict[str, Any]:
    return {"customer_id": customer, "sent_at": sent_at, "entries": []}


def test_rates_are_those_of_the_last_whole_seconds() -> None:
    clock = Clock()
    feed = Feed(clock_s=clock)
    for second in range(20):
        clock.now_s = 1000.0 + second
        for _ in range(30):
            feed.purchase_sent()
            feed.list_published(_list(), 1_000_025.0)
    clock.now_s = 1020.0
    state = feed.state()
    assert (state["purchases_per_s"], state["lists_per_s"]) == (30.0, 30.0)
    assert state["lists_each_s"] == [30] * 10
    assert state["freshness_ms"]["p50"] == pytest.approx(25.0, rel=0.02)
    assert (state["purchases_sent"], state["lists_published"], state["awaited"]) == (600, 600, 0)


def test_an_idle_feed_forgets_its_rates() -> None:
    clock = Clock()
    feed = Feed(clock_s=clock)
    feed.purchase_sent()
    feed.list_published(_list(), 1_000_025.0)
    clock.now_s += 60
    state = feed.state()
    assert (state["purchases_per_s"], state["freshness_ms"]["p50"]) == (0.0, None)
    assert state["purchases_sent"] == 1


def test_the_latest_lists_are_kept_newest_first_and_no_faster_than_anybody_reads() -> None:
    clock = Clock()
    feed = Feed(clock_s=clock, recent=3)
    for number in range(1000):
        clock.now_s = 1000.0 + number * 0.01
        feed.list_published(_list(f"c{number}"), 0.0)
    shown = [found["customer_id"] for found in feed.state()["recent"]]
    assert len(shown) == 3
    assert shown == sorted(shown, key=lambda name: -int(name[1:]))
    assert int(shown[0][1:]) - int(shown[1][1:]) >= 70


def test_a_list_without_a_send_time_has_no_freshness() -> None:
    clock = Clock()
    feed = Feed(clock_s=clock)
    feed.list_published(_list(sent_at=None), 5.0)
    clock.now_s += 1
    assert feed.state()["freshness_ms"] == {"p50": None, "p99": None}


def test_status_rising_and_dead_letters_are_told() -> None:
    feed = Feed(clock_s=Clock(), preset="paper")
    feed.status("running")
    feed.rising({"items": [{"item_id": "a", "rising": 2.0}]})
    feed.purchase_sent()
    feed.dead_letter()
    state = feed.state()
    assert (state["status"], state["preset"], state["dead_letters"], state["awaited"]) == ("running", "paper", 1, 0)
    assert state["rising"] == [{"item_id": "a", "rising": 2.0}]
