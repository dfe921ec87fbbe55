"""What the stream path promises, as numbers, and whether the measured figures keep it.

A target that was not measured says so; one that is missed is shown, not hidden. Read next: :mod:`benchmarks.report`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Target", "judged"]


class Target(NamedTuple):
    """A figure that should be ``wanted`` at least, or (``most``) at most; ``measured`` is None if it is not known."""

    what: str
    wanted: float
    measured: float | None
    most: bool = False

    @property
    def met(self) -> bool | None:
        """Whether it is kept; None where nothing was measured.

        >>> Target("purchases/s", 30_000, 31_000.0).met, Target("ms", 30, 31.0, most=True).met, Target("x", 1, None).met
        (True, False, None)
        """
        if self.measured is None:
            return None
        return self.measured <= self.wanted if self.most else self.measured >= self.wanted


#: By preset: purchases a second, µs of the worker, µs of broker and store together.
_HEADLINE = {"paper": (30_000, 22, 13), "balanced": (18_000, 40, 28)}


def judged(summary: Mapping[str, Any], servers: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return every target with what was measured and whether it is met; ``servers`` is what the part memory found."""
    found: list[Target] = []
    for preset, told in summary.get("presets", {}).items():
        found += [target._replace(what=f"{preset}: {target.what}") for target in _of_preset(preset, told)]
    found += [
        Target(f"{server}: bytes, {line['what']}", line["target"], round(line["usage"]), most=True)
        for server, lines in servers.items()
        for line in lines
        if line.get("target")
    ]
    pairs = summary.get("pairs", {}).get("ratio_to_loop", {})
    found += [
        Target("× the per-pair loop, every item", 60, pairs.get("compiled, exhaustive")),
        Target("× the per-pair loop, through candidates", 1_000, pairs.get("compiled, candidates")),
    ]
    found += [
        Target(f"{shop}, {preset}: top-10 overlap with exhaustive scoring", 0.99, told["overlap"])
        for shop, presets in summary.get("overlap", {}).items()
        for preset, told in presets.items()
    ]
    return [{**target._asdict(), "met": target.met} for target in found]


def _of_preset(preset: str, told: Mapping[str, Any]) -> list[Target]:
    cpu, ratio = told["cpu_us_per_purchase"] or {}, told["ratio"] or {}
    fresh, growth = told["freshness_ms"] or {}, told["growth"]
    per_s, worker_us, engines_us = _HEADLINE[preset]
    half, larger = (_p99(fresh, name) for name in ("50%", "50%, 100 times the items"))
    slow = fresh.get("1000/s", {})
    exact = told["exact_after_kill"]
    return [
        Target("purchases/s, one worker", per_s, told["drain_per_s"]),
        Target("µs of the worker for a purchase", worker_us, cpu.get("worker"), most=True),
        Target(
            "µs of broker and store for a purchase",
            engines_us,
            round(cpu["broker"] + cpu["store"], 2) if cpu else None,
            most=True,
        ),
        Target("× stock Faust", 10, ratio.get("stock_faust", {}).get("drain")),
        Target("× Quix Streams", 2, ratio.get("quix", {}).get("drain")),
        Target("worker's CPU ÷ the plain loop's", 1.15, ratio.get("plain", {}).get("worker_cpu"), most=True),
        Target("p99 ms at half the drain rate", 100, half, most=True),
        Target("p50 ms at 1,000/s", 10, slow.get("p50"), most=True),
        Target("p99 ms at 1,000/s", 30, slow.get("p99"), most=True),
        Target(
            "p99 at half the drain rate, 100 times the items ÷ these",
            2,
            round(larger / half, 2) if half and larger else None,
            most=True,
        ),
        *(
            Target(f"× CPU of a purchase, {found['from']:,} to {found['to']:,} {what}", 1.3, found["times"], most=True)
            for what, found in growth.items()
            if found
        ),
        Target("× one worker's rate with two workers, state exact", 0.9, told["two_workers"]),
        Target("counts exact after a worker was killed", 1, float(all(exact.values())) if exact else None),
        Target("seconds for the 175,315 H&M purchases", 30, told["replay_s"], most=True),
    ]


def _p99(fresh: Mapping[str, Any], name: str) -> float | None:
    found: float | None = fresh.get(name, {}).get("p99")
    return found
