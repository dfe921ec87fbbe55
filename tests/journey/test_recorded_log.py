"""A recorded log of real purchases through the whole path: the state is a fold of it, and the published lists are good.

The log is not part of this project; ``EVALUATION_DATA`` (default: ``../shared/data``) says where it lies.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.loading import load_settings
from evaluation.next_in_session import asked, popularity_lists, score_lists, score_published
from launch.run import run_stream
from producers.replay import ReplaySummary, replay_log
from producers.sender import Sender
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.table import PRESETS
from trendloom.logs.event_time import parse_moment
from trendloom.logs.read import read_log

pytestmark = [pytest.mark.slow, pytest.mark.timeout(580)]

_DATA = Path(os.environ.get("EVALUATION_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")) / "hm"


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogue of all articles, without photos."""
    if not (_DATA / "articles.parquet").exists():
        pytest.skip("The H&M log is not here: set EVALUATION_DATA to the folder that holds hm/.")
    out = tmp_path_factory.mktemp("articles") / "hm"
    build_catalogue(_DATA / "articles.parquet", out, PRESETS["hm"], BuildOptions(name="hm"))
    return out


def test_published_lists_of_a_replay(engines: tuple[str, str], articles: Path, fresh_prefix: Callable[[], str]) -> None:
    """Every purchase applied and listed; published hit@10 at least 5 times that of popularity at its best half-life."""
    log = read_log(_DATA / "transactions_2020-09-16_to_20.parquet", "hm")
    published: dict[str, list[str]] = {}
    prefix = fresh_prefix()

    def keep(found: dict[str, Any]) -> None:
        published[found["cause"]["event_id"]] = [entry["item_id"] for entry in found["entries"]]

    def produce(sender: Sender, ended: threading.Event) -> ReplaySummary:
        return replay_log(log, sender, stop=ended)

    settings = load_settings(
        None, {"kafka.topic_prefix": prefix, "kafka.group": f"{prefix}group", "redis.key_prefix": prefix.rstrip(".")}
    ).settings
    report = run_stream(
        produce,
        catalogue_dir=articles,
        kafka=engines[0],
        redis_url=engines[1],
        settings=settings,
        most_awaited=16_000,
        on_list=keep,
    )
    assert report.ok, report.complaints
    assert report.purchases_sent == report.purchases_applied == report.popularity_total == len(log) == 175_315
    assert report.missing_lists == 0
    assert len(published) == len(log)

    scored_from = parse_moment("2020-09-18")
    questions = asked(log, from_ms=scored_from)
    popular = max(
        score_lists(popularity_lists(log, questions, half_life_s=hours * 3600.0), questions).hit_at_k
        for hours in (3, 6, 12, 24)
    )
    score = score_published(log, published, from_ms=scored_from)
    print(f"published hit@10 {score.hit_at_k:.4f}, popularity at its best {popular:.4f}, n {questions.place.size}")  # noqa: T201 - the figure, with -s
    assert score.hit_at_k >= 5 * popular
