"""What came out of runs: one run's figures, the medians of rounds, the ratios between contenders.

It computes and measures nothing. Read next: :mod:`benchmarks.drain`, which makes runs.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Run", "medians", "ratios"]


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
