from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from dashboard.feed import Feed
from launch.terminal_view import draw


def _drawn(feed: Feed, *, height: int = 40, address: str | None = None) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    with console.capture() as captured:
        console.print(draw(feed.state(), {"i1": "Navy T-Shirt", "i2": "Red Dress"}, address, height))
    return captured.get()


def _list(customer: str) -> dict[str, Any]:
    return {
        "customer_id": customer,
        "version": {"epoch": 1, "number": 4},
        "cause": {"item_id": "i1"},
        "trendiness": 0.25,
        "sent_at": None,
        "entries": [{"item_id": "i2", "score": 0.75, "parts": {"co_purchase": 0.5, "visual": 0.25, "taste": -0.1}}],
    }


def test_a_list_is_shown_with_titles_score_and_leading_part() -> None:
    feed = Feed(clock_s=lambda: 10.0)
    feed.list_published(_list("c7"), 0.0)
    text = _drawn(feed, address="http://127.0.0.1:8799/")
    for piece in ("c7 bought Navy T-Shirt", "purchase 4, trendiness 0.25", "Red Dress", "0.750", "co purchase", "8799"):
        assert piece in text


def test_rising_items_are_shown_by_title_and_strangers_by_id() -> None:
    feed = Feed(clock_s=lambda: 10.0)
    feed.rising(
        {
            "items": [
                {"item_id": "i2", "rising": 3.5, "popularity": 12.25, "purchases": 40},
                {"item_id": "unheard-of", "rising": 1.0, "popularity": 1.0, "purchases": 1},
            ]
        }
    )
    text = _drawn(feed)
    assert "×3.50" in text
    assert "Red Dress" in text
    assert "unheard-of" in text


def test_an_empty_feed_can_be_drawn() -> None:
    assert "the first snapshot comes" in _drawn(Feed(clock_s=lambda: 10.0))


def test_a_low_terminal_shows_fewer_lists() -> None:
    feed = Feed(clock_s=lambda: 10.0)
    feed.list_published(_list("c1"), 0.0)
    feed.list_published(_list("c2"), 0.0)
    assert _drawn(feed, height=50).count(" bought ") == 2
    assert _drawn(feed, height=20).count(" bought ") == 1
