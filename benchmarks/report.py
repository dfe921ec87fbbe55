"""From the parts' JSON to ``summary.json``, and from that to the table between two markers in ``docs/performance.md``.

It reads and writes files and measures nothing. Read next: :mod:`benchmarks.run`.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.contenders.registry import CONTENDERS
from trendloom.errors import InputError

__all__ = ["BEGIN", "END", "software", "summarise", "table", "write_table"]

BEGIN = "<!-- begin: written by `make bench ARGS=--write-docs` -->"
END = "<!-- end -->"
_PACKAGES = ("faust-streaming", "aiokafka", "redis", "hiredis", "numpy", "numba", "orjson", "msgspec", "pydantic")


def software() -> dict[str, str]:
    """Return the versions of what runs, this checkout's included."""
    found = {"python": platform.python_version(), "trendloom": _commit()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def summarise(results: Path) -> dict[str, Any]:
    """Return the headline figures of all parts whose JSON lies in ``results``, by preset."""
    parts = {
        name: json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("drain", "freshness", "memory")
        if (results / f"{name}.json").is_file()
    }
    drain, freshness = parts.get("drain", {}), parts.get("freshness", {})
    presets: dict[str, Any] = {}
    for preset, found in drain.get("presets", {}).items():
        ours = found["contenders"].get("ours", {})
        presets[preset] = {
            "drain_per_s": ours.get("drain_per_s"),
            "cpu_us_per_purchase": ours.get("cpu_us_per_purchase"),
            "memory_mb": ours.get("memory_mb"),
            "startup_s": ours.get("startup_s"),
            "ratio": found["ratio"],
            "freshness_ms": _freshness(freshness.get("presets", {}).get(preset, {})),
            "contenders": found["contenders"],
        }
    return {
        "taken_at": {name: part.get("taken_at") for name, part in parts.items()},
        "machine": drain.get("machine") or parts.get("memory", {}).get("machine"),
        "versions": drain.get("versions"),
        "versions_differ": drain.get("versions_differ"),
        "workload": drain.get("workload"),
        "presets": presets,
        "bytes_per": {
            server: {line["what"]: round(line["usage"]) for line in lines}
            for server, lines in parts.get("memory", {}).get("servers", {}).items()
        },
    }


def table(summary: Mapping[str, Any]) -> str:
    """Return the summary as Markdown.

    >>> table({"presets": {}})
    'Nothing was measured yet.'
    """
    if not summary.get("presets"):
        return "Nothing was measured yet."
    workload, machine, versions = summary["workload"], summary["machine"], summary["versions"]
    about = (
        f"{workload['purchases']:,} purchases, {workload['items']:,} items, {workload['customers']:,} customers, "
        f"{workload['partitions']} partitions; medians of {workload['rounds']} rounds. {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}; load before: "
        f"{machine['load_before']}. {versions['broker']}, {versions['store']}, Python {versions['python']}, "
        f"Trendloom {versions['trendloom']}; {summary['taken_at'].get('drain', '')}."
    )
    columns = ["contender", "purchases/s (lowest – highest)", "worker µs", "broker µs", "store µs", "worker MB"]
    columns += ["first list after, s", "ours drains ×", "ours' worker CPU ×", "others used"]
    lines = [about]
    for preset, found in summary["presets"].items():
        lines += [
            "",
            f"**Preset `{preset}`**",
            "",
            f"| {' | '.join(columns)} |",
            f"|---{'|--:' * (len(columns) - 1)}|",
        ]
        lines += [_row(name, told, found["ratio"].get(name)) for name, told in found["contenders"].items()]
        if found["freshness_ms"]:
            lines += [
                "",
                "| offered | purchases/s | p50 ms | p99 ms | p99.9 ms | longest ms | |",
                "|---|--:|--:|--:|--:|--:|---|",
            ]
            lines += [_fresh_row(name, told) for name, told in found["freshness_ms"].items()]
    return "\n".join(lines)


def write_table(page: Path, summary: Mapping[str, Any]) -> None:
    """Put the table between the page's markers; raises :class:`InputError` if it has none."""
    text = page.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{page} has no markers for the table. Action: put {BEGIN} and {END} where it belongs.")
    page.write_text(f"{head}{BEGIN}\n\n{table(summary)}\n\n{END}{tail}", encoding="utf-8")


def _freshness(steps: Mapping[str, Any]) -> dict[str, Any] | None:
    found = {
        name: {**step["freshness_ms"], "offered_per_s": step["offered_per_s"], "saturated": step["saturated"]}
        for name, step in steps.items()
        if isinstance(step, dict) and "freshness_ms" in step
    }
    return found or None


def _row(name: str, told: Mapping[str, Any], ratio: Mapping[str, float] | None) -> str:
    low, high = told["drain_per_s_range"]
    cpu, memory = told["cpu_us_per_purchase"], told["memory_mb"]
    against = (f"{ratio['drain']:.2f}", f"{ratio['worker_cpu']:.2f}") if ratio else ("", "")
    unfinished = "" if told["finished"] else " ¹"
    return (
        f"| {CONTENDERS[name].title}{unfinished} | {told['drain_per_s']:,.0f} ({low:,.0f} – {high:,.0f}) "
        f"| {cpu['worker']:.1f} | {cpu['broker']:.1f} | {cpu['store']:.1f} | {memory['worker']:.0f} "
        f"| {told['startup_s']:.1f} | {against[0]} | {against[1]} | {told['others_share']:.0%} |"
    )


def _fresh_row(name: str, told: Mapping[str, Any]) -> str:
    shown = ("–" if told[key] is None else f"{told[key]:,.0f}" for key in ("p50", "p99", "p99.9", "max"))
    verdict = "saturated" if told["saturated"] else "keeps up"
    return f"| {name} | {told['offered_per_s']:,.0f} | {' | '.join(shown)} | {verdict} |"


def _commit() -> str:
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"], check=True, capture_output=True, text=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return importlib.metadata.version("trendloom")
    return found
