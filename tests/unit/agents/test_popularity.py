import asyncio
import math

import pytest
from deliveries import DAY_MS, START_MS, arrivals, deliver, purchase

from agents.popularity import TrendsPublisher, latest_event_ms, rising_items
from agents.publishing import Publisher
from tests.fake_producer import FakeProducer
from trendloom.events import Purchase, TrendSnapshot
from trendloom.state.in_process import InProcessStore
from trendloom.state.mirror import Mirror
from trendloom.state.rules import StateRules
from trendloom.state.store import Partition

RULES = StateRules()
HOUR_MS = 3_600_000


def mirror_of(log: list[Purchase]) -> Mirror:
    async def made() -> Mirror:
        store = InProcessStore()
        await store.open(RULES, START_MS)
        await store.number_items([f"item-{number}" for number in range(6)])
        if log:
            await deliver(store, Partition("purchases", 0), arrivals(log), rules=RULES)
        mirror = Mirror(RULES)
        await mirror.load(store)
        return mirror

    return asyncio.run(made())


def sold(item: int, hours: list[float], first: int = 0) -> list[Purchase]:
    """Sales of an item, each to another customer."""
    return [
        purchase(first + at, f"c{item}-{at}", item, START_MS + int(hour * HOUR_MS)) for at, hour in enumerate(hours)
    ]


def test_the_fastest_rising_item_comes_first_not_the_most_sold() -> None:
    log = sold(1, [hour / 2 for hour in range(144)]) + sold(2, [71.0, 71.5, 71.7, 71.9, 71.9], 1000)
    mirror = mirror_of(log)
    found = rising_items(mirror, RULES, START_MS + 72 * HOUR_MS, 10)
    assert [item.item_id for item in found] == ["item-2", "item-1"]
    assert found[0].rising > 1.2 > found[1].rising
    assert [item.purchases for item in found] == [5, 144]
    direct = math.fsum(2.0 ** ((hour / 2 - 72) / 24) for hour in range(144))
    assert found[1].popularity == pytest.approx(direct, rel=1e-9)
    assert rising_items(mirror, RULES, START_MS + 72 * HOUR_MS, 1) == found[:1]


def test_items_that_rise_equally_come_by_number() -> None:
    found = rising_items(mirror_of(sold(4, [1.0]) + sold(2, [1.0], 50)), RULES, START_MS + HOUR_MS, 10)
    assert [item.item_id for item in found] == ["item-2", "item-4"]


def test_nothing_rises_where_nothing_was_sold() -> None:
    assert rising_items(mirror_of([]), RULES, START_MS, 10) == []
    assert latest_event_ms(mirror_of([]), RULES) == 0


def test_the_latest_event_time_follows_from_the_counts() -> None:
    single = mirror_of(sold(1, [5.0]) + sold(2, [30.0], 50))
    assert latest_event_ms(single, RULES) == pytest.approx(START_MS + 30 * HOUR_MS, abs=2)
    often = mirror_of(sold(1, [1.0, 2.0, 3.0, 30.0]))
    assert START_MS + 3 * HOUR_MS < latest_event_ms(often, RULES) <= START_MS + 30 * HOUR_MS + 2


def test_a_snapshot_is_published_when_event_time_has_moved_on_and_only_then() -> None:
    producer = FakeProducer({"trends": 1})
    trends = TrendsPublisher(
        mirror_of(sold(1, [1.0, 2.0])), RULES, Publisher(lambda: producer, retry_budget_s=1.0), topic="trends", count=5
    )

    async def check() -> None:
        assert not await trends.publish(99)  # nothing was seen yet
        for at_ms in (START_MS + 2 * HOUR_MS, START_MS):  # the second is late
            trends.saw(at_ms)
        assert await trends.publish(99)
        assert not await trends.publish(100)
        trends.saw(START_MS + HOUR_MS)
        assert not await trends.publish(101)
        trends.saw(START_MS + DAY_MS)
        assert await trends.publish(102)

    asyncio.run(check())
    first, second = (TrendSnapshot.model_validate_json(value) for value in producer.values("trends"))
    assert (first.window_end, second.window_end) == (START_MS + 2 * HOUR_MS, START_MS + DAY_MS)
    assert (first.slow_half_life_s, first.fast_half_life_s) == (RULES.slow_half_life_s, RULES.fast_half_life_s)
    assert [item.item_id for item in first.items] == ["item-1"]
    assert second.items[0].popularity < first.items[0].popularity
    assert [(key, stamp) for _, _, batch in producer.sent for key, _, stamp in batch] == [
        (str(first.window_end).encode(), 99),
        (str(second.window_end).encode(), 102),
    ]
