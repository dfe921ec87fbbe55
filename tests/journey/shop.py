"""A whole shop for journey tests: topics, worker processes, a sender and a foreign reader, on given engines."""

from __future__ import annotations

import asyncio
import json
import math
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from config.loading import load_settings
from config.settings import Settings
from launch.assembly import clock_ms, open_store, state_rules, topic_names
from launch.compose import kafka_options, topic_table
from launch.processes import Processes
from launch.topic_admin import create_topics, open_admin
from launch.workers import Workers
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.columns import Columns
from trendloom.events import Purchase, encode
from trendloom.state.customer import Customer
from trendloom.state.store import ItemRows

ITEMS = 300
START_MS = 1_600_000_000_000


def small_catalogue(folder: Path) -> Path:
    """Build a catalogue of ``ITEMS`` items without photos and return its directory."""
    table, out = folder / "items.csv", folder / "catalogue"
    kinds, colours = ("dress", "shirt", "coat"), ("red", "blue", "green", "black")
    lines = ["id,title,kind,colour,product"]
    lines += [
        f"item-{n},{colours[n % 4]} {kinds[n % 3]} {n},{kinds[n % 3]},{colours[n % 4]},p{n // 3}" for n in range(ITEMS)
    ]
    table.write_text("\n".join(lines) + "\n")
    columns = Columns(
        item_id="id",
        title="title",
        colour="colour",
        category="kind",
        product_type="kind",
        product="product",
        transition_group="kind",
        attributes={"kind": 1.0, "colour": 1.0},
        words=("title",),
    )
    build_catalogue(table, out, columns, BuildOptions(name="journey", neighbours=20, lowest=20, table_dims=16))
    return out


