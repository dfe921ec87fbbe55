from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from launch.load_report import as_report, as_table, write_report
from launch.load_run import Drain, LoadOutcome, LoadPlan, StepOutcome
from producers.load import StepSending
from producers.load_schedule import LoadStep
from trendloom.verify.load_check import LoadCheck, PartCheck
from trendloom.verify.saturation import Sample, judge

START_MS = 1_600_000_000_000.0


def _step(rate: float, settled_per_s: float, *, lists: int) -> StepOutcome:
    samples = [
        Sample(START_MS + 100.0 * n, int(rate * n / 10), int(rate * n / 10), 0, int(settled_per_s * n / 10))
        for n in range(50)
    ]
    part = PartCheck(listed=lists)
    part.freshness.add_all([5.0] * lists)
    return StepOutcome(LoadStep(0, rate, 5.0), StepSending(START_MS), samples, judge(rate, samples), part)


def _report() -> dict[str, Any]:
    plan = LoadPlan(rates_per_s=[100.0, 1000.0], step_s=5.0, drain=10, seed=8)
    outcome = LoadOutcome(plan, sent=30, missing=2, drain=Drain(10, 5000.0, 900.0, PartCheck(listed=10)))
    outcome.steps = [_step(100.0, 100.0, lists=500), _step(1000.0, 400.0, lists=0)]
    outcome.check = LoadCheck(b"x" * 24, [10, 20, 30])
    return as_report(outcome, datetime(2020, 9, 13, tzinfo=UTC))


def test_a_report_is_json_and_says_what_was_found(tmp_path: Path) -> None:
    report = _report()
    write_report(report, tmp_path / "deep" / "load.json")
    assert json.loads((tmp_path / "deep" / "load.json").read_text()) == report
    good, bad = report["steps"]
    assert (good["saturated"], bad["saturated"]) == (False, True)
    assert good["achieved_per_s"] == 100.0
    assert good["freshness_ms"] == {"p50": 5.0, "p90": 5.0, "p99": 5.0, "p99.9": 5.0, "max": 5.0}
    assert set(bad["freshness_ms"].values()) == {None}
    assert bad["over_time"]["backlog"][-1] == bad["backlog_at_end"] == 4900 - 1960
    assert report["drain"] == {
        "purchases": 10,
        "lists": 10,
        "covered": 0,
        "written_per_s": 5000.0,
        "lists_per_s": 900.0,
    }
    assert (report["seed"], report["missing_lists"], report["machine"]["processors"] > 0) == (8, 2, True)


def test_the_table_has_a_row_for_each_step() -> None:
    paper = io.StringIO()
    Console(file=paper, width=80).print(as_table(_report()))
    rows = [
        line for line in paper.getvalue().splitlines() if "/s" not in line and ("keeps up" in line or "satur" in line)
    ]
    assert len(rows) == 2
    assert "1,000" in rows[1]
    assert "–" in rows[1]
