"""Drain: the log is there beforehand, a contender starts, and the clock runs from its first list to its last.

Contenders take turns, round by round, on the same engines and the same log; a figure is the median of the rounds. One
that is not through after the window is measured over the window. Read next: :mod:`benchmarks.contenders.registry`.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.contenders.registry import CONTENDERS, Contender
from benchmarks.contenders.workshop import KNOBS_VARIABLE
from benchmarks.processes_seen import Busy, cpu_seconds, has_mapped, peak_memory_mb, whole_machine
from benchmarks.stage import Ends, Stage
from benchmarks.workload import Log
from config.settings import Settings
from launch.assembly import can_compile, open_store
from launch.processes import Process, ProgramFailed
from launch.readiness import free_port
from launch.workers import environment_of
from trendloom.events import RecommendationList

__all__ = ["Run", "Sample", "drained", "medians", "ratios", "run_once"]

_STEP_S, _NEAR_STEP_S, _STUCK_S = 0.1, 0.02, 90.0
_COMMIT_S = 10.0
_MICRO = 1e6


class Sample(NamedTuple):
    """A moment of a drain: lists published, and CPU seconds so far of each process."""

    at_s: float
    lists: int
    cpu_s: dict[str, float]
    machine: Busy


@dataclass(slots=True)
class Run:
    """What one contender did in one round."""

    contender: str
    preset: str
    round: int
    purchases: int
    lists: int
    finished: bool
    measured_s: float
    drain_per_s: float
    startup_s: float
    cpu_us_per_purchase: dict[str, float]
    memory_mb: dict[str, float]
    #: Share of all cores that others used while it was measured: what a reader should be wary of.
    others_share: float
    checks: dict[str, bool]
    #: The store's dearest commands, per list, since before the contender started: calls and the store's own µs.
    store_commands: dict[str, dict[str, float]] = field(default_factory=dict)
    knobs: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def run_once(
    stage: Stage,
    log: Log,
    contender: Contender,
    *,
    name: str,
    preset: str,
    catalogue: Path,
    peer_python: Path | None,
    partitions: int = 8,
    max_batch: int = 500,
    workers: int = 1,
    window_s: float = 30.0,
    round_number: int = 1,
    knobs: Mapping[str, float] | None = None,
) -> Run:
    """Let one contender drain the log once; ``name`` is used for nothing else on these engines.

    Raises :class:`ProgramFailed`, with its last words, if it ends or stands still.
    """
    settings = stage.settings(
        run=name,
        catalogue=catalogue,
        preset=preset,
        partitions=partitions,
        max_batch=max_batch,
        health_port=free_port() if workers == 1 else 0,
    )
    stage.prepare(settings, log)
    ends = Ends(settings)
    try:
        time.sleep(1.0)  # the broker's own work after a write
        started_s = time.monotonic()
        running = [_start(stage, contender, settings, f"{name}-{at}", peer_python, knobs) for at in range(workers)]
        watched = {"worker": running, "broker": [stage.kafka.process], "store": [stage.store.process]}
        try:
            first, last = _watch(ends, watched, len(log.records), window_s)
            finished = last.lists >= len(log.records)
            # a contender that fell back to numpy would lose for a reason that is not its own
            checks = {"compiled kernels, as ours": has_mapped(running[0].pid, "llvmlite") == can_compile()}
            checks |= _checks(settings, ends, contender, len(log.records)) if finished else {}
            commands = stage.command_costs(last.lists)
            memory = {name: sum(peak_memory_mb(one.pid) for one in some) for name, some in watched.items()}
        finally:
            for process in running:
                process.stop(10.0)
    finally:
        ends.close()
        stage.clear(settings)
    measured_s, lists = last.at_s - first.at_s, last.lists - first.lists
    spent = {name: last.cpu_s[name] - first.cpu_s[name] for name in last.cpu_s}
    whole_s = last.machine.all_s - first.machine.all_s
    others_s = last.machine.used_s - first.machine.used_s - sum(spent.values())
    return Run(
        contender=contender.name,
        preset=preset,
        round=round_number,
        purchases=len(log.records),
        lists=last.lists,
        finished=finished,
        measured_s=round(measured_s, 3),
        drain_per_s=round(lists / measured_s, 1),
        startup_s=round(first.at_s - started_s, 2),
        cpu_us_per_purchase={
            name: round(cpu_s * _MICRO / lists, 2) for name, cpu_s in spent.items() if name != "onlooker"
        },
        memory_mb={name: round(size, 1) for name, size in memory.items()},
        others_share=round(max(others_s, 0.0) / whole_s, 3) if whole_s else 0.0,
        checks=checks,
        store_commands=commands,
        knobs=dict(knobs or {}),
    )


def drained(first: Sample, samples: Iterable[Sample], wanted: int, window_s: float) -> Sample:
    """Return the sample that ends a drain: the first that has everything, or that lies a window after the first list.

    >>> still = Busy(0.0, 0.0)
    >>> some = [Sample(float(at), 10 * at, {}, still) for at in range(10)]
    >>> drained(some[1], some[2:], wanted=50, window_s=100).at_s, drained(some[1], some[2:], 500, 3).at_s
    (5.0, 4.0)
    """
    for sample in samples:
        if sample.lists >= wanted or sample.at_s - first.at_s >= window_s:
            return sample
    return first


def medians(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the medians of one contender's rounds, and the range of its drain rates."""
    rates = [run.drain_per_s for run in runs]
    return {
        "rounds": len(runs),
        "drain_per_s": statistics.median(rates),
        "drain_per_s_range": [min(rates), max(rates)],
        "cpu_us_per_purchase": {
            name: round(statistics.median(run.cpu_us_per_purchase[name] for run in runs), 2)
            for name in runs[0].cpu_us_per_purchase
        },
        "memory_mb": {name: statistics.median(run.memory_mb[name] for run in runs) for name in runs[0].memory_mb},
        "startup_s": statistics.median(run.startup_s for run in runs),
        "others_share": statistics.median(run.others_share for run in runs),
        "finished": all(run.finished for run in runs),
        "checked": all(all(run.checks.values()) for run in runs),
    }


