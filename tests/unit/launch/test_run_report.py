from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from launch.run_report import RunReport, package_versions


def _report(**changes: Any) -> RunReport:
    good = RunReport(
        started_at=datetime(2024, 1, 1, tzinfo=UTC).isoformat(),
        wall_s=1.0,
        seed=42,
        purchases_sent=10,
        purchases_applied=9,
        lists_published=9,
        customers=3,
        dead_letters=3,
        purchases_refused=1,
        duplicate_lists=0,
        purchases_covered=0,
        missing_lists=0,
        foreign_lists=0,
        version_regressions=0,
        lists_examined=9,
        lists_malformed=0,
        complaints=[],
        popularity_total=9,
        freshness_ms={"p50": 1.0, "p99": 2.0, "longest": 3.0},
        events_per_s=9.0,
        workers=1,
    )
    return replace(good, **changes)


def test_a_run_is_ok_when_all_adds_up() -> None:
    assert _report().ok
    assert _report(duplicate_lists=4, lists_published=13).ok


@pytest.mark.parametrize(
    "changes",
    [
        {"purchases_applied": 8},
        {"purchases_applied": 10},
        {"popularity_total": 10},
        {"missing_lists": 1},
        {"version_regressions": 1},
        {"lists_malformed": 1},
        {"purchases_refused": 0},
    ],
)
def test_a_run_is_not_ok_when_anything_does_not(changes: dict[str, int]) -> None:
    assert not _report(**changes).ok


def test_a_report_is_written_with_all_that_was_promised(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    _report(versions=package_versions(), producer={"log": uuid.UUID(int=1)}).write(path)
    found = json.loads(path.read_text(encoding="utf-8"))
    promised = {
        "purchases_sent",
        "purchases_applied",
        "lists_published",
        "customers",
        "dead_letters",
        "duplicate_lists",
        "missing_lists",
        "popularity_total",
        "freshness_ms",
        "events_per_s",
        "versions",
    }
    assert promised <= set(found)
    assert found["ok"] is True
    assert found["versions"]["trendloom"] == "0.1.0"
