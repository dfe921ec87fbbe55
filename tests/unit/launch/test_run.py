from __future__ import annotations

import json
import threading
import uuid
from typing import Any

import pytest

from dashboard.feed import Feed
from launch.processes import ProgramFailed
from launch.run import CheckedSender, _Producing, _see_through
from producers.sender import RecordingSender, Sender
from trendloom.events import Purchase
from trendloom.verify.stream_check import StreamCheck


def _purchase(number: int) -> Purchase:
    return Purchase(
        schema_version=1,
        event_id=uuid.UUID(int=number),
        customer_id="c1",
        item_id="i1",
        occurred_at=1_600_000_000_000,
    )


class Talker:
    """A process that has said something."""

    name = "worker-0"

    def tail(self) -> str:
        return "my last words"


class QuietCrew:
    """Workers that never end; ``running`` holds one process for the error's words."""

    def __init__(self) -> None:
        self.running = {0: (Talker(), 0)}

    def raise_if_ended(self) -> None:
        pass

    def health(self, number: int) -> dict[str, Any]:
        return {"status": "ready", "counters": {"repeated": 1}}


class QuietReader:
    """A reader that never fails."""

    def raise_if_failed(self) -> None:
        pass


def _parts(
    most_awaited: int | None = None,
) -> tuple[CheckedSender, StreamCheck, Feed, RecordingSender, threading.Event]:
    check, feed, inner, stop = StreamCheck(), Feed(clock_s=lambda: 1.0), RecordingSender(), threading.Event()
    return CheckedSender(inner, check, feed, stop, most_awaited), check, feed, inner, stop


def test_a_purchase_is_noted_and_sent() -> None:
    sender, check, feed, inner, _ = _parts()
    sender.send(_purchase(1), sent_at_ms=5)
    sender.flush()
    assert (sender.sent, sender.acknowledged, sender.failed) == (1, 1, 0)
    assert inner.records[0].sent_at_ms == 5
    assert (check.outstanding, feed.state()["purchases_sent"]) == (1, 1)


def test_a_sender_waits_while_too_many_are_awaited() -> None:
    sender, check, _, inner, stop = _parts(most_awaited=2)
    sender.send(_purchase(1), sent_at_ms=0)
    sender.send(_purchase(2), sent_at_ms=0)
    third = threading.Thread(target=sender.send, args=(_purchase(3),), kwargs={"sent_at_ms": 0}, daemon=True)
    third.start()
    third.join(0.05)
    assert third.is_alive()
    payload = json.dumps({"event_id": str(uuid.UUID(int=1))})
    check.take_dead_letter(json.dumps({"topic": "t", "partition": 0, "offset": 0, "payload": payload}).encode())
    third.join(10.0)
    assert not third.is_alive()
    assert inner.sent == 3
    fourth = threading.Thread(target=sender.send, args=(_purchase(4),), kwargs={"sent_at_ms": 0}, daemon=True)
    fourth.start()
    stop.set()
    fourth.join(10.0)
    assert not fourth.is_alive()


def _see(producing: _Producing, check: StreamCheck, patience_s: float) -> None:
    crew: Any = QuietCrew()
    reader: Any = QuietReader()
    _see_through(producing, check, reader, crew, patience_s)


def test_a_run_without_progress_ends_with_the_workers_last_words() -> None:
    sender, check, *_, stop = _parts()

    def produce(to: Sender, _stop: threading.Event) -> None:
        to.send(_purchase(1), sent_at_ms=0)

    with pytest.raises(ProgramFailed, match=r"(?s)1 purchases have had no list.*repeated.*my last words.*Action:"):
        _see(_Producing(produce, sender, stop), check, 0.2)


def test_what_the_producer_raises_is_raised() -> None:
    sender, check, *_, stop = _parts()

    def produce(_to: Sender, _stop: threading.Event) -> None:
        raise KeyError("its own")

    with pytest.raises(KeyError, match="its own"):
        _see(_Producing(produce, sender, stop), check, 10.0)


def test_a_slow_producer_is_no_lack_of_progress() -> None:
    sender, check, *_, stop = _parts()
    go = threading.Event()

    def produce(_to: Sender, _stop: threading.Event) -> str:
        go.wait(10.0)
        return "summary"

    producing = _Producing(produce, sender, stop)
    timer = threading.Timer(0.4, go.set)
    timer.start()
    _see(producing, check, 0.1)
    timer.join()
    assert producing.summary == "summary"
