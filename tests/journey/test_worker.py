"""The worker as a process, through everything that may happen to it: state and lists must come out right."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.journey.shop import START_MS, Shop, purchases
from trendloom.events import Purchase, encode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

OpenShop = Callable[..., Shop]


def one(item: str = "item-1", customer: str = "anna", at_ms: int = START_MS) -> Purchase:
    """Return a purchase with a new event id."""
    return Purchase(schema_version=1, event_id=uuid.uuid4(), customer_id=customer, item_id=item, occurred_at=at_ms)


def test_every_purchase_is_applied_once_and_listed(
    open_shop: OpenShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = open_shop()
    monkeypatch.chdir(tmp_path)
    some = purchases(3_000, customers=200, seed=1)
    shop.worker()
    shop.send([*some, *some[-50:]])  # the last fifty again, at new offsets: duplicates
    shop.read_lists_of(some)
    shop.check_state(some)
    shop.check_versions()
    for found in shop.lists:
        items = [entry["item_id"] for entry in found["entries"]]
        assert len(set(items)) == len(items) == 10
        assert found["cause"]["item_id"] not in items
    assert not list(tmp_path.iterdir()), "a worker leaves nothing where it is started"


def test_bad_records_become_dead_letters_and_change_nothing_else(open_shop: OpenShop) -> None:
    shop = open_shop()
    shop.worker()
    good = [one(f"item-{n}", "anna", START_MS + n * 1000) for n in range(8)]
    raw = [encode(purchase) for purchase in good]
    future_ms = int(time.time() * 1000) + 86_400_000
    bad = {
        "not_json": b'{"schema_version": 1, "event_id": ',
        "wrong_schema": encode(one()).replace(b'"item-1"', b"17"),
        "unknown_item": encode(one("item-that-nobody-sells")),
        "in_the_future": encode(one(at_ms=future_ms)),
        "wrong_schema ": encode(one()).replace(b'"anna"', b'"' + b"a" * 10_240 + b'"'),
        "unknown_schema": encode(one()).replace(b'"schema_version":1', b'"schema_version":9'),
    }
    mixed = [raw[0]]
    for place, value in enumerate(bad.values()):
        mixed += [value, raw[place + 1]]
    mixed.append(raw[7])
    shop.send_raw(((b"anna", value) for value in mixed), partition=1)
    shop.read_lists_of(good)
    shop.read_until(lambda: len(shop.letters) >= len(bad))
    assert [letter["reason"] for letter in shop.letters] == [reason.strip() for reason in bad]
    assert [letter["offset"] for letter in shop.letters] == [1, 3, 5, 7, 9, 11]
    assert [letter["payload"].encode() for letter in shop.letters] == list(bad.values())
    assert all("Action:" in letter["detail"] for letter in shop.letters)
    shop.check_state(good)
    assert [found["version"]["number"] for found in shop.lists] == list(range(1, 9))


def test_killed_three_times_nothing_is_lost_or_doubled(open_shop: OpenShop) -> None:
    shop = open_shop()
    some = purchases(20_000, customers=500, seed=2)
    shop.send(some)
    for enough in (2_000, 8_000, 14_000):
        number = shop.worker()
        shop.read_until(partial(lambda count: len(shop.lists) > count, enough))
        process, _ = shop.workers.running.pop(number)
        process.send(signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
    shop.worker()
    shop.read_lists_of(some)
    shop.check_state(some)
    shop.check_versions()


def test_a_stopped_worker_that_comes_back_changes_nothing(open_shop: OpenShop) -> None:
    shop = open_shop()
    some = purchases(12_000, customers=300, seed=3)
    first = shop.worker()
    shop.worker()
    shop.send(some[:8_000])
    shop.read_until(lambda: len(shop.lists) > 1_000)
    zombie, _ = shop.workers.running[first]
    zombie.send(signal.SIGSTOP)
    shop.send(some[8_000:])
    shop.read_lists_of(some, patience_s=90)  # the other worker takes over after the session timeout
    zombie.send(signal.SIGCONT)
    more = purchases(500, customers=300, seed=4, first_ms=some[-1].occurred_at)
    shop.send(more)
    shop.read_lists_of(more, patience_s=90)
    shop.check_state(some + more)
    shop.check_versions()


def test_sigterm_finishes_what_is_in_flight(open_shop: OpenShop) -> None:
    shop = open_shop()
    some = purchases(6_000, customers=300, seed=5)
    shop.send(some)
    shop.worker()
    shop.read_until(lambda: len(shop.lists) > 500)
    assert shop.workers.drain() == [0]
    shop.worker()
    shop.read_lists_of(some)
    shop.check_state(some)
    assert len(shop.lists) == len(some)  # a drained worker leaves nothing to be listed twice
