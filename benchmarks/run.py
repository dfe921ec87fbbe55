"""``make bench``: run parts of the benchmark, keep each part's figures as JSON, and write the table of the docs.

Parts: ``drain`` (the comparison), ``freshness``, ``memory``, ``scale`` (what grows with what) and ``sweep`` (the
contenders' settings). Everything goes to ``benchmarks/results``; ``summary.json`` is made from what lies there.
Read next: :mod:`benchmarks.drain`, :mod:`benchmarks.report`.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import freshness, state_memory
from benchmarks.contenders.registry import CONTENDERS
from benchmarks.drain import Run, medians, ratios, run_once
from benchmarks.peers_environment import differing_versions, peer_python
from benchmarks.processes_seen import machine
from benchmarks.report import software, summarise, table, write_table
from benchmarks.stage import Stage
from benchmarks.workload import Log, Workload, make_log, write_catalogue
from launch.processes import ProgramFailed

__all__ = ["main"]

RESULTS = Path("benchmarks/results")
TABLE = Path("docs/performance.md")
CATALOGUES = Path("var/bench-catalogues")
PARTS = ("drain", "freshness", "memory", "scale", "sweep")
PRESETS = ("paper", "balanced")
#: What ``scale`` varies, one at a time, around the workload of the drain.
SCALES: dict[str, tuple[int, ...]] = {
    "items": (1_000, 10_000, 100_000, 1_000_000),
    "customers": (1_000, 100_000, 10_000_000),
    "max_batch": (100, 250, 500, 1_000, 2_000),
    "workers": (1, 2),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts that are asked for."""
    asked = _parse(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic's leader is not known at once: it asks again
    RESULTS.mkdir(exist_ok=True)
    for part in asked.parts:
        print(f"== {part}", flush=True)
        if part == "memory":
            _keep("memory", {"machine": machine(), "servers": state_memory.main()})
        else:
            _on_stage(part, asked)
    summary = summarise(RESULTS)
    _write(RESULTS / "summary.json", summary)
    if asked.write_docs:
        write_table(TABLE, summary)
    print(table(summary))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", default="drain,freshness,memory", help=f"comma-separated: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="the headline comparison, under ten minutes")
    parser.add_argument("--contenders", default="", help=f"comma-separated: {', '.join(CONTENDERS)}")
    parser.add_argument("--presets", default=",".join(PRESETS))
    parser.add_argument("--rounds", type=int, default=0, help="rounds to take the median of (3; quick 3)")
    parser.add_argument("--purchases", type=int, default=0, help="purchases in the log (300,000; quick 100,000)")
    parser.add_argument("--window-s", type=float, default=0.0, help="longest time measured (30; quick 10)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each rate of `freshness` lasts")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--max-batch", type=int, default=500)
    parser.add_argument("--store", choices=("redis", "valkey"), default=None, help="system's redis-server, or packaged")
    parser.add_argument("--write-docs", action="store_true", help="write the table in docs/performance.md, too")
    asked = parser.parse_args(arguments)
    asked.parts = ["drain"] if asked.quick else _named(asked.parts, PARTS, parser)
    asked.rounds = asked.rounds or 3
    asked.purchases = asked.purchases or (100_000 if asked.quick else 300_000)
    asked.window_s = asked.window_s or (10.0 if asked.quick else 30.0)
    default = "ours,plain,quix,stock_faust" if asked.quick else ",".join(CONTENDERS)
    asked.contenders = _named(asked.contenders or default, CONTENDERS, parser)
    asked.presets = _named(asked.presets, PRESETS, parser)
    return asked


def _named(text: str, known: Any, parser: argparse.ArgumentParser) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            parser.error(f"there is no {name!r}; known: {', '.join(known)}")
    return names


