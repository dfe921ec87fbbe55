"""From the parts' JSON to ``summary.json``: the headline figures by preset, what grows, and the targets' verdicts.

It reads files and measures nothing. Read next: :mod:`benchmarks.targets`, :mod:`benchmarks.tables`.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.scale import growth
from benchmarks.targets import judged

__all__ = ["read_parts", "software", "summarise"]

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


def read_parts(results: Path) -> dict[str, Any]:
    """Return every part whose JSON lies in ``results``, by name."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(results.glob("*.json"))
        if path.stem != "summary"
    }


def summarise(results: Path) -> dict[str, Any]:
    """Return the headline figures of all parts whose JSON lies in ``results``, by preset, and the targets."""
    parts = read_parts(results)
    drain, pairs = parts.get("drain", {}), parts.get("pairs", {})
    names = [name for part in parts.values() if isinstance(part.get("presets"), dict) for name in part["presets"]]
    shops = parts.get("retrieval", {}).get("shops", {})
    some: Mapping[str, Any] = drain or next(iter(parts.values()), {})
    summary: dict[str, Any] = {
        "taken_at": {name: part.get("taken_at") for name, part in parts.items()},
        "commands": {name: part.get("command") for name, part in parts.items()},
        "machine": some.get("machine"),
        "versions": some.get("versions"),
        "versions_differ": drain.get("versions_differ"),
        "workload": drain.get("workload"),
        "settings": some.get("settings"),
        "presets": {preset: _preset(preset, parts) for preset in dict.fromkeys(names)},
        "bytes_per": {
            server: {line["what"]: round(line["usage"]) for line in lines}
            for server, lines in parts.get("memory", {}).get("servers", {}).items()
        },
        "pairs": {name: pairs[name] for name in ("ms_per_list", "ratio_to_loop", "overlap_with_loop") if name in pairs},
        "overlap": {
            shop: {preset: _own_candidates(told) for preset, told in found["presets"].items()}
            for shop, found in shops.items()
        },
    }
    return {**summary, "targets": judged(summary, parts.get("memory", {}).get("servers", {}))}


def _preset(preset: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    def of(part: str) -> dict[str, Any]:
        found: dict[str, Any] = parts.get(part, {}).get("presets", {}).get(preset, {})
        return found

    drain, scale = of("drain"), of("scale")
    contenders = drain.get("contenders", {})
    ours = contenders.get("ours", {})
    workers = {line["size"]: line for line in scale.get("workers", [])}
    return {
        "drain_per_s": ours.get("drain_per_s"),
        "cpu_us_per_purchase": ours.get("cpu_us_per_purchase"),
        "memory_mb": ours.get("memory_mb"),
        "startup_s": ours.get("startup_s"),
        "ratio": drain.get("ratio"),
        "freshness_ms": _freshness(of("freshness")),
        "contenders": contenders,
        "profile_us": of("profile").get("us_per_purchase"),
        "growth": {what: growth(scale[what]) for what in ("items", "customers") if what in scale},
        "two_workers": _two_workers(workers),
        "exact_after_kill": {case: all(told["checks"].values()) for case, told in of("kill").items()},
        "replay_s": of("replay").get("seconds"),
    }


def _two_workers(lines: Mapping[int, Mapping[str, Any]]) -> float | None:
    """Return two workers' rate as a share of one's; 0 if the state was not exact, None if they were not measured."""
    if not {1, 2} <= set(lines):
        return None
    return round(lines[2]["drain_per_s"] / lines[1]["drain_per_s"], 3) if lines[2]["checked"] else 0.0


def _freshness(steps: Mapping[str, Any]) -> dict[str, Any] | None:
    found = {
        name: {**step["freshness_ms"], "offered_per_s": step["offered_per_s"], "saturated": step["saturated"]}
        for name, step in steps.items()
        if isinstance(step, dict) and "freshness_ms" in step
    }
    return found or None


def _own_candidates(told: Mapping[str, Any]) -> dict[str, float]:
    """Return overlap, candidates and µs of the lists that the worker makes, with the preset's own amounts."""
    line = next(line for line in told["by_candidates"] if line["factor"] == 1.0)
    return {
        "overlap": line["overlap"]["worker"],
        "candidates": line["candidates"],
        "us_per_list": line["us_per_list"]["worker"],
    }


def _commit() -> str:
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"], check=True, capture_output=True, text=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return importlib.metadata.version("trendloom")
    return found
