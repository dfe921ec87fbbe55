"""What grows with what: our own drain with more items, customers, batches and workers, one thing at a time.

Customers are put into the store beforehand, each with a full history, so that the smallest and the largest shop do the
same work for a purchase. Read next: :mod:`benchmarks.seeding`, :mod:`benchmarks.killed_workers`.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.processes_seen import available_memory_gb
from benchmarks.rounds import Rounds

__all__ = ["SCALES", "fitting", "growth", "measure_scale", "parse_sizes"]

#: What is varied, around the workload of the drain.
SCALES: dict[str, tuple[int, ...]] = {
    "items": (1_000, 10_000, 100_000, 1_000_000),
    "customers": (1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    "max_batch": (100, 250, 500, 1_000, 2_000),
    "workers": (1, 2),
}
#: What a seeded customer takes in the store, with room to spare, and what everything else needs.
_CUSTOMER_BYTES, _REST_GB = 700, 4.0
#: With several workers the clock starts when all are at work, so the log is longer.
_LONGER = 3


def parse_sizes(asked: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the sizes to measure; ``asked`` replaces those of what it names, and leaves out what it does not.

    >>> parse_sizes(["items=10,20"])
    {'items': (10, 20)}
    >>> parse_sizes([]) == SCALES
    True
    """
    if not asked:
        return SCALES
    found = {}
    for text in asked:
        name, _, sizes = text.partition("=")
        if name not in SCALES:
            msg = f"there is no {name!r} to vary; known: {', '.join(SCALES)}"
            raise ValueError(msg)
        found[name] = tuple(int(size) for size in sizes.split(",")) if sizes else SCALES[name]
    return found


def fitting(what: str, sizes: Sequence[int], available_gb: float) -> tuple[int, ...]:
    """Return the sizes that the memory allows; of customers, whose state is all in the store.

    >>> fitting("customers", (1_000, 10_000_000), available_gb=8.0)
    (1000,)
    """
    if what != "customers":
        return tuple(sizes)
    return tuple(size for size in sizes if size * _CUSTOMER_BYTES / 1e9 + _REST_GB <= available_gb)


def measure_scale(rounds: Rounds, sizes_of: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Return every run, a table by preset and what was varied, and what did not fit into the memory."""
    runs: list[dict[str, Any]] = []
    left_out: dict[str, list[int]] = {}
    for preset in rounds.asked.presets:
        for what, asked in sizes_of.items():
            sizes = fitting(what, asked, available_memory_gb())
            if sizes != tuple(asked):
                left_out[what] = [size for size in asked if size not in sizes]
                print(f"   {what}: the memory is too small for {left_out[what]}", flush=True)
            for size in sizes:
                print(f"   {what} {size:,}", flush=True)
                for number in range(1, rounds.asked.rounds + 1):
                    found = rounds.attempt("ours", preset, round_number=number, **_varied(rounds, what, size))
                    runs += [{"varied": what, "size": size, **run.as_dict()} for run in found]
    return {"presets": _tables(runs), "left_out": left_out, "runs": runs}


def growth(lines: Sequence[Mapping[str, Any]]) -> dict[str, float] | None:
    """Return the smallest size, the largest, and how many times the CPU of a purchase, of all processes, grows.

    >>> growth([{"size": 10, "all_cpu_us": 20.0}, {"size": 1000, "all_cpu_us": 25.0}])
    {'from': 10, 'to': 1000, 'times': 1.25}
    """
    if len(lines) < 2:
        return None
    least, *_, most = sorted(lines, key=lambda line: int(line["size"]))
    return {"from": least["size"], "to": most["size"], "times": round(most["all_cpu_us"] / least["all_cpu_us"], 3)}


def _varied(rounds: Rounds, what: str, size: int) -> dict[str, int]:
    if what == "customers":
        return {"customers": size, "seeded_customers": size}
    if what == "workers":
        return {"workers": size, "purchases": _LONGER * rounds.asked.purchases}
    return {what: size}


def _tables(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for key in dict.fromkeys((run["preset"], run["varied"], run["size"]) for run in runs):
        preset, what, size = key
        mine = [run for run in runs if (run["preset"], run["varied"], run["size"]) == key]
        cpu = {
            name: round(statistics.median(run["cpu_us_per_purchase"][name] for run in mine), 2)
            for name in mine[0]["cpu_us_per_purchase"]
        }
        tables.setdefault(preset, {}).setdefault(what, []).append(
            {
                "size": size,
                "rounds": len(mine),
                "drain_per_s": statistics.median(run["drain_per_s"] for run in mine),
                "cpu_us_per_purchase": cpu,
                "all_cpu_us": round(sum(cpu.values()), 2),
                "startup_s": statistics.median(run["startup_s"] for run in mine),
                "memory_mb": {
                    name: statistics.median(run["memory_mb"][name] for run in mine) for name in mine[0]["memory_mb"]
                },
                "others_share": statistics.median(run["others_share"] for run in mine),
                "checked": all(run["finished"] and all(run["checks"].values()) for run in mine),
            }
        )
    return tables
