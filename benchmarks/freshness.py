"""Freshness at shares of the own drain rate: ``trendloom load`` sends, our worker works, the command's report is kept.

Freshness runs from the intended send time to a list that a consumer can read. Read next: ``launch/commands/load.py``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.stage import Stage
from benchmarks.workload import Log, Workload
from launch.workers import Workers, environment_of

__all__ = ["SHARES", "load_command", "measure"]

#: Shares of the drain rate that are offered, and one plain rate.
SHARES = (0.25, 0.5, 0.75)
SLOW_PER_S = 1_000.0


def load_command(rate_per_s: float, seconds: float, customers: int) -> list[str]:
    """Return the command that offers a rate for some seconds and prints its report as JSON.

    >>> load_command(1000.0, 20.0, 100)[3:6]
    ['load', '--rate', '1000']
    """
    return [
        *(sys.executable, "-m", "launch.cli", "load", "--rate", f"{rate_per_s:.0f}"),
        *("--duration", f"{seconds:g}", "--customers", str(customers), "--json"),
    ]


def measure(stage: Stage, rates: Mapping[str, float], catalogue: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the reports by preset and offered rate; ``rates`` are our own drain rates. Says so if it cannot."""
    if importlib.util.find_spec("launch.commands.load") is None:
        print("skipped: there is no `trendloom load` here")
        return {"skipped": "there is no `trendloom load` here"}
    found: dict[str, Any] = {"drain_per_s": dict(rates), "presets": {}}
    for preset, drain_per_s in rates.items():
        offered = {"1000/s": SLOW_PER_S, **{f"{share:.0%}": share * drain_per_s for share in SHARES}}
        reports = {}
        for name, rate_per_s in offered.items():
            reports[name] = _one(stage, preset, rate_per_s, catalogue, asked)
            print(f"{preset:9} {name:>7} ({rate_per_s:,.0f}/s): {json.dumps(reports[name])[:300]}", flush=True)
        found["presets"][preset] = reports
    return found


def _one(stage: Stage, preset: str, rate_per_s: float, catalogue: Path, asked: argparse.Namespace) -> dict[str, Any]:
    settings = stage.settings(
        run=f"fresh-{preset}-{rate_per_s:.0f}",
        catalogue=catalogue,
        preset=preset,
        partitions=asked.partitions,
        max_batch=asked.max_batch,
        health_port=0,
    )
    stage.prepare(settings, Log(Workload(0), []))
    workers = Workers(stage.processes, settings)
    workers.start()
    try:
        workers.wait_until_ready()
        done = subprocess.run(
            load_command(rate_per_s, asked.seconds, asked.customers),
            env={**environment_of(settings)},
            check=False,
            capture_output=True,
            text=True,
        )
    finally:
        workers.drain()
        stage.clear(settings)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        return {"failed": (done.stderr or done.stdout)[-2000:]}
    return report
