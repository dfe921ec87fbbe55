"""What a load test reports: a row for each step, for people as a table and for programs as JSON.

Everything in it was measured by :mod:`launch.load_run`; nothing is judged again here. Read next:
:mod:`launch.latency_plot`.
"""

from __future__ import annotations

import json
import math
import os
import platform
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from launch.load_run import LoadOutcome, StepOutcome
from trendloom.verify.freshness import DurationHistogram

__all__ = ["QUANTILES", "as_report", "as_table", "machine", "quantiles_ms", "write_report"]

#: Name and share of the freshness quantiles that are reported, beside the longest.
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}


def as_report(outcome: LoadOutcome, started_at: datetime) -> dict[str, Any]:
    """Return the report: plain values that JSON can carry."""
    check, plan = outcome.check, outcome.plan
    report: dict[str, Any] = {
        "started_at": started_at.isoformat(timespec="seconds"),
        "wall_s": round(outcome.wall_s, 2),
        "ended_early": outcome.ended_early,
        "seed": plan.seed,
        "settings": {
            "rates_per_s": list(plan.rates_per_s),
            "step_s": plan.step_s,
            "drain": plan.drain,
            "customers": plan.customers,
            "items": outcome.items,
            "zipf": plan.zipf,
            "max_in_flight": plan.max_in_flight,
            "partitions": outcome.partitions,
            "idempotent": outcome.idempotent,
            "debounce_ms": outcome.debounce_ms,
        },
        "machine": machine(),
        "versions": outcome.versions,
        "purchases_sent": outcome.sent,
        "missing_lists": outcome.missing,
        "cpu_s": {"sender": round(outcome.sender_cpu_s, 3), "reader": round(outcome.reader_cpu_s, 3)},
        "steps": [_row(found) for found in outcome.steps],
    }
    if check is not None:
        report |= {
            "lists": check.listed,
            "purchases_covered": check.covered,
            "purchases_refused": check.refused,
            "duplicate_lists": check.duplicate_lists,
            "version_regressions": check.version_regressions,
            "unreadable_lists": check.unreadable_lists,
            "foreign_lists": check.foreign_lists,
        }
    if outcome.drain is not None:
        report["drain"] = {
            "purchases": outcome.drain.purchases,
            "lists": outcome.drain.part.listed,
            "covered": outcome.drain.part.covered,
            "written_per_s": round(outcome.drain.written_per_s, 1),
            "lists_per_s": round(outcome.drain.lists_per_s, 1),
        }
    return report


def write_report(report: dict[str, Any], path: Path) -> None:
    """Write the report, indented."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def as_table(report: dict[str, Any]) -> Table:
    """Return the report's steps as a table for the terminal."""
    title = "freshness: intended send time to list in hand, ms"
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("verdict", no_wrap=True)
    for name in ("offered/s", "listed/s", *QUANTILES, "max", "behind"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report["steps"]:
        fresh = row["freshness_ms"]
        table.add_row(
            "saturated" if row["saturated"] else "keeps up",
            f"{row['offered_per_s']:,.0f}",
            f"{row['achieved_per_s']:,.0f}",
            *("–" if fresh[name] is None else _short(fresh[name]) for name in (*QUANTILES, "max")),
            f"{row['backlog_most']:,}",
        )
    return table


def machine() -> dict[str, Any]:
    """Return what the figures were measured on: processors that may be used, their name, the system."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processors": usable, "processor": name, "system": f"{platform.system()} {platform.release()}"}


def quantiles_ms(histogram: DurationHistogram) -> dict[str, float | None]:
    """Return the reported quantiles and the longest; None while there is nothing.

    >>> quantiles_ms(DurationHistogram())["p99.9"] is None
    True
    """
    found = {name: _rounded(histogram.quantile_ms(share)) for name, share in QUANTILES.items()}
    return found | {"max": _rounded(histogram.longest_ms) if histogram.count else None}


def _row(found: StepOutcome) -> dict[str, Any]:
    verdict, sending = found.verdict, found.sending
    return {
        "offered_per_s": found.step.rate_per_s,
        "achieved_per_s": round(verdict.achieved_per_s, 1),
        "purchases": sending.handed_over,
        "lists": found.part.listed,
        "covered": found.part.covered,
        "freshness_ms": quantiles_ms(found.part.freshness),
        "saturated": verdict.saturated,
        "why": verdict.why,
        "backlog_growth_per_s": round(verdict.backlog_growth_per_s, 1),
        "backlog_most": verdict.backlog_most,
        "backlog_at_end": verdict.backlog_at_end,
        "held_back": sending.held_back,
        "handed_over_late_ms": quantiles_ms(sending.lateness),
        # seconds since the start of the step, and the counts then
        "over_time": {
            "at_s": [round((sample.at_ms - sending.start_ms) / 1000.0, 2) for sample in found.samples],
            "backlog": [sample.backlog for sample in found.samples],
            "acknowledged": [sample.acknowledged for sample in found.samples],
        },
    }


def _short(ms: float) -> str:
    return f"{ms:.1f}" if ms < 10 else f"{ms:,.0f}"


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)
