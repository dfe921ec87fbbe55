"""Freshness at shares of the own drain rate: ``trendloom load`` sends, our worker works, the command's report is kept.

Freshness runs from the intended send time to a list that a consumer can read. Read next: ``launch/commands/load.py``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.stage import Stage
from benchmarks.workload import Log, Workload
from launch.workers import Workers, environment_of

__all__ = ["SHARES", "load_command", "measure"]

#: Shares of the drain rate that are offered, after a slow rate that everybody can compare.
SHARES = (0.25, 0.5, 0.75)
SLOW_PER_S = 1_000.0


def load_command(rates_per_s: Sequence[float], step_s: float, workload: Workload) -> list[str]:
    """Return the command that offers one rate after another, each for some seconds, and prints its report as JSON.

    >>> load_command([1000.0, 7500.0], 20.0, Workload())[3:8]
    ['load', '--steps', '1000,7500', '--step-s', '20']
    """
    return [
        *(sys.executable, "-m", "launch.cli", "load", "--steps", ",".join(f"{rate:.0f}" for rate in rates_per_s)),
        *("--step-s", f"{step_s:g}", "--customers", str(workload.customers), "--zipf", str(workload.zipf), "--json"),
    ]


def measure(stage: Stage, rates: Mapping[str, float], catalogue: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the reports by preset and offered rate; ``rates`` are our own drain rates. Says so if it cannot."""
    if importlib.util.find_spec("launch.commands.load") is None:
        print("skipped: there is no `trendloom load` here")
        return {"skipped": "there is no `trendloom load` here"}
    found: dict[str, Any] = {"drain_per_s": dict(rates), "presets": {}}
    for preset, drain_per_s in rates.items():
        names = {"1000/s": SLOW_PER_S, **{f"{share:.0%}": share * drain_per_s for share in SHARES}}
        # the first step only warms up: it is offered once more, and that one counts
        report = _one(stage, preset, [SLOW_PER_S, *names.values()], catalogue, asked)
        steps = report.get("steps", [])[1:]
        found["presets"][preset] = dict(zip(names, steps, strict=True)) if len(steps) == len(names) else report
        for name, step in found["presets"][preset].items():
            said = step.get("freshness_ms", step)
            print(f"{preset:9} {name:>7}: {said}", flush=True)
    return found


def _one(
    stage: Stage, preset: str, rates_per_s: Sequence[float], catalogue: Path, asked: argparse.Namespace
) -> dict[str, Any]:
    settings = stage.settings(
        run=f"fresh-{preset}",
        catalogue=catalogue,
        preset=preset,
        partitions=asked.partitions,
        max_batch=asked.max_batch,
        health_port=0,
    )
    workload = Workload(0, asked.items, asked.customers)
    stage.prepare(settings, Log(workload, []))
    workers = Workers(stage.processes, settings)
    workers.start()
    try:
        workers.wait_until_ready()
        done = subprocess.run(
            load_command(rates_per_s, asked.seconds, workload),
            env={**os.environ, **environment_of(settings)},
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
        return {"failed": {"said": (done.stderr or done.stdout)[-2000:]}}
    return report