def purchases(count: int, *, customers: int, seed: int, first_ms: int = START_MS) -> list[Purchase]:
    """Return seeded purchases, one every 40 s of event time; a tenth of the customers buy half of it."""
    rng = np.random.default_rng(seed)
    who = np.where(
        rng.random(count) < 0.5, rng.integers(0, max(customers // 10, 1), count), rng.integers(0, customers, count)
    )
    what = np.minimum(rng.geometric(0.02, count) - 1, ITEMS - 1)
    return [
        Purchase(
            schema_version=1,
            event_id=uuid.UUID(bytes=rng.bytes(16), version=4),
            customer_id=f"customer-{who[n]}",
            item_id=f"item-{what[n]}",
            occurred_at=first_ms + 40_000 * n,
        )
        for n in range(count)
    ]


class Shop:
    """One Trendloom on a broker and a store; ``prefix`` keeps it apart from others there."""

    def __init__(
        self, processes: Processes, broker: str, redis_url: str, prefix: str, catalogue: Path, **overrides: Any
    ) -> None:
        flags = {
            "kafka.bootstrap": broker,
            "redis.url": redis_url,
            "kafka.topic_prefix": prefix,
            "kafka.group": f"{prefix}group",
            "redis.key_prefix": prefix.rstrip("."),
            "kafka.partitions": 4,
            "kafka.session_timeout_s": 6,
            "catalogue.directory": str(catalogue),
            "worker.trends_interval_s": 1,
            **{name.replace("__", "."): value for name, value in overrides.items()},
        }
        self.settings: Settings = load_settings(None, flags).settings
        self.options = kafka_options(self.settings.kafka)
        with open_admin(self.options, timeout_s=15.0) as admin:
            create_topics(admin, topic_table(self.settings.kafka))
        self.purchases, self.recommendations, self.dead_letters, self.trends = topic_names(self.settings)
        self.workers = Workers(processes, self.settings)
        self.lists: list[dict[str, Any]] = []
        self.letters: list[dict[str, Any]] = []
        self._producer = KafkaProducer(**self.options, linger_ms=5)
        self._reader = KafkaConsumer(
            **self.options, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        self._reader.assign(
            [TopicPartition(self.recommendations, n) for n in range(4)] + [TopicPartition(self.dead_letters, 0)]
        )
        self._reader.seek_to_beginning()

    def close(self) -> None:
        """End the workers and let go of the connections."""
        self.workers.drain()
        self._producer.close()
        self._reader.close()

    def worker(self) -> int:
        """Start a worker and wait until it is ready; return its number."""
        number = self.workers.start()
        self.workers.wait_until_ready()
        return number

    def send(self, some: Iterable[Purchase]) -> None:
        """Send purchases and wait for their acknowledgement."""
        self.send_raw((purchase.customer_id.encode(), encode(purchase)) for purchase in some)

    def send_raw(self, records: Iterable[tuple[bytes, bytes]], partition: int | None = None) -> None:
        """Send any bytes, as a foreign client would."""
        sent_at = [("sent_at", str(clock_ms()).encode())]
        for key, value in records:
            self._producer.send(self.purchases, key=key, value=value, headers=sent_at, partition=partition)
        self._producer.flush(timeout=60)

    def read_until(self, done: Callable[[], bool], *, patience_s: float = 60.0) -> None:
        """Read lists and dead letters until ``done``; fail when nothing new comes for ``patience_s``."""
        heard_s = time.monotonic()
        while not done():
            polled = self._reader.poll(timeout_ms=100)
            for place, records in polled.items():
                target = self.letters if place.topic == self.dead_letters else self.lists
                target += [json.loads(record.value) for record in records]
            if polled:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > patience_s:
                words = "\n".join(process.tail(30) for process, _ in self.workers.running.values())
                msg = f"nothing for {patience_s} s: {len(self.lists)} lists, {len(self.letters)} dead letters\n{words}"
                raise AssertionError(msg)

    def read_lists_of(self, some: Iterable[Purchase], *, patience_s: float = 60.0) -> None:
        """Read until every one of these purchases has a list."""
        awaited = {str(purchase.event_id) for purchase in some}
        seen = 0

        def done() -> bool:
            nonlocal seen
            awaited.difference_update(found["cause"]["event_id"] for found in self.lists[seen:])
            seen = len(self.lists)
            return not awaited

        self.read_until(done, patience_s=patience_s)

    def state(self) -> tuple[dict[str, Customer], ItemRows, list[str]]:
        """Return all customers, all items, and the item ids by number, as Redis has them."""

        async def read() -> tuple[dict[str, Customer], ItemRows, list[str]]:
            store = open_store(self.settings)
            try:
                await store.open(state_rules(self.settings), clock_ms())
                records = {name: Customer.unpack(record) async for name, record in store.customers()}
                return records, await store.items(), await store.item_ids()
            finally:
                await store.close()

        return asyncio.run(read())

    def check_state(self, sent: list[Purchase]) -> None:
        """Compare the state in Redis with a plain fold of what was sent; each event id counts once."""
        once = {purchase.event_id: purchase for purchase in sent}.values()
        customers, items, ids = self.state()
        counts: dict[str, int] = {}
        bought: dict[str, list[int]] = {}
        for purchase in once:
            counts[purchase.customer_id] = counts.get(purchase.customer_id, 0) + 1
            bought.setdefault(purchase.item_id, []).append(purchase.occurred_at)
        assert {name: record.number for name, record in customers.items()} == counts
        numbers = items.numbers.tolist()
        assert {ids[n]: int(c) for n, c in zip(numbers, items.purchases, strict=True) if c} == {
            item: len(times) for item, times in bought.items()
        }
        latest = max(purchase.occurred_at for purchase in once)
        for half_life_s, scores in (
            (self.settings.state.slow_half_life_s, items.slow),
            (self.settings.state.fast_half_life_s, items.fast),
        ):
            for n, score in zip(numbers, scores.tolist(), strict=True):
                direct = math.fsum(2.0 ** ((t - latest) / 1000 / half_life_s) for t in bought.get(ids[n], []))
                kept = math.exp(score - math.log(2) / half_life_s * (latest - 1_577_836_800_000) / 1000)
                assert math.isclose(kept, direct, rel_tol=1e-9, abs_tol=1e-300), ids[n]
        self.check_trendiness(customers)

    def check_trendiness(self, customers: dict[str, Customer]) -> None:
        """Trendiness is an exact fold of the lists: each customer's percentiles, by purchase number, once each."""
        seen: dict[str, dict[int, float]] = {}
        for found in self.lists:
            seen.setdefault(found["customer_id"], {})[found["version"]["number"]] = found["percentile"]
        for name, record in customers.items():
            assert sorted(seen[name]) == list(range(1, record.number + 1)), name
            assert math.isclose(math.fsum(seen[name].values()), record.percentile_sum, rel_tol=1e-9, abs_tol=1e-9)

    def check_versions(self) -> None:
        """One number is one purchase, however often it was listed, and offsets grow with numbers."""
        causes: dict[tuple[str, int, int], str] = {}
        for found in self.lists:
            key = (found["customer_id"], found["version"]["epoch"], found["version"]["number"])
            assert causes.setdefault(key, found["cause"]["event_id"]) == found["cause"]["event_id"], key
            assert math.isclose(
                math.fsum(entry["score"] for entry in found["entries"]),
                math.fsum(part for entry in found["entries"] for part in entry["parts"].values()),
                abs_tol=1e-5,
            )
