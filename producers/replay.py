"""A recorded purchase log → topic, in event-time order: at its own pace, faster, or as fast as possible; resumable.

Event times stay the log's; only the sending is paced. Nothing here reads files of purchases
(:mod:`trendloom.logs.read` does) or knows Kafka (``producers/sender.py`` does).
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from producers.pace import Clock, SystemClock, wait_until
from producers.sender import Sender
from trendloom.errors import LogFormatError
from trendloom.logs.purchase_log import PurchaseLog

__all__ = ["ReplayProgress", "ReplaySummary", "Resumption", "replay_log"]

_RESUMPTION_FORMAT = 1
#: Purchases between two looks at the clock for progress and resumption, when sending as fast as possible.
_STRIDE = 500
#: The resumption file is written at most this often.
_SAVE_EVERY_MS = 1000.0


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """How far a replay is: purchases handed over and acknowledged, of how many, and the log's time reached (ms)."""

    sent: int
    acknowledged: int
    total: int
    event_time_ms: int


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """What a replay did: ``first`` is the place in the order where it began; ``finished``: it came to the end."""

    log: str
    sha256: str
    seed: int
    total: int
    first: int
    sent: int
    acknowledged: int
    finished: bool
    wall_s: float
    first_event_ms: int | None
    last_event_ms: int | None


@dataclass(frozen=True, slots=True)
class Resumption:
    """A small file that remembers how much of which log was acknowledged; written whole or not at all."""

    path: Path

    def load(self, log: PurchaseLog) -> int:
        """Return how many purchases of this log are acknowledged; 0 if there is no file.

        Raises :class:`LogFormatError` if the file is of another log, order, or format: going on would skip purchases.
        """
        if not self.path.exists():
            return 0
        try:
            told = orjson.loads(self.path.read_bytes())
            version, key, done = told["format_version"], told["order_key"], told["acknowledged"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise LogFormatError(
                f"{self.path} is no resumption file. Action: remove it, or replay without --resume."
            ) from error
        if version != _RESUMPTION_FORMAT or key != log.order_key or not 0 <= done <= len(log):
            raise LogFormatError(
                f"{self.path} belongs to another log, mapping, seed or window than {log.name}. Action: replay with the "
                "same options as before, or remove the file to begin anew."
            )
        return int(done)

    def save(self, log: PurchaseLog, acknowledged: int) -> None:
        """Remember that the first ``acknowledged`` purchases are safe."""
        told = {
            "format_version": _RESUMPTION_FORMAT,
            "log": log.name,
            "sha256": log.sha256,
            "order_key": log.order_key,
            "acknowledged": acknowledged,
            "last_row": int(log.row[acknowledged - 1]) if acknowledged else None,
            "total": len(log),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(self.path.name + ".part")
        with beside.open("wb") as file:
            file.write(orjson.dumps(told, option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)


def replay_log(
    log: PurchaseLog,
    sender: Sender,
    *,
    speed: float | None = None,
    first: int = 0,
    resumption: Resumption | None = None,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    progress: Callable[[ReplayProgress], None] | None = None,
) -> ReplaySummary:
    """Send the purchases of a log from place ``first`` on, in event-time order, and wait until they are acknowledged.

    ``speed`` divides the gaps between purchases (1: as recorded, 60: a minute a second); ``None`` sends as fast as
    possible. A purchase's intended send time is start + (its event time - the first one's) / speed. ``stop`` ends the
    replay early; what was sent by then is still waited for. With ``resumption`` the acknowledged place is saved every
    second, at the end, and when the broker fails: a later replay from there repeats at most what was in flight, and
    repeated purchases have the same event ids. Raises :class:`~trendloom.errors.BrokerUnavailable` from the sender.
    """
    if speed is not None and not (speed > 0 and math.isfinite(speed)):
        raise LogFormatError(f"speed {speed} is not positive. Action: give a number above 0, or max.")
    clock = clock or SystemClock()
    started_ms = saved_ms = clock.now_ms()
    sent_before, acknowledged_before = sender.sent, sender.acknowledged
    sent = 0
    origin_ms = int(log.occurred_at_ms[first]) if first < len(log) else 0

    def acknowledged() -> int:
        return first + sender.acknowledged - acknowledged_before

    try:
        for purchase in log.purchases(first):
            if speed is None:
                if sent % _STRIDE == 0 and stop is not None and stop.is_set():
                    break
                due_ms = clock.now_ms()
            else:
                due_ms = started_ms + (purchase.occurred_at - origin_ms) / speed
                if not wait_until(due_ms, clock, stop):
                    break
            sender.send(purchase, sent_at_ms=int(due_ms))
            sent += 1
            if speed is not None or sent % _STRIDE == 0:
                if progress is not None:
                    progress(ReplayProgress(first + sent, acknowledged(), len(log), purchase.occurred_at))
                if resumption is not None and clock.now_ms() - saved_ms >= _SAVE_EVERY_MS:
                    resumption.save(log, acknowledged())
                    saved_ms = clock.now_ms()
        sender.flush()
    finally:
        if resumption is not None:
            resumption.save(log, acknowledged())
    last_ms = int(log.occurred_at_ms[first + sent - 1]) if sent else None
    if progress is not None and last_ms is not None:
        progress(ReplayProgress(first + sent, acknowledged(), len(log), last_ms))
    return ReplaySummary(
        log=log.name,
        sha256=log.sha256,
        seed=log.seed,
        total=len(log),
        first=first,
        sent=sender.sent - sent_before,
        acknowledged=acknowledged() - first,
        finished=first + sent == len(log),
        wall_s=(clock.now_ms() - started_ms) / 1000.0,
        first_event_ms=origin_ms if sent else None,
        last_event_ms=last_ms,
    )
