"""A state that is lost is made anew from the log: the same, but for its epoch and what popularity was at the time."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import redis
from kafka import KafkaConsumer, TopicPartition

from launch.rebuild import rebuild_state
from tests.journey.shop import Shop, purchases
from trendloom.state.customer import Customer

OpenShop = Callable[..., Shop]


def wipe(shop: Shop) -> int:
    """Delete every key of the shop, as an accident would; return how many there were."""
    client = redis.Redis.from_url(shop.settings.redis.url)
    keys = list(client.scan_iter(match=f"{shop.settings.redis.key_prefix}:*", count=1000))
    client.delete(*keys)
    client.close()
    return len(keys)


def histories(customers: dict[str, Customer], ids: list[str]) -> dict[str, list[tuple[str, int, int, int]]]:
    return {
        name: [(ids[item], at_s, event, store) for item, at_s, _, event, store in record.entries()]
        for name, record in customers.items()
    }


def log_ends(shop: Shop, topic: str) -> int:
    consumer = KafkaConsumer(**shop.options)
    try:
        return sum(consumer.end_offsets([TopicPartition(topic, n) for n in range(4)]).values())
    finally:
        consumer.close()


def test_a_state_that_was_lost_is_rebuilt_from_the_log(open_shop: OpenShop) -> None:
    shop = open_shop()
    sent = purchases(500, customers=60, seed=11)
    shop.worker()
    shop.send([*sent, *sent[-20:]])  # the last ones are sent twice
    shop.send_raw([(b"k", b"no json"), (b"k", b"")])
    shop.read_lists_of(sent)
    shop.read_until(lambda: len(shop.letters) == 2)
    shop.workers.drain()
    shop.check_state(sent)
    customers, items, ids = shop.state()
    published = log_ends(shop, shop.recommendations)

    assert wipe(shop) > 60
    steps: list[tuple[int, int]] = []
    done = asyncio.run(rebuild_state(shop.settings, force=False, progress=lambda at, of: steps.append((at, of))))

    assert (done.records, done.purchases, done.duplicates, done.unusable, done.partitions) == (522, 500, 20, 2, 4)
    assert steps[-1] == (522, 522)
    assert done.epoch > max(found["version"]["epoch"] for found in shop.lists)
    again, same_items, same_ids = shop.state()
    assert {name: record.number for name, record in again.items()} == {
        name: record.number for name, record in customers.items()
    }
    assert histories(again, same_ids) == histories(customers, ids)
    was = {ids[number]: place for place, number in enumerate(items.numbers.tolist())}
    now = {same_ids[number]: place for place, number in enumerate(same_items.numbers.tolist())}
    assert was.keys() == now.keys()
    for item, place in was.items():
        other = now[item]
        assert items.purchases[place] == same_items.purchases[other]
        np.testing.assert_allclose(items.slow[place], same_items.slow[other], rtol=1e-12)
        np.testing.assert_allclose(items.fast[place], same_items.fast[other], rtol=1e-12)
        assert {ids[n]: units for n, units in items.co_purchases[place].items()} == {
            same_ids[n]: units for n, units in same_items.co_purchases[other].items()
        }
    assert log_ends(shop, shop.recommendations) == published  # a rebuild publishes nothing


@pytest.mark.slow  # the embedded broker lets a second worker into a group after the first one's session only
def test_after_a_rebuild_lists_go_on_under_the_new_epoch(open_shop: OpenShop) -> None:
    shop = open_shop()
    sent = purchases(100, customers=20, seed=12)
    first, more = sent[:70], sent[70:]
    shop.worker()
    shop.send(first)
    shop.read_lists_of(first)
    shop.workers.drain()
    done = asyncio.run(rebuild_state(shop.settings, force=False, progress=lambda *_: None))
    customers = shop.state()[0]

    shop.worker()
    shop.send(more)
    shop.read_lists_of(more)
    shop.workers.drain()
    after = [found for found in shop.lists if found["version"]["epoch"] == done.epoch]
    assert sorted(found["cause"]["event_id"] for found in after) == sorted(str(one.event_id) for one in more)
    for found in after:
        assert found["version"]["number"] > customers.get(found["customer_id"], Customer()).number
    assert sum(record.number for record in shop.state()[0].values()) == 100
    shop.check_versions()


def test_the_command_on_a_log_of_which_nothing_was_committed(open_shop: OpenShop) -> None:
    """Nothing was ever committed: everything is left to the workers, which also publish its lists."""
    shop = open_shop()
    sent = purchases(60, customers=10, seed=13)
    shop.send(sent)
    environment = {
        "TRENDLOOM_KAFKA__TOPIC_PREFIX": shop.settings.kafka.topic_prefix,
        "TRENDLOOM_KAFKA__GROUP": shop.settings.kafka.group,
        "TRENDLOOM_REDIS__KEY_PREFIX": shop.settings.redis.key_prefix,
    }
    words = ["--kafka", shop.settings.kafka.bootstrap, "--redis", shop.settings.redis.url]
    words += ["--catalogue", shop.settings.catalogue.directory, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "launch.cli", "state", "rebuild", *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert (told["records"], told["purchases"], told["partitions"]) == (0, 0, 4)
    shop.worker()
    shop.read_lists_of(sent)
    shop.workers.drain()
    shop.check_state(sent)
    assert {found["version"]["epoch"] for found in shop.lists} == {told["epoch"]}
