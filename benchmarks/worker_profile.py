"""Where each µs of the worker goes: a drain with the profiled worker, its stages as µs of CPU for each purchase.

Read next: :mod:`benchmarks.stages` for what the stages are, :mod:`benchmarks.profiled_worker` for how it samples.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.contenders.registry import PROFILED
from benchmarks.profiled_worker import PROFILE_VARIABLE
from benchmarks.rounds import Rounds
from benchmarks.stages import STAGES

__all__ = ["as_table", "measure_profile"]

_MICRO = 1e6
_MOST_FUNCTIONS = 25


def measure_profile(rounds: Rounds) -> dict[str, Any]:
    """Profile a drain of each preset, as often as rounds are asked for."""
    found: dict[str, Any] = {"presets": {}}
    for preset in rounds.asked.presets:
        tables = []
        for number in range(1, rounds.asked.rounds + 1):
            path = rounds.stage.processes.directory / f"profile-{preset}-{number}.json"
            runs = rounds.attempt(PROFILED.name, preset, round_number=number, environment={PROFILE_VARIABLE: str(path)})
            for run in runs:
                if path.is_file():
                    profile = json.loads(path.read_text(encoding="utf-8"))
                    tables.append({"drain_per_s": run.drain_per_s, **as_table(profile, run.lists)})
        if tables:
            found["presets"][preset] = _medians(tables)
            print(f"{preset:9} {found['presets'][preset]['us_per_purchase']}", flush=True)
    return found


def as_table(profile: Mapping[str, Any], purchases: int) -> dict[str, Any]:
    """Return a profile as µs for each purchase: stages, other threads, and the time in which no thread worked.

    >>> told = {"samples": 9, "wall_s": 2.0, "process_cpu_s": 1.5, "main_thread_cpu_s": 1.0,
    ...         "stages_s": {"score": 0.6, "decode": 0.4}, "functions_s": {"a.py:f": 0.6}}
    >>> as_table(told, 100_000)["us_per_purchase"]
    {'decode': 4.0, 'score': 6.0, 'other threads': 5.0, 'idle': 10.0}
    """
    a_purchase = _MICRO / max(purchases, 1)
    stages = {name: profile["stages_s"][name] * a_purchase for name in STAGES if name in profile["stages_s"]}
    other_s = max(profile["process_cpu_s"] - profile["main_thread_cpu_s"], 0.0)
    idle_s = max(profile["wall_s"] - profile["main_thread_cpu_s"], 0.0)
    told = {**stages, "other threads": other_s * a_purchase, "idle": idle_s * a_purchase}
    return {
        "samples": profile["samples"],
        "us_per_purchase": {name: round(us, 3) for name, us in told.items()},
        "functions": {
            name: round(spent * a_purchase, 3) for name, spent in list(profile["functions_s"].items())[:_MOST_FUNCTIONS]
        },
    }


def _medians(tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for name in [*STAGES, "other threads", "idle"])
    return {
        "rounds": len(tables),
        "samples": sum(table["samples"] for table in tables),
        "drain_per_s": statistics.median(table["drain_per_s"] for table in tables),
        "us_per_purchase": {
            name: round(statistics.median(table["us_per_purchase"].get(name, 0.0) for table in tables), 3)
            for name in names
            if any(name in table["us_per_purchase"] for table in tables)
        },
        "functions": tables[-1]["functions"],
    }
