import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import read_parts, summarise
from benchmarks.tables import drain_table, measured_on, targets_table


def keep(results: Path, part: str, found: dict[str, Any]) -> None:
    (results / f"{part}.json").write_text(json.dumps(found))


@pytest.fixture
def results(tmp_path: Path, parts: dict[str, Any]) -> Path:
    keep(tmp_path, "drain", parts["drain"])
    return tmp_path


def target(summary: dict[str, Any], what: str) -> dict[str, Any]:
    return next(found for found in summary["targets"] if found["what"] == what)


def test_the_summary_has_the_headline_figures_by_preset(results: Path) -> None:
    found = summarise(results)
    assert found["presets"]["paper"]["drain_per_s"] == 30_000.0
    assert found["presets"]["paper"]["cpu_us_per_purchase"]["broker"] == 3.0
    assert found["presets"]["paper"]["ratio"]["quix"]["drain"] == 3.0
    assert found["presets"]["paper"]["freshness_ms"] is None
    assert found["machine"]["cores"] == 2
    assert found["settings"] == "the same for all"


def test_an_older_summary_is_no_part(results: Path) -> None:
    keep(results, "summary", {"presets": {"old": {}}})
    assert list(read_parts(results)) == ["drain"]


def test_parts_that_were_run_on_other_days_are_in_the_summary_too(results: Path) -> None:
    keep(results, "memory", {"taken_at": "x", "servers": {"Redis 7": [{"what": "a", "usage": 640.4, "target": 700}]}})
    found = summarise(results)
    assert found["bytes_per"] == {"Redis 7": {"a": 640}}
    assert target(found, "Redis 7: bytes, a")["met"]


def test_freshness_comes_from_the_load_reports_without_their_series(results: Path) -> None:
    quantiles = {"p50": 10.0, "p90": 20.0, "p99": 30.0, "p99.9": None, "max": 50.0}
    step = {"offered_per_s": 1000.0, "saturated": False, "freshness_ms": quantiles, "series": [1, 2, 3]}
    slower = {**step, "freshness_ms": {**quantiles, "p99": 90.0}}
    keep(results, "freshness", {"presets": {"paper": {"50%": step, "50%, 100 times the items": slower}}})
    found = summarise(results)
    assert found["presets"]["paper"]["freshness_ms"]["50%"] == {
        **quantiles,
        "offered_per_s": 1000.0,
        "saturated": False,
    }
    assert target(found, "paper: p99 ms at half the drain rate")["measured"] == 30.0
    assert not target(found, "paper: p99 at half the drain rate, 100 times the items ÷ these")["met"]


def test_a_load_test_that_failed_leaves_no_figure(results: Path) -> None:
    keep(results, "freshness", {"presets": {"paper": {"failed": {"said": "no broker"}}}})
    assert summarise(results)["presets"]["paper"]["freshness_ms"] is None


def test_what_grows_is_named_by_the_sizes_that_were_measured(results: Path, line: dict[str, Any]) -> None:
    items = [{"size": 1_000, **line}, {"size": 10_000, **line}, {"size": 100_000, **line, "all_cpu_us": 27.0}]
    keep(results, "scale", {"presets": {"paper": {"items": items}}})
    found = target(summarise(results), "paper: × CPU of a purchase, 1,000 to 100,000 items")
    assert (found["measured"], found["met"]) == (1.35, False)


@pytest.mark.parametrize(("exact", "wanted"), [(True, 0.95), (False, 0.0)])
def test_two_workers_whose_state_is_not_exact_are_worth_nothing(
    results: Path, line: dict[str, Any], wanted: float, *, exact: bool
) -> None:
    workers = [{"size": 1, **line}, {"size": 2, **line, "drain_per_s": 95.0, "checked": exact}]
    keep(results, "scale", {"presets": {"paper": {"workers": workers}}})
    assert summarise(results)["presets"]["paper"]["two_workers"] == wanted


def test_a_missed_target_is_shown_and_one_that_was_not_measured_is_not(results: Path) -> None:
    found = summarise(results)
    assert target(found, "paper: purchases/s, one worker")["met"]
    assert target(found, "paper: × stock Faust")["met"] is None
    rows = targets_table(found)
    assert "× Quix Streams | at least 2 | 3.0 | met" in rows
    assert "stock Faust" not in rows
    assert "paper: worker's CPU" not in rows


def test_the_table_has_a_row_for_each_contender_and_marks_one_that_was_cut_short(results: Path) -> None:
    rows = [line for line in drain_table(summarise(results)).splitlines() if line.startswith("| ")]
    assert len(rows) == 3
    assert "¹" not in rows[1]
    assert "Quix" in rows[2]
    assert "¹" in rows[2]
    assert all(line.count("|") == rows[0].count("|") for line in rows)


def test_every_figure_says_how_and_where_it_was_measured(parts: dict[str, Any]) -> None:
    said = measured_on(parts["drain"])
    for word in ("make bench", "a CPU", "Apache Kafka 4", "Redis 7", "abc", "2026-01-02"):
        assert word in said
