"""The recorded H&M log through everything on this machine: ``trendloom replay`` on the embedded engines, timed.

Skipped, with a sentence, where ``EVALUATION_DATA`` does not have it. Read next: :mod:`benchmarks.retrieval`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.retrieval import HM_CATALOGUE, recorded_data, recorded_shop
from benchmarks.rounds import without_places

__all__ = ["measure_replay", "replay_command"]

_LONGEST_S = 600.0


def replay_command(log: Path, catalogue: Path, preset: str) -> list[str]:
    """Return the command that replays a log at full speed and prints its report as JSON.

    >>> " ".join(replay_command(Path("log.parquet"), Path("shop"), "paper")[3:])
    'replay log.parquet --preset hm --catalogue shop --speed max --relevance paper --headless --json'
    """
    return [
        *(sys.executable, "-m", "launch.cli", "replay", str(log), "--preset", "hm"),
        *("--catalogue", str(catalogue), "--speed", "max", "--relevance", preset, "--headless", "--json"),
    ]


def measure_replay(presets: Iterable[str], rounds: int) -> dict[str, Any]:
    """Return, by preset, the median seconds from the first purchase to the last list, and whether all was right."""
    data = recorded_data()
    if data is None or recorded_shop() is None:
        said = "the H&M log is not here: EVALUATION_DATA names the folder that holds hm/"
        print(said, flush=True)
        return {"skipped": said}
    found: dict[str, Any] = {"presets": {}}
    for preset in presets:
        reports = []
        for _ in range(rounds):
            done = subprocess.run(
                replay_command(data, HM_CATALOGUE, preset),
                check=False,
                capture_output=True,
                text=True,
                timeout=_LONGEST_S,
            )
            try:
                reports.append(json.loads(done.stdout))
            except json.JSONDecodeError:
                found.setdefault("failures", []).append(without_places(done.stderr[-2000:]))
        if reports:
            told = [
                {
                    "purchases": report["purchases_sent"],
                    "seconds": round(report["lists_published"] / report["events_per_s"], 2),
                    "wall_s": report["wall_s"],
                    "exact": report["purchases_applied"] == report["popularity_total"] == report["purchases_sent"],
                    "missing_lists": report["missing_lists"],
                }
                for report in reports
            ]
            found["presets"][preset] = {"seconds": statistics.median(one["seconds"] for one in told), "runs": told}
            print(f"{preset:9} {found['presets'][preset]}", flush=True)
    return found
