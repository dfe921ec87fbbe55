"""Freshness at shares of the own drain rate: ``trendloom load`` sends, our worker works, the command's report is kept.

Freshness runs from the intended send time to a list that a consumer can read. Read next: ``launch/commands/load.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.rounds import catalogue_of, without_places
from benchmarks.stage import Stage
from benchmarks.workload import Log, Workload
from launch.workers import Workers, environment_of

__all__ = ["LARGER", "QUICK_SHARES", "SHARES", "SLOW_PER_S", "load_command", "measure"]

#: Shares of the drain rate that are offered, after a slow rate that everybody can compare.
SHARES, QUICK_SHARES = (0.25, 0.5, 0.75), (0.5,)
SLOW_PER_S = 1_000.0
#: Half the drain rate is offered once more with so many times the items.
LARGER = 100
#: Before, half the drain rate is offered for so long: the broker compiles what it does often, and takes twice the CPU
#: until then.
_WARM_UP_SHARE, _WARM_UP_S = 0.5, 20.0
_READY_S = 300.0
_NOBODY = np.empty(0, np.int64)


def load_command(rates_per_s: Sequence[float], step_s: float, workload: Workload) -> list[str]:
    """Return the command that offers one rate after another, each for some seconds, and prints its report as JSON.

    >>> load_command([1000.0, 7500.0], 20.0, Workload())[3:8]
    ['load', '--steps', '1000,7500', '--step-s', '20']
    """
    return [
        *(sys.executable, "-m", "launch.cli", "load", "--steps", ",".join(f"{rate:.0f}" for rate in rates_per_s)),
        *("--step-s", f"{step_s:g}", "--customers", str(workload.customers), "--zipf", str(workload.zipf), "--json"),
    ]


def measure(stage: Stage, rates: Mapping[str, float], asked: argparse.Namespace) -> dict[str, Any]:
    """Return the reports by preset and offered rate; ``rates`` are our own drain rates."""
    found: dict[str, Any] = {"drain_per_s": dict(rates), "presets": {}}
    shares = QUICK_SHARES if asked.quick else SHARES
    for preset, drain_per_s in rates.items():
        offered = {"1000/s": SLOW_PER_S, **{f"{share:.0%}": share * drain_per_s for share in shares}}
        warm_up_per_s = _WARM_UP_SHARE * drain_per_s
        steps = _one(stage, preset, offered, asked.items, asked, warm_up_per_s)
        if not asked.quick and asked.items * LARGER <= asked.most_items:
            larger = {f"50%, {LARGER} times the items": 0.5 * drain_per_s}
            steps |= _one(stage, preset, larger, asked.items * LARGER, asked, warm_up_per_s)
        found["presets"][preset] = steps
        for name, step in steps.items():
            print(f"{preset:9} {name:>7}: {step.get('freshness_ms', step)}", flush=True)
    return found


def _one(
    stage: Stage,
    preset: str,
    offered: Mapping[str, float],
    items: int,
    asked: argparse.Namespace,
    warm_up_per_s: float,
) -> dict[str, Any]:
    """Return the report of each offered rate, by name; the first is offered before, too: clients warm up, like us."""
    settings = stage.settings(
        run=f"fresh-{preset}-{items}",
        catalogue=catalogue_of(items),
        preset=preset,
        partitions=asked.partitions,
        max_batch=asked.max_batch,
        health_port=0,
    )
    workload = Workload(0, items, asked.customers)
    stage.prepare(settings, Log(workload, [], _NOBODY, _NOBODY))
    workers = Workers(stage.processes, settings)
    workers.start()
    environment = {**os.environ, **environment_of(settings)}

    def load(rates_per_s: Sequence[float], step_s: float) -> subprocess.CompletedProcess[str]:
        command = load_command(rates_per_s, step_s, workload)
        return subprocess.run(command, env=environment, check=False, capture_output=True, text=True)

    try:
        workers.wait_until_ready(_READY_S)
        load([warm_up_per_s], _WARM_UP_S)
        done = load([next(iter(offered.values())), *offered.values()], asked.seconds)
    finally:
        workers.drain()
        stage.clear(settings)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
        return dict(zip(offered, (_kept(step) for step in report["steps"][1:]), strict=True))
    except (json.JSONDecodeError, ValueError):
        return {"failed": {"said": without_places((done.stderr or done.stdout)[-2000:])}}


def _kept(step: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is worth keeping of a step: all but its series."""
    return {name: told for name, told in step.items() if name != "over_time"}
