import threading
from typing import Any

import numpy as np
import pytest

from producers.bursts import PlannedBurst
from producers.pace import SteppedClock
from producers.sender import RecordingSender
from producers.simulate import SimulationSummary, simulate
from producers.synthetic import Simulation
from producers.wares import Wares
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.errors import CatalogueError, SettingsError
from trendloom.events import Purchase

NOW_MS = 1_700_000_000_000
HOUR_S = 3600.0
WARES = Wares.of(random_catalogue(200, np.random.default_rng(7)))


def run(**options: Any) -> tuple[RecordingSender, SimulationSummary]:
    sender = options.pop("sender", RecordingSender(delay=3))
    model = Simulation(WARES, {}, num_customers=100, one_visit_each=options.pop("one_visit_each", False))
    return sender, simulate(model, sender, **({"clock": SteppedClock(float(NOW_MS))} | options))


def test_a_number_of_purchases_is_sent_and_acknowledged() -> None:
    sender, summary = run(purchases=500)
    assert (summary.sent, summary.acknowledged, len(sender.records)) == (500, 500, 500)
    assert summary.customers == len({purchase.customer_id for purchase in sender.purchases})
    assert summary.items == len({purchase.item_id for purchase in sender.purchases})


def test_without_a_number_everyone_comes_once() -> None:
    sender, summary = run(one_visit_each=True)
    assert summary.customers == 100
    assert 100 <= len(sender.records) <= 300


def test_purchases_are_sent_at_even_intervals_and_happen_then() -> None:
    sender, _ = run(purchases=100, rate=40.0)
    assert [record.sent_at_ms for record in sender.records] == [NOW_MS + 25 * place for place in range(100)]
    assert [purchase.occurred_at for purchase in sender.purchases] == [record.sent_at_ms for record in sender.records]


def test_a_history_ends_now_and_follows_the_day() -> None:
    sender, _ = run(purchases=4000, history_s=240 * HOUR_S)
    times = np.array([purchase.occurred_at for purchase in sender.purchases])
    assert times.min() >= NOW_MS - 240 * HOUR_S * 1000
    assert times.max() < NOW_MS
    assert (np.diff(times) >= 0).all()
    hours = np.bincount(times // 3_600_000 % 24, minlength=24)
    assert hours[18:22].mean() > 5 * hours[1:5].mean()


def test_a_history_may_end_at_another_time_and_is_then_the_same_whenever_it_is_made() -> None:
    first, _ = run(purchases=50, history_s=HOUR_S, until_ms=NOW_MS - 1000)
    second, _ = run(purchases=50, history_s=HOUR_S, until_ms=NOW_MS - 1000, clock=SteppedClock(NOW_MS + 5e7))
    assert first.purchases == second.purchases


def test_an_endless_history_runs_faster_until_it_has_caught_up() -> None:
    stop = threading.Event()
    sender = RecordingSender()

    def enough(_purchase: Purchase) -> None:
        if sender.sent == 2000:
            stop.set()

    run(sender=sender, rate=10.0, history_s=24 * HOUR_S, speed=2000.0, stop=stop, on_purchase=enough)
    assert sender.sent == 2000
    ahead = [record.purchase.occurred_at - record.sent_at_ms for record in sender.records]
    assert ahead[0] == -24 * HOUR_S * 1000
    assert max(ahead) == 0
    assert ahead[-1] == 0
    assert ahead[:100] == sorted(ahead[:100])


@pytest.mark.parametrize("options", [{"rate": 10.0}, {"history_s": 100.0, "purchases": 2000}])
def test_a_planned_burst_begins_when_it_was_planned(options: dict[str, Any]) -> None:
    item = WARES.item_ids[3]
    sender, _ = run(**({"purchases": 2000} | options), bursts=[PlannedBurst(item, 60.0)])
    start = sender.purchases[0].occurred_at
    early = [p.item_id for p in sender.purchases if p.occurred_at - start < 60_000]
    after = [p.item_id for p in sender.purchases if p.occurred_at - start >= 60_000][:150]
    assert early.count(item) / len(early) < 0.05
    assert after.count(item) / len(after) > 0.05


def test_event_time_never_goes_back_even_if_the_clock_does() -> None:
    clock = SteppedClock(float(NOW_MS))

    def set_back(_purchase: Purchase) -> None:
        clock.at_ms -= 1000.0

    sender, _ = run(purchases=20, clock=clock, on_purchase=set_back)
    assert {purchase.occurred_at for purchase in sender.purchases} == {NOW_MS}
    assert sender.records[-1].sent_at_ms == NOW_MS - 19_000


def test_an_unknown_item_cannot_burst_later() -> None:
    with pytest.raises(CatalogueError):
        run(purchases=5, bursts=[PlannedBurst("nothing", 9e9)])


@pytest.mark.parametrize("rate", [None, 50.0])
def test_a_stop_ends_it(rate: float | None) -> None:
    stop = threading.Event()
    stop.set()
    _, summary = run(rate=rate, stop=stop)
    assert (summary.sent, summary.first_event_ms) == (0, None)


@pytest.mark.parametrize("wrong", [{"rate": 0.0}, {"rate": float("nan")}, {"history_s": -1.0}, {"speed": 0.0}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"Action: "):
        run(purchases=1, **wrong)
