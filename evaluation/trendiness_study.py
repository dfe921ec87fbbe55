"""Which estimator of trendiness predicts best: ``python -m evaluation.trendiness_study LOG``, one JSON object.

Compares :mod:`evaluation.trendiness.estimators` on recorded logs, for several half-lives of popularity; the best by the
first part of a log is named, and read on the second. Read next: :mod:`evaluation.trendiness.trial`.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.trendiness.estimators import ESTIMATORS
from evaluation.trendiness.shopping_days import shopping_days
from evaluation.trendiness.trial import judge, trial_of
from trendloom.logs.event_time import DAY_MS, parse_moment
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.read import read_log

__all__ = ["HALF_LIVES_DAYS", "STANDING", "main", "study"]

#: Half-lives of popularity, days; None: it never fades. The first is the state's.
HALF_LIVES_DAYS: tuple[float | None, ...] = (1.0, 7.0, 30.0, None)
#: What the state computes.
STANDING = "mean, prior 5"


def study(log: PurchaseLog, *, warm_up_days: int, resamples: int, seed: int = 1) -> dict[str, Any]:
    """Return the verdicts by half-life and estimator, and the best of each half-life by the first part.

    The first ``warm_up_days`` only teach; the rest is halved by days.
    """
    report: dict[str, Any] = {}
    for half_life in HALF_LIVES_DAYS:
        days = shopping_days(log, half_life_days=half_life)
        first, last = int(days.day.min()) + warm_up_days, int(days.day.max())
        split = (first + last + 1) // 2
        trial = trial_of(days, ESTIMATORS, from_day=first)
        verdicts = judge(
            trial, standing=STANDING, split_day=split, rng=np.random.default_rng(seed), resamples=resamples
        )
        report["never fades" if half_life is None else f"{half_life:g} days"] = {
            "best_before": max(verdicts, key=lambda name: verdicts[name].r_before),
            "read_from": str(np.datetime64(split, "D")),
            "customers": int(np.unique(trial.customer[trial.day >= split]).size),
            "estimators": {
                name: {key: round(value, 4) for key, value in asdict(verdict).items()}
                for name, verdict in verdicts.items()
            },
        }
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study that the command line asks for and print its report."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.trendiness_study", description=__doc__)
    parser.add_argument("log", type=Path, nargs="+", help="recorded purchase logs")
    parser.add_argument("--columns", action="append", default=[], help="column preset of each log (default hm)")
    parser.add_argument("--to", action="append", default=[], help="first day of each log not read (UTC); '' is none")
    parser.add_argument("--warm-up-days", type=int, default=60)
    parser.add_argument("--resamples", type=int, default=1000, help="of customers, for the intervals")
    parser.add_argument("--out", type=Path, help="write the report here as well")
    given = parser.parse_args(arguments)
    told: dict[str, Any] = {
        "command": " ".join(
            ["python -m evaluation.trendiness_study", *(path.name for path in given.log)]
            + [f"--columns {name}" for name in given.columns]
            + [f"--to {day}" for day in given.to]
        ),
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), "numpy": version("numpy")},
        "standing": STANDING,
        "logs": {},
    }
    for place, path in enumerate(given.log):
        columns = given.columns[place] if place < len(given.columns) else "hm"
        to = given.to[place] if place < len(given.to) else ""
        log = read_log(path, columns, to_ms=parse_moment(to) // DAY_MS * DAY_MS if to else None)
        told["logs"][path.name] = {
            "purchases": len(log),
            "read_to": to or "the end",
            "popularity": study(log, warm_up_days=given.warm_up_days, resamples=given.resamples),
        }
    text = json.dumps(told, indent=1) + "\n"
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
