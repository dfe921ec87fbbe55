"""A small load test as a load tester runs it: drain, two steps, report and plot, on engines of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.broker, pytest.mark.redis, pytest.mark.slow]


def test_a_load_test_on_this_machine(catalogue: Path, tmp_path: Path) -> None:
    report, plot = tmp_path / "load.json", tmp_path / "load.svg"
    words = "--drain=400 --steps=50,100 --step-s=1.5 --customers=60 --items=100 --seed=7 --patience-s=20"
    ran = subprocess.run(
        [sys.executable, "-m", "launch.cli", "load", *words.split(), "--catalogue", str(catalogue), "--preset", "paper",
         "--report", str(report), "--plot", str(plot), "--json"],
        capture_output=True, text=True, timeout=55, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = json.loads(report.read_text())
    assert json.loads(ran.stdout) == found
    assert found["purchases_sent"] == found["lists"] == 400 + 75 + 150
    for name in ("missing_lists", "purchases_refused", "version_regressions", "unreadable_lists", "foreign_lists"):
        assert found[name] == 0, name
    assert found["drain"]["lists"] == 400
    assert found["drain"]["lists_per_s"] > 0
    for row, (rate, purchases) in zip(found["steps"], [(50.0, 75), (100.0, 150)], strict=True):
        assert (row["offered_per_s"], row["purchases"], row["lists"]) == (rate, purchases, purchases)
        assert 0 < row["freshness_ms"]["p50"] <= row["freshness_ms"]["p99"] <= row["freshness_ms"]["max"]
        assert row["over_time"]["at_s"] == sorted(row["over_time"]["at_s"])
    assert "<svg" in plot.read_text()


def test_a_load_test_of_debounced_lists_tells_covered_purchases_from_missing_ones(
    catalogue: Path, tmp_path: Path
) -> None:
    report = tmp_path / "load.json"
    words = "--drain=600 --steps=200 --step-s=1.5 --customers=10 --items=100 --seed=7 --patience-s=20 --debounce-ms=400"
    ran = subprocess.run(
        [sys.executable, "-m", "launch.cli", "load", *words.split(), "--catalogue", str(catalogue), "--preset", "paper",
         "--report", str(report)],
        capture_output=True, text=True, timeout=55, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = json.loads(report.read_text())
    assert found["lists"] + found["purchases_covered"] == found["purchases_sent"] == 600 + 300
    assert found["lists"] < 300
    for name in ("missing_lists", "version_regressions", "unreadable_lists", "foreign_lists"):
        assert found[name] == 0, name
    assert found["drain"]["lists"] + found["drain"]["covered"] == 600
    assert found["steps"][0]["lists"] + found["steps"][0]["covered"] == 300
    assert f"{found['purchases_covered']:,} covered by later ones, 0 missing" in ran.stdout