def ratios(runs: Sequence[Run], ours: str = "ours") -> dict[str, dict[str, float]]:
    """Return, for each peer, the median over rounds of how many times faster ours drains, and its share of CPU.

    ``drain`` above 1: ours is faster. ``worker_cpu`` and ``all_cpu`` below 1: ours needs less CPU a purchase.
    """
    by_round = {(run.contender, run.round): run for run in runs}
    found: dict[str, dict[str, float]] = {}
    for peer in dict.fromkeys(run.contender for run in runs if run.contender != ours):
        pairs = [
            (by_round[ours, number], by_round[peer, number])
            for name, number in by_round
            if name == peer and (ours, number) in by_round
        ]
        if pairs:
            found[peer] = {
                "drain": round(statistics.median(a.drain_per_s / b.drain_per_s for a, b in pairs), 3),
                "worker_cpu": round(statistics.median(_worker_cpu(a) / _worker_cpu(b) for a, b in pairs), 3),
                "all_cpu": round(statistics.median(_all_cpu(a) / _all_cpu(b) for a, b in pairs), 3),
            }
    return found


def _worker_cpu(run: Run) -> float:
    return run.cpu_us_per_purchase["worker"]


def _all_cpu(run: Run) -> float:
    return sum(run.cpu_us_per_purchase.values())


def _start(
    stage: Stage,
    contender: Contender,
    settings: Settings,
    name: str,
    peer_python: Path | None,
    knobs: Mapping[str, float] | None,
) -> Process:
    python = str(peer_python) if contender.peer else sys.executable
    environment = {
        **environment_of(settings),
        KNOBS_VARIABLE: json.dumps(dict(knobs or {})),
        "FAUST_LOOP": "aio",
        "PYTHONPATH": str(Path.cwd()),
    }
    return stage.processes.start(name, [python, "-m", *contender.module], environment, Path.cwd())


def _watch(ends: Ends, watched: Mapping[str, Sequence[Process]], wanted: int, window_s: float) -> tuple[Sample, Sample]:
    """Return the moments of the first list and of the last; looks seldom, and often only near the end."""
    first: Sample | None = None
    before: Sample | None = None
    moved_s = time.monotonic()
    while True:
        now = _sample(ends, watched)
        if before is not None and now.lists > before.lists:
            moved_s = now.at_s
        if first is None and now.lists > 0:
            first = now
        if first is not None and now is not first and drained(first, [now], wanted, window_s) is now:
            return first, now
        for process in watched["worker"]:
            if process.status() is not None or now.at_s - moved_s > _STUCK_S:
                raise ProgramFailed(
                    f"{process.name} has published {now.lists} of {wanted} lists and "
                    f"{'stands still' if process.status() is None else 'has ended'}:\n{process.tail(30)}\n"
                    "Action: see above."
                )
        near = first is None or before is None or _rest_s(before, now, wanted) < 3 * _STEP_S
        time.sleep(_NEAR_STEP_S if near else _STEP_S)
        before = now


def _rest_s(before: Sample, now: Sample, wanted: int) -> float:
    rate = (now.lists - before.lists) / max(now.at_s - before.at_s, 1e-9)
    return (wanted - now.lists) / rate if rate else float("inf")


def _sample(ends: Ends, watched: Mapping[str, Sequence[Process]]) -> Sample:
    lists = ends.lists()
    cpu_s = {name: sum(cpu_seconds(process.pid) for process in some) for name, some in watched.items()}
    # the engines are this process's own grandchildren, so it is counted alone
    onlooker = {"onlooker": cpu_seconds(os.getpid(), alone=True)}
    return Sample(time.monotonic(), lists, {**cpu_s, **onlooker}, whole_machine())


def _checks(settings: Settings, ends: Ends, contender: Contender, wanted: int) -> dict[str, bool]:
    """Return whether the job was done: counted once, committed, one good list a purchase, nothing set aside."""
    deadline = time.monotonic() + _COMMIT_S
    while contender.commits and ends.committed() < wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    counted, fenced = asyncio.run(_state(settings))
    for value in ends.first_lists():
        RecommendationList.model_validate_json(value)
    found = {
        "each purchase counted once": counted == wanted,
        "every partition fenced at its end": fenced == wanted,
        "one list a purchase": ends.lists() == wanted,
        "nothing set aside": ends.dead_letters() == 0,
    }
    if contender.commits:
        found["all of it committed"] = ends.committed() == wanted
    return found


async def _state(settings: Settings) -> tuple[int, int]:
    store = open_store(settings)
    try:
        items, fences = await store.items(), await store.fences()
        return int(items.purchases.sum()), sum(fence + 1 for fence in fences.values())
    finally:
        await store.close()


def known(names: Iterable[str]) -> list[Contender]:
    """Return contenders by name; raises :class:`KeyError` for one that does not exist."""
    return [CONTENDERS[name] for name in names]
