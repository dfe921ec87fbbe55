"""Drain: the log is there beforehand, a contender starts, and the clock runs from its first list to its last.

Contenders take turns, round by round, on the same engines and the same log; a figure is the median of the rounds. One
that is not through after the window is measured over the window. Read next: :mod:`benchmarks.contenders.registry`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contenders.registry import Contender
from benchmarks.contenders.workshop import KNOBS_VARIABLE
from benchmarks.exactness import check_state
from benchmarks.figures import Run
from benchmarks.processes_seen import has_mapped, peak_memory_mb
from benchmarks.stage import Ends, Stage
from benchmarks.watching import Sample, watch
from benchmarks.workload import Log
from config.settings import Settings
from launch.assembly import can_compile
from launch.processes import Process
from launch.readiness import free_port
from launch.workers import environment_of
from trendloom.events import RecommendationList

__all__ = ["Staging", "run_once", "start_contender"]

_COMMIT_S = 10.0
_MICRO = 1e6


@dataclass(frozen=True, kw_only=True)
class Staging:
    """How a contender is run: everything but the log and who it is."""

    preset: str
    catalogue: Path
    peer_python: Path | None = None
    partitions: int = 8
    max_batch: int = 2_000
    workers: int = 1
    #: Customers who are in the store beforehand, each with a full history.
    seeded_customers: int = 0
    window_s: float = 30.0
    knobs: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def run_once(stage: Stage, log: Log, contender: Contender, how: Staging, *, name: str, round_number: int = 1) -> Run:
    """Let one contender drain the log once; ``name`` is used for nothing else on these engines.

    Raises :class:`ProgramFailed`, with its last words, if it ends or stands still.
    """
    wanted = len(log.records)
    settings = stage.settings(
        run=name,
        catalogue=how.catalogue,
        preset=how.preset,
        partitions=how.partitions,
        max_batch=how.max_batch,
        health_port=free_port(),
    )
    stage.prepare(settings, log, seeded_customers=how.seeded_customers)
    ends = Ends(settings)
    try:
        time.sleep(1.0)  # the broker's own work after a write
        started_s = time.monotonic()
        worker = start_contender(stage, contender, settings, how, name)
        watched = {"worker": [worker], "broker": [stage.kafka.process], "store": [stage.store.process]}
        ports = [settings.worker.health_port + number for number in range(how.workers)]
        try:
            first, last, first_list_s = watch(ends, watched, wanted, how.window_s, ports=ports)
            finished = last.lists >= wanted
            # a contender that fell back to numpy would lose for a reason that is not its own
            checks = {"compiled kernels, as ours": has_mapped(worker.pid, "llvmlite") == can_compile()}
            checks |= _checks(settings, ends, contender, log, how) if finished else {}
            commands = stage.command_costs(last.lists)
            memory = {name: sum(peak_memory_mb(one.pid) for one in some) for name, some in watched.items()}
        finally:
            worker.stop(10.0)
    finally:
        ends.close()
        stage.clear(settings)
    return Run(
        contender=contender.name,
        preset=how.preset,
        round=round_number,
        purchases=wanted,
        lists=last.lists,
        finished=finished,
        startup_s=round(first_list_s - started_s, 2),
        memory_mb={name: round(size, 1) for name, size in memory.items()},
        checks=checks,
        store_commands=commands,
        knobs=dict(how.knobs),
        **_between(first, last),
    )


def start_contender(stage: Stage, contender: Contender, settings: Settings, how: Staging, name: str) -> Process:
    """Start a contender's program with the run's settings; several workers are one program of several processes."""
    python = str(how.peer_python) if contender.peer else sys.executable
    several = ["--processes", str(how.workers)] if how.workers > 1 else []
    environment = {
        **environment_of(settings),
        KNOBS_VARIABLE: json.dumps(dict(how.knobs)),
        "FAUST_LOOP": "aio",
        "PYTHONPATH": str(Path.cwd()),
        **how.environment,
    }
    return stage.processes.start(name, [python, "-m", *contender.module, *several], environment, Path.cwd())


def _between(first: Sample, last: Sample) -> dict[str, Any]:
    """Return the figures of what happened between two moments."""
    measured_s, lists = last.at_s - first.at_s, last.lists - first.lists
    spent = {name: last.cpu_s[name] - first.cpu_s[name] for name in last.cpu_s}
    whole_s = last.machine.all_s - first.machine.all_s
    others_s = last.machine.used_s - first.machine.used_s - sum(spent.values())
    return {
        "measured_s": round(measured_s, 3),
        "drain_per_s": round(lists / measured_s, 1),
        "cpu_us_per_purchase": {
            name: round(cpu_s * _MICRO / lists, 2) for name, cpu_s in spent.items() if name != "onlooker"
        },
        "others_share": round(max(others_s, 0.0) / whole_s, 3) if whole_s else 0.0,
    }


def _checks(settings: Settings, ends: Ends, contender: Contender, log: Log, how: Staging) -> dict[str, bool]:
    """Return whether the job was done: counted once, committed, one good list a purchase, nothing set aside.

    Several workers are not held to one: partitions move as they join, and what was on its way is listed again.
    """
    wanted = len(log.records)
    deadline = time.monotonic() + _COMMIT_S
    while contender.commits and ends.committed() < wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    for value in ends.first_lists():
        RecommendationList.model_validate_json(value)
    listed = ends.lists()
    found = {
        **check_state(settings, log, bought_before=settings.state.history_length if how.seeded_customers else 0),
        "one list a purchase": listed == wanted or (how.workers > 1 and listed > wanted),
        "nothing set aside": ends.dead_letters() == 0,
    }
    if contender.commits:
        found["all of it committed"] = ends.committed() == wanted
    return found
