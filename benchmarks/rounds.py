"""Rounds of runs on one stage: names them, makes their logs and catalogues, says what came out, keeps what failed.

Read next: :mod:`benchmarks.drain` for one run, :mod:`benchmarks.run` for who asks for rounds.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contenders.registry import CONTENDERS, PROFILED
from benchmarks.drain import Staging, run_once
from benchmarks.figures import Run, medians, ratios
from benchmarks.peers_environment import peer_python
from benchmarks.stage import Stage
from benchmarks.workload import Log, Workload, make_log, write_catalogue
from launch.processes import ProgramFailed

__all__ = ["Rounds", "catalogue_of", "without_places"]

CATALOGUES = Path("var/bench-catalogues")
_WARM_UP = 20_000


def catalogue_of(items: int) -> Path:
    """Return the directory of a made-up catalogue, written first if need be."""
    directory = CATALOGUES / str(items)
    if not (directory / "manifest.json").is_file():
        write_catalogue(directory, items)
    return directory


class Rounds:
    """Runs contenders one after the other; ``asked`` are the command's arguments, which each run may vary."""

    def __init__(self, stage: Stage, asked: argparse.Namespace) -> None:
        self.stage = stage
        self.asked = asked
        self._log: Log | None = None
        self._count = 0
        #: Runs that ended before their time.
        self.failures: list[dict[str, str]] = []
        self.peers = peer_python() if any(CONTENDERS[name].peer for name in asked.contenders) else None

    def warm_up(self) -> None:
        """Run once for each preset and keep nothing: kernels are on disk, and the broker's virtual machine is warm."""
        for preset in self.asked.presets:
            self.run("ours", preset, purchases=min(_WARM_UP, self.asked.purchases))

    def log(self, purchases: int = 0, items: int = 0, customers: int = 0) -> Log:
        """Return the log of a workload, the last one again if it is the same; what is not given is as asked for."""
        asked = self.asked
        workload = Workload(purchases or asked.purchases, items or asked.items, customers or asked.customers)
        if self._log is None or self._log.workload != workload:
            self._log = None  # two large ones need not fit
            self._log = make_log(workload, time.time_ns() // 1_000_000)
        return self._log

    def name(self) -> str:
        """Return a name that no run has had."""
        self._count += 1
        return f"run{self._count}"

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
        seeded_customers: int = 0,
        knobs: Mapping[str, float] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        """Run one contender once."""
        asked = self.asked
        log = self.log(purchases, items, customers)
        how = Staging(
            preset=preset,
            catalogue=catalogue_of(log.workload.items),
            peer_python=self.peers,
            partitions=asked.partitions,
            max_batch=max_batch or asked.max_batch,
            workers=workers,
            seeded_customers=seeded_customers,
            window_s=asked.window_s,
            knobs=knobs or {},
            environment=environment or {},
        )
        who = PROFILED if contender == PROFILED.name else CONTENDERS[contender]
        run = run_once(self.stage, log, who, how, name=self.name(), round_number=round_number)
        _say(run)
        return run

    def attempt(self, contender: str, preset: str, **varied: Any) -> list[Run]:
        """Run one contender once; where it fails, say so and go on: the others' figures are not lost."""
        try:
            return [self.run(contender, preset, **varied)]
        except ProgramFailed as failure:
            print(f"{preset:9} {contender:12} FAILED: {failure}", flush=True)
            self.failures.append(
                {"contender": contender, "preset": preset, "said": without_places(str(failure)[-2000:])}
            )
            return []

    def drain(self) -> dict[str, Any]:
        """Let all contenders take turns, round by round, for each preset."""
        asked = self.asked
        runs = [
            run
            for preset in asked.presets
            for number in range(1, asked.rounds + 1)
            for contender in asked.contenders
            for run in self.attempt(contender, preset, round_number=number)
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

    def sweep(self) -> dict[str, Any]:
        """Run every contender with each of its knobs' settings."""
        runs = [
            run.as_dict()
            for contender in self.asked.contenders
            for knobs in CONTENDERS[contender].sweep
            for run in self.attempt(contender, self.asked.presets[0], knobs=knobs)
        ]
        return {"preset": self.asked.presets[0], "runs": runs}

    def own_rates(self, known: Mapping[str, Any]) -> dict[str, float]:
        """Return our drain rate by preset: of the presets of a ``drain`` part, or of runs made for it."""
        rates = {}
        for preset in self.asked.presets:
            told = known.get(preset, {}).get("contenders", {}).get("ours")
            rates[preset] = float(told["drain_per_s"]) if told else self.run("ours", preset).drain_per_s
        return rates


def _say(run: Run) -> None:
    cpu = ", ".join(f"{name} {spent:.1f}" for name, spent in run.cpu_us_per_purchase.items())
    failed: Sequence[str] = [name for name, held in run.checks.items() if not held]
    print(
        f"{run.preset:9} {run.contender:12} round {run.round}: {run.drain_per_s:9,.0f}/s, µs: {cpu}; "
        f"first list after {run.startup_s:.1f} s; others used {run.others_share:.0%}"
        + (f"; FAILED: {', '.join(failed)}" if failed else "")
        + (f"; {run.knobs}" if run.knobs else ""),
        flush=True,
    )


def without_places(text: str) -> str:
    """Return what a program said without the names of this machine's folders.

    >>> without_places("in /srv/there/program.py, line 7")
    'in .../program.py, line 7'
    """
    return re.sub(r"(?:/[\w.@+-]+)+/", ".../", text)
