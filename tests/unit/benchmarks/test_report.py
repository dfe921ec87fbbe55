import json
from pathlib import Path

import pytest

from benchmarks.report import BEGIN, END, summarise, table, write_table
from trendloom.errors import InputError

TOLD = {
    "rounds": 3,
    "drain_per_s": 30_000.0,
    "drain_per_s_range": [29_000.0, 31_000.0],
    "cpu_us_per_purchase": {"worker": 20.0, "broker": 3.0, "store": 7.0},
    "memory_mb": {"worker": 150.0},
    "startup_s": 1.5,
    "others_share": 0.02,
    "finished": True,
    "checked": True,
}
DRAIN = {
    "taken_at": "2026-01-02T03:04:05+00:00",
    "machine": {"cpu": "a CPU", "cores": 2, "memory_gb": 8.0, "system": "Linux 6", "load_before": 0.1},
    "versions": {"broker": "Apache Kafka 4", "store": "Redis 7", "python": "3.11", "trendloom": "abc"},
    "workload": {"purchases": 1000, "items": 10, "customers": 5, "partitions": 8, "rounds": 3},
    "presets": {
        "paper": {
            "contenders": {"ours": TOLD, "quix": {**TOLD, "finished": False, "drain_per_s": 10_000.0}},
            "ratio": {"quix": {"drain": 3.0, "worker_cpu": 0.4, "all_cpu": 0.5}},
        }
    },
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "drain.json").write_text(json.dumps(DRAIN))
    return tmp_path


def test_the_summary_has_the_headline_figures_by_preset(results: Path) -> None:
    found = summarise(results)
    assert found["presets"]["paper"]["drain_per_s"] == 30_000.0
    assert found["presets"]["paper"]["cpu_us_per_purchase"]["broker"] == 3.0
    assert found["presets"]["paper"]["ratio"]["quix"]["drain"] == 3.0
    assert found["presets"]["paper"]["freshness_ms"] is None
    assert found["machine"]["cores"] == 2


def test_parts_that_were_run_on_other_days_are_in_the_summary_too(results: Path) -> None:
    memory = {"taken_at": "x", "servers": {"Redis 7": [{"what": "customer", "usage": 640.4}]}}
    (results / "memory.json").write_text(json.dumps(memory))
    assert summarise(results)["bytes_per"] == {"Redis 7": {"customer": 640}}


def test_freshness_comes_from_the_load_reports_without_their_series(results: Path) -> None:
    quantiles = {"p50": 10.0, "p90": 20.0, "p99": 30.0, "p99.9": None, "max": 50.0}
    step = {"offered_per_s": 1000.0, "saturated": False, "freshness_ms": quantiles, "series": [1, 2, 3]}
    (results / "freshness.json").write_text(json.dumps({"presets": {"paper": {"50%": step}}}))
    found = summarise(results)
    assert found["presets"]["paper"]["freshness_ms"] == {
        "50%": {**quantiles, "offered_per_s": 1000.0, "saturated": False}
    }
    assert "| 50% | 1,000 | 10 | 30 | – | 50 | keeps up |" in table(found)


def test_a_load_test_that_failed_leaves_no_figure(results: Path) -> None:
    (results / "freshness.json").write_text(json.dumps({"presets": {"paper": {"failed": {"said": "no broker"}}}}))
    assert summarise(results)["presets"]["paper"]["freshness_ms"] is None


def test_the_table_has_a_row_for_each_contender_and_marks_one_that_was_cut_short(results: Path) -> None:
    rows = [line for line in table(summarise(results)).splitlines() if line.startswith("| ")]
    assert len(rows) == 3
    assert "¹" not in rows[1]
    assert "Quix" in rows[2]
    assert "¹" in rows[2]
    assert all(line.count("|") == rows[0].count("|") for line in rows)


def test_only_what_lies_between_the_markers_is_replaced(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_table(page, summarise(results))
    write_table(page, summarise(results))
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert text.count("30,000") == 1 + text.count("(30,000")


def test_a_page_without_markers_is_left_alone(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("mine")
    with pytest.raises(InputError, match="markers"):
        write_table(page, summarise(results))
    assert page.read_text() == "mine"


def test_the_projects_own_page_has_the_markers() -> None:
    text = (Path(__file__).parents[3] / "docs" / "performance.md").read_text()
    assert BEGIN in text
    assert END in text