class _Rounds:
    """Runs on one stage: names them, keeps them, says what came out."""

    def __init__(self, stage: Stage, asked: argparse.Namespace) -> None:
        self._stage, self._asked = stage, asked
        self._log: Log | None = None
        self._count = 0
        #: Runs that ended before their time.
        self.failures: list[dict[str, str]] = []
        self.peers = peer_python() if any(CONTENDERS[name].peer for name in asked.contenders) else None

    def warm_up(self) -> None:
        """Run once and keep nothing: compiled code is cached, and the broker's virtual machine is warm."""
        self.run("ours", self._asked.presets[0], purchases=min(20_000, self._asked.purchases))

    def run(
        self,
        contender: str,
        preset: str,
        *,
        round_number: int = 1,
        purchases: int = 0,
        items: int = 0,
        customers: int = 0,
        max_batch: int = 0,
        workers: int = 1,
        knobs: dict[str, float] | None = None,
    ) -> Run:
        """Run one contender once; what is not given is as it was asked for."""
        asked = self._asked
        workload = Workload(purchases or asked.purchases, items or asked.items, customers or asked.customers)
        if self._log is None or self._log.workload != workload:
            self._log = make_log(workload, time.time_ns() // 1_000_000)
        self._count += 1
        run = run_once(
            self._stage,
            self._log,
            CONTENDERS[contender],
            name=f"run{self._count}",
            preset=preset,
            catalogue=_catalogue(workload.items),
            peer_python=self.peers,
            partitions=asked.partitions,
            max_batch=max_batch or asked.max_batch,
            workers=workers,
            window_s=asked.window_s,
            round_number=round_number,
            knobs=knobs,
        )
        self._say(run, knobs)
        return run

    def attempt(self, contender: str, preset: str, **varied: Any) -> list[Run]:
        """Run one contender once; where it fails, say so and go on: the others' figures are not lost."""
        try:
            return [self.run(contender, preset, **varied)]
        except ProgramFailed as failure:
            print(f"{preset:9} {contender:12} FAILED: {failure}", flush=True)
            self.failures.append({"contender": contender, "preset": preset, "said": str(failure)[-2000:]})
            return []

    @staticmethod
    def _say(run: Run, knobs: dict[str, float] | None) -> None:
        cpu = ", ".join(f"{name} {spent:.1f}" for name, spent in run.cpu_us_per_purchase.items())
        failed = [name for name, held in run.checks.items() if not held]
        print(
            f"{run.preset:9} {run.contender:12} round {run.round}: {run.drain_per_s:9,.0f}/s, µs: {cpu}; "
            f"first list after {run.startup_s:.1f} s; others used {run.others_share:.0%}"
            + (f"; FAILED: {', '.join(failed)}" if failed else "")
            + (f"; {knobs}" if knobs else ""),
            flush=True,
        )


def _on_stage(part: str, asked: argparse.Namespace) -> None:
    with Stage(store=asked.store) as stage:
        rounds = _Rounds(stage, asked)
        about = {"machine": machine(), "versions": {**software(), **stage.versions()}, "workload": _workload(asked)}
        if rounds.peers is not None:
            about["versions_differ"] = differing_versions(rounds.peers)
        rounds.warm_up()
        if part == "drain":
            found = _drain(rounds, asked)
        elif part == "sweep":
            found = {"runs": _sweep(rounds, asked)}
        elif part == "scale":
            found = {"runs": _scale(rounds, asked)}
        else:
            rates = {preset: _own_rate(rounds, preset) for preset in asked.presets}
            found = freshness.measure(stage, rates, _catalogue(asked.items), asked)
        _keep(part, {**about, **found, "failures": rounds.failures})


def _drain(rounds: _Rounds, asked: argparse.Namespace) -> dict[str, Any]:
    runs = [
        run
        for preset in asked.presets
        for number in range(1, asked.rounds + 1)
        for contender in asked.contenders
        for run in rounds.attempt(contender, preset, round_number=number)
    ]
    presets = {}
    for preset in asked.presets:
        mine = [run for run in runs if run.preset == preset]
        taken_part = dict.fromkeys(run.contender for run in mine)
        presets[preset] = {
            "contenders": {name: medians([run for run in mine if run.contender == name]) for name in taken_part},
            "ratio": ratios(mine),
        }
    return {"presets": presets, "runs": [run.as_dict() for run in runs]}


def _sweep(rounds: _Rounds, asked: argparse.Namespace) -> list[dict[str, Any]]:
    return [
        run.as_dict()
        for contender in asked.contenders
        for knobs in CONTENDERS[contender].sweep
        for run in rounds.attempt(contender, asked.presets[0], knobs=knobs)
    ]


def _scale(rounds: _Rounds, asked: argparse.Namespace) -> list[dict[str, Any]]:
    found = []
    for preset in asked.presets:
        for what, sizes in SCALES.items():
            for size in sizes:
                print(f"   {what} {size:,}", flush=True)
                for number in range(1, asked.rounds + 1):
                    varied: dict[str, Any] = {what: size}
                    runs = rounds.attempt("ours", preset, round_number=number, **varied)
                    found += [{"varied": what, "size": size, **run.as_dict()} for run in runs]
    return found


def _own_rate(rounds: _Rounds, preset: str) -> float:
    kept = RESULTS / "drain.json"
    if kept.is_file():
        known = json.loads(kept.read_text(encoding="utf-8")).get("presets", {}).get(preset, {})
        if "ours" in known.get("contenders", {}):
            return float(known["contenders"]["ours"]["drain_per_s"])
    return rounds.run("ours", preset).drain_per_s


def _catalogue(items: int) -> Path:
    directory = CATALOGUES / str(items)
    if not (directory / "manifest.json").is_file():
        write_catalogue(directory, items)
    return directory


def _workload(asked: argparse.Namespace) -> dict[str, Any]:
    names = ("purchases", "items", "customers", "partitions", "max_batch", "rounds", "window_s")
    return {name: getattr(asked, name) for name in names}


def _keep(part: str, found: dict[str, Any]) -> None:
    _write(RESULTS / f"{part}.json", {"taken_at": datetime.now(UTC).isoformat(timespec="seconds"), **found})


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
