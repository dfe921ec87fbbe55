"""Refresh debounce through everything that may happen to a worker: bursts, SIGTERM, SIGKILL."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest
from kafka import KafkaConsumer, TopicPartition

from tests.journey.shop import Shop, purchases
from trendloom.events import Purchase

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

OpenShop = Callable[..., Shop]

INTERVAL_MS = 500


def committed(shop: Shop) -> int:
    """Return how many purchases the group has committed."""
    group = shop.settings.kafka.group
    consumer = KafkaConsumer(**shop.options, group_id=group, enable_auto_commit=False)
    try:
        places = [TopicPartition(shop.purchases, number) for number in range(4)]
        consumer.assign(places)
        return sum(consumer.committed(place) or 0 for place in places)
    finally:
        consumer.close()


def newest(shop: Shop) -> dict[str, int]:
    """Return the greatest version number that each customer has a list of."""
    found: dict[str, int] = {}
    for one in shop.lists:
        found[one["customer_id"]] = max(found.get(one["customer_id"], 0), one["version"]["number"])
    return found


def bought(some: list[Purchase]) -> dict[str, int]:
    return dict(Counter(purchase.customer_id for purchase in some))


def test_a_burst_of_few_customers_gets_few_lists_and_all_of_it_is_covered_and_committed(open_shop: OpenShop) -> None:
    shop = open_shop(lists__debounce_ms=INTERVAL_MS, kafka__max_batch=50)
    some = purchases(6_000, customers=12, seed=21)
    number = shop.worker()
    began_s = time.monotonic()
    shop.send(some)
    shop.read_until(lambda: newest(shop) == bought(some))
    took_s = time.monotonic() - began_s
    shop.check_versions()
    assert len(shop.lists) <= 12 * (took_s * 1000 / INTERVAL_MS + 2)
    assert len(shop.lists) < len(some) / 10
    deadline_s = time.monotonic() + 10.0
    while committed(shop) < len(some):
        assert time.monotonic() < deadline_s, f"{committed(shop)} of {len(some)} are committed"
    found = shop.workers.health(number)
    assert found["counters"]["lists"] + found["counters"]["lists_skipped"] == len(some)
    assert found["held_lists"] == 0
    assert {name: record.number for name, record in shop.state()[0].items()} == bought(some)
    assert shop.workers.drain() == [0]
    shop.worker()
    more = purchases(20, customers=3, seed=22, first_ms=some[-1].occurred_at)
    shop.send(more)
    shop.read_until(lambda: newest(shop) == bought([*some, *more]))
    shop.check_versions()


def test_sigterm_publishes_what_is_held_and_commits_all(open_shop: OpenShop) -> None:
    shop = open_shop(lists__debounce_ms=30_000, kafka__max_batch=50)
    some = purchases(1_000, customers=8, seed=23)
    number = shop.worker()
    shop.send(some[:200])
    shop.read_until(lambda: set(newest(shop)) == set(bought(some[:200])))
    shop.send(some[200:])
    deadline_s = time.monotonic() + 20.0
    while shop.workers.health(number)["counters"]["purchases_applied"] < len(some):
        assert time.monotonic() < deadline_s
    assert committed(shop) < len(some), "what is held must not be committed"
    began_s = time.monotonic()
    assert shop.workers.drain() == [0]
    assert time.monotonic() - began_s < 15.0
    assert committed(shop) == len(some)
    shop.read_until(lambda: newest(shop) == bought(some), patience_s=10.0)
    assert len(shop.lists) <= 8 * 3


def test_killed_with_held_lists_all_is_covered_by_the_next_worker(open_shop: OpenShop) -> None:
    shop = open_shop(lists__debounce_ms=3_000, kafka__max_batch=50)
    some = purchases(2_000, customers=10, seed=24)
    number = shop.worker()
    shop.send(some)
    deadline_s = time.monotonic() + 20.0
    while shop.workers.health(number)["counters"]["purchases_applied"] < len(some):
        assert time.monotonic() < deadline_s
    assert shop.workers.health(number)["held_lists"] > 0
    process, _ = shop.workers.running.pop(number)
    process.send(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    assert committed(shop) < len(some)
    shop.worker()
    shop.read_until(lambda: newest(shop) == bought(some))
    shop.check_versions()
    assert {name: record.number for name, record in shop.state()[0].items()} == bought(some)
