from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_log import small_catalogue

from evaluation.page import page_of
from evaluation.reporting import Plan, evaluate
from evaluation.sheet_table import csv_of
from trendloom.errors import InputError, LogFormatError

DAY_MS = 86_400_000
FIRST_MS = 18_521 * DAY_MS


def recorded(
    folder: Path, *, events: int = 400, days: int = 4, item_prefix: str = "", first_ms: int = FIRST_MS
) -> Path:
    catalogue = small_catalogue()
    rng = np.random.default_rng(1)
    rows = ["customer_id,item_id,occurred_at"]
    for place in range(events):
        item = item_prefix + catalogue.item_ids[int(40 * rng.random() ** 2)]
        rows.append(f"c{rng.integers(40)},{item},{first_ms + place * days * DAY_MS // events}")
    path = folder / f"log{item_prefix}.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    log = recorded(tmp_path_factory.mktemp("report"))
    models = ("popularity", "item-knn", "balanced")
    plan = Plan(log, "purchases", FIRST_MS + DAY_MS, models=models, seeds=(1, 2), batch=50, draws=50, window=40)
    told: dict[str, Any] = json.loads(json.dumps(evaluate(plan, small_catalogue())))
    return told


def test_task_model_metric_value_interval_and_days(report: dict[str, Any]) -> None:
    hit = report["tasks"]["next_in_session"]["models"]["balanced"]["hit@10"]
    assert hit["low"] <= hit["value"] <= hit["high"]
    assert list(hit["per_day"]) == ["2020-09-17", "2020-09-18", "2020-09-19"]
    assert report["tasks"]["next_basket"]["k"] == 12
    assert report["about"]["seeds"] == "1, 2"


def test_the_baseline_is_compared_with_on_the_same_customers(report: dict[str, Any]) -> None:
    models = report["tasks"]["next_in_session"]["models"]
    against = models["balanced"]["against"]["item-knn"]["hit@10"]
    difference = models["balanced"]["hit@10"]["value"] - models["item-knn"]["hit@10"]["value"]
    assert against["difference"] == pytest.approx(difference, abs=1e-5)
    assert against["low"] <= against["difference"] <= against["high"]
    assert "against" not in models["item-knn"]


def test_each_seed_has_its_figures_and_the_value_is_their_mean(report: dict[str, Any]) -> None:
    told = report["tasks"]["next_basket"]["models"]["popularity"]
    each = [told["seeds"][seed]["hit@12"] for seed in ("1", "2")]
    assert told["hit@12"]["value"] == pytest.approx(np.mean(each), abs=0.02)


def test_everything_live_is_also_asked_frozen_at_midnight(report: dict[str, Any]) -> None:
    assert "balanced (frozen at midnight)" in report["tasks"]["rest_of_basket"]["models"]


def test_csv_has_a_row_for_every_value(report: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_of(report))))
    of_hit = [row for row in rows if row["task"] == "next_basket" and row["model"] == "balanced"]
    days = {row["day"] for row in of_hit if row["metric"] == "hit@12"}
    assert days == {"all", "2020-09-17", "2020-09-18", "2020-09-19"}


def test_the_page_asks_nobody_for_anything(report: dict[str, Any]) -> None:
    page = page_of(report)
    assert page.count("<svg") == 6
    assert not re.search(r"https?:|src=|@import|url\(|<script|<link", page)
    assert "balanced" in page
    assert "Next basket" in page


def test_a_hostile_name_is_shown_as_text(report: dict[str, Any]) -> None:
    hostile = {**report, "about": {**report["about"], "log": "<script>alert(1)</script>"}}
    assert "<script" not in page_of(hostile)


def test_without_a_catalogue_everything_that_needs_none_takes_part(tmp_path: Path) -> None:
    plan = Plan(recorded(tmp_path), "purchases", FIRST_MS + DAY_MS, frozen=False, draws=10, batch=100)
    told = evaluate(plan, None)
    names = set(told["tasks"]["next_basket"]["models"])
    assert {"random", "popularity", "repurchase-popularity", "item-knn"} <= names
    assert not {"balanced", "paper", "visual", "variants"} & names


def test_batches_of_one_and_of_five_hundred_see_the_same_questions(tmp_path: Path) -> None:
    log = recorded(tmp_path)
    told = [
        evaluate(
            Plan(log, "purchases", FIRST_MS + DAY_MS, models=("item-knn",), batch=batch, frozen=False, draws=10), None
        )
        for batch in (1, 500)
    ]
    asked = [report["tasks"]["next_in_session"]["questions"] for report in told]
    assert asked[0] == asked[1] > 0


def test_a_past_log_is_cut_before_the_first_scored_day(tmp_path: Path) -> None:
    from evaluation.recorded import prepare
    from trendloom.logs.read import read_log

    log = read_log(recorded(tmp_path), "purchases")
    old = recorded(tmp_path, item_prefix="old-", days=40, first_ms=FIRST_MS - 30 * DAY_MS)
    purchases, ground = prepare(log, None, past=read_log(old, "purchases"), from_ms=FIRST_MS + 2 * DAY_MS + 5)
    assert ground.past is not None
    assert 0 < len(ground.past) < 400
    assert ground.past.at_ms.max() < FIRST_MS
    assert purchases.at_ms.min() >= FIRST_MS
    season = ground.features.season
    assert season is not None
    a_year_on_ms = FIRST_MS - 7 * DAY_MS + 365 * DAY_MS
    assert season.same_weeks(a_year_on_ms, spread_weeks=0).sum() > 0
    assert season.same_weeks(FIRST_MS + 2 * DAY_MS, spread_weeks=1).sum() == 0
    later = read_log(old, "purchases", from_ms=FIRST_MS)
    _, without = prepare(log, None, past=later, from_ms=FIRST_MS + 2 * DAY_MS)
    assert without.past is not None
    assert len(without.past) == 0


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    log = recorded(tmp_path)
    with pytest.raises(InputError, match="popularity"):
        evaluate(Plan(log, "purchases", FIRST_MS, models=("nobody",)), None)
    with pytest.raises(InputError, match="catalogue"):
        evaluate(Plan(log, "purchases", FIRST_MS, models=("balanced",)), None)
    with pytest.raises(LogFormatError, match="no purchase"):
        evaluate(Plan(log, "purchases", FIRST_MS, to_ms=FIRST_MS - DAY_MS), None)
