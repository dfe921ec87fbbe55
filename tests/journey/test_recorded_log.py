"""A recorded log of real purchases through the whole path: the state is a fold of it, and the published lists are good.

The log is not part of this project; ``EVALUATION_DATA`` (default: ``../shared/data``) says where it lies.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from plain_fold import differences, fold_log, fold_percentiles, read_customer

from config.loading import load_settings
from config.settings import Settings
from evaluation.next_in_session import Asked, asked, popularity_lists, score_lists, score_published
from launch.assembly import clock_ms, open_store, state_rules
from launch.run import run_stream
from producers.replay import ReplaySummary, replay_log
from producers.sender import Sender
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.columns import PRESETS
from trendloom.logs.event_time import parse_moment
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.read import read_log
from trendloom.state.store import ItemRows

pytestmark = [pytest.mark.slow, pytest.mark.timeout(580)]

_DATA = Path(os.environ.get("EVALUATION_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")) / "hm"

SCORED_FROM_MS = parse_moment("2020-09-18")


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogue of all articles, without photos."""
    if not (_DATA / "articles.parquet").exists():
        pytest.skip("The H&M log is not here: set EVALUATION_DATA to the folder that holds hm/.")
    out = tmp_path_factory.mktemp("articles") / "hm"
    build_catalogue(_DATA / "articles.parquet", out, PRESETS["hm"], BuildOptions(name="hm"))
    return out


@pytest.fixture(scope="module")
def log() -> PurchaseLog:
    """All purchases of five days."""
    return read_log(_DATA / "transactions_2020-09-16_to_20.parquet", "hm")


@pytest.fixture(scope="module")
def questions(log: PurchaseLog) -> Asked:
    """The purchases that are scored: after two days of warm-up."""
    return asked(log, from_ms=SCORED_FROM_MS)


@pytest.fixture(scope="module")
def popular(log: PurchaseLog, questions: Asked) -> float:
    """The hit@10 of popularity at its best half-life."""
    return max(
        score_lists(popularity_lists(log, questions, half_life_s=hours * 3600.0), questions).hit_at_k
        for hours in (3, 6, 12, 24)
    )


def test_published_lists_of_a_replay(
    engines: tuple[str, str],
    articles: Path,
    log: PurchaseLog,
    questions: Asked,
    popular: float,
    fresh_prefix: Callable[[], str],
) -> None:
    """Every purchase applied and listed; published hit@10 at least 5 times that of popularity at its best half-life."""
    published: dict[str, list[str]] = {}
    percentiles: list[tuple[str, int, float]] = []
    prefix = fresh_prefix()

    def keep(found: dict[str, Any]) -> None:
        published[found["cause"]["event_id"]] = [entry["item_id"] for entry in found["entries"]]
        percentiles.append((found["customer_id"], found["version"]["number"], found["percentile"]))

    def produce(sender: Sender, ended: threading.Event) -> ReplaySummary:
        return replay_log(log, sender, stop=ended)

    kafka, redis_url = engines
    own = {"kafka.topic_prefix": prefix, "kafka.group": f"{prefix}group", "redis.key_prefix": prefix.rstrip(".")}
    settings = load_settings(None, own | {"kafka.bootstrap": kafka, "redis.url": redis_url}).settings
    report = run_stream(
        produce,
        catalogue_dir=articles,
        kafka=kafka,
        redis_url=redis_url,
        settings=settings,
        most_awaited=16_000,
        on_list=keep,
    )
    assert report.ok, report.complaints
    assert report.purchases_sent == report.purchases_applied == report.popularity_total == len(log) == 175_315
    assert report.missing_lists == 0
    assert len(published) == len(log)
    _check_state(settings, percentiles)

    score = score_published(log, published, from_ms=SCORED_FROM_MS)
    print(f"published hit@10 {score.hit_at_k:.4f}, popularity at its best {popular:.4f}, n {questions.place.size}")  # noqa: T201 - the figure, with -s
    assert score.hit_at_k >= 5 * popular


def _check_state(settings: Settings, percentiles: list[tuple[str, int, float]]) -> None:
    """Compare everything in Redis with a plain fold of the topic, and with what the lists say of trendiness."""
    items, ids, customers = asyncio.run(_state(settings))
    plain = fold_log(_topic(settings))
    assert differences(plain, items, ids, customers, most_partners=settings.state.co_purchase_limit) == []
    folded = fold_percentiles(percentiles)
    assert folded.keys() == customers.keys()
    for name, record in customers.items():
        number, total, _ = read_customer(record)
        assert number == folded[name][0]
        assert abs(total - folded[name][1]) <= 1e-9


async def _state(settings: Settings) -> tuple[ItemRows, list[str], dict[str, bytes]]:
    store = open_store(settings)
    try:
        await store.open(state_rules(settings), clock_ms())
        customers = {name: record async for name, record in store.customers()}
        return await store.items(), await store.item_ids(), customers
    finally:
        await store.close()


def _topic(settings: Settings) -> Iterator[SimpleNamespace]:
    """The purchases of the topic, partition after partition, read by a foreign client."""
    name = settings.kafka.topic_prefix + "purchases"
    with closing(KafkaConsumer(bootstrap_servers=settings.kafka.bootstrap, enable_auto_commit=False)) as consumer:
        places = [TopicPartition(name, number) for number in range(settings.kafka.partitions)]
        consumer.assign(places)
        consumer.seek_to_beginning()
        awaited = 175_315
        while awaited:
            for records in consumer.poll(timeout_ms=20_000, max_records=10_000).values():
                awaited -= len(records)
                for record in records:
                    found = json.loads(record.value)
                    found["event_id"] = uuid.UUID(found["event_id"])
                    yield SimpleNamespace(**{"store_id": None, **found})
