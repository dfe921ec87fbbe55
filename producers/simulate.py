"""Sending a simulation: when purchases happen (event time), when they are sent (the pace), and what was done.

Event time ends now: a history is spread over the time before it, or everything happens as it is sent. Read next:
``producers/synthetic.py`` for what is bought.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from producers.bursts import PlannedBurst
from producers.pace import Clock, SystemClock, wait_until
from producers.rhythm import hour_weight, spread_times
from producers.sender import Sender
from producers.synthetic import Simulation
from trendloom.errors import SettingsError
from trendloom.events import Purchase

__all__ = ["SimulationSummary", "simulate"]

#: Purchases between two looks at ``stop`` and calls of ``progress`` when sending as fast as possible.
_STRIDE = 200
#: Purchases a second that an endless, unpaced history is laid out for.
_NOMINAL_RATE = 1000.0


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """What a simulation did; ``from_popular`` counts purchases of what was popular for the customer who bought it."""

    seed: int
    sent: int
    acknowledged: int
    customers: int
    items: int
    from_popular: int
    wall_s: float
    first_event_ms: int | None
    last_event_ms: int | None


def simulate(
    simulation: Simulation,
    sender: Sender,
    *,
    purchases: int | None = None,
    rate: float | None = None,
    history_s: float = 0.0,
    speed: float = 600.0,
    until_ms: int | None = None,
    bursts: Sequence[PlannedBurst] = (),
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    on_purchase: Callable[[Purchase], None] | None = None,
) -> SimulationSummary:
    """Send a simulation's purchases, wait until they are acknowledged, and say what was done.

    ``purchases`` is how many (None: what the simulation plans, or without end until ``stop`` is set). ``rate`` is in
    purchases a second, sent at even intervals; None sends as fast as possible. Event times: with ``history_s`` 0 a
    purchase happens when it is meant to be sent. Otherwise a number of purchases is spread over the ``history_s``
    seconds before ``until_ms`` (default: now), busier by day than by night; an endless run begins ``history_s`` ago,
    lets ``speed`` seconds of event time pass a second, and goes on live once it has caught up. A planned burst begins
    its seconds after the start: of sending if there is a rate, else of event time. ``on_purchase`` is called after
    each send. Raises :class:`~trendloom.errors.BrokerUnavailable` from the sender.
    """
    if rate is not None and not (rate > 0 and math.isfinite(rate)):
        raise SettingsError(f"rate {rate} is not positive. Action: give purchases a second, or max.")
    if history_s < 0 or speed <= 0:
        raise SettingsError("history and speed cannot be negative. Action: give a history >= 0 and a speed > 0.")
    clock = clock or SystemClock()
    started_ms = clock.now_ms()
    started = time.monotonic()
    number = purchases if purchases is not None else simulation.planned
    if number is not None and simulation.planned is not None:
        number = min(number, simulation.planned)
    end_ms = until_ms if until_ms is not None else int(started_ms)
    event_times = _event_times(
        seed=simulation.seed, number=number, rate=rate, history_s=history_s, speed=speed, end_ms=end_ms
    )
    waiting = sorted(bursts, key=lambda burst: burst.after_s, reverse=True)
    for burst in waiting:
        simulation.wares.row(burst.item_id)  # an unknown item is an error now, not when its time comes
    sent_before, acknowledged_before = sender.sent, sender.acknowledged
    sent = 0
    first_ms: int | None = None
    last_ms: int | None = None
    buyers: set[str] = set()
    bought: set[str] = set()
    while number is None or sent < number:
        if rate is None:
            if sent % _STRIDE == 0 and stop is not None and stop.is_set():
                break
            due_ms = clock.now_ms()
        else:
            due_ms = started_ms + 1000.0 * sent / rate
            if not wait_until(due_ms, clock, stop):
                break
        at_ms = int(due_ms) if event_times is None else event_times(int(due_ms))
        if last_ms is not None:
            at_ms = max(at_ms, last_ms)
        first_ms = at_ms if first_ms is None else first_ms
        while waiting and waiting[-1].after_s * 1000.0 <= (due_ms - started_ms if rate else at_ms - first_ms):
            simulation.start_burst(waiting.pop().item_id)
        purchase = simulation.purchase(at_ms)
        sender.send(purchase, sent_at_ms=int(due_ms))
        sent += 1
        last_ms = at_ms
        buyers.add(purchase.customer_id)
        bought.add(purchase.item_id)
        if on_purchase is not None:
            on_purchase(purchase)
    sender.flush()
    return SimulationSummary(
        seed=simulation.seed,
        sent=sender.sent - sent_before,
        acknowledged=sender.acknowledged - acknowledged_before,
        customers=len(buyers),
        items=len(bought),
        from_popular=simulation.from_popular,
        wall_s=time.monotonic() - started,
        first_event_ms=first_ms,
        last_event_ms=last_ms,
    )


def _event_times(
    *, seed: int, number: int | None, rate: float | None, history_s: float, speed: float, end_ms: int
) -> Callable[[int], int] | None:
    """Return what gives a purchase's event time from its intended send time (ms); None: they are the same."""
    if history_s == 0:
        return None
    start_ms = end_ms - int(history_s * 1000)
    if number is not None:
        spread = iter(spread_times(number, start_ms, end_ms, np.random.default_rng([seed, 1])).tolist())
        return lambda _due_ms: next(spread)
    running = _running_times(start_ms, 1000.0 * speed / (rate or _NOMINAL_RATE))
    return lambda due_ms: min(next(running), due_ms)


def _running_times(start_ms: int, mean_gap_ms: float) -> Iterator[int]:
    at_ms = float(start_ms)
    while True:
        yield int(at_ms)
        at_ms += mean_gap_ms / hour_weight(int(at_ms))
