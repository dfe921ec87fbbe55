"""What the benchmark's parts find, one small example of each, as fixtures for tests of the summary and of the page."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

TOLD = {
    "rounds": 3,
    "drain_per_s": 30_000.0,
    "drain_per_s_range": [29_000.0, 31_000.0],
    "cpu_us_per_purchase": {"worker": 20.0, "broker": 3.0, "store": 7.0},
    "memory_mb": {"worker": 150.0},
    "startup_s": 1.5,
    "others_share": 0.02,
    "finished": True,
    "checked": True,
}
DRAIN: dict[str, Any] = {
    "taken_at": "2026-01-02T03:04:05+00:00",
    "command": "make bench",
    "settings": "the same for all",
    "machine": {"cpu": "a CPU", "cores": 2, "memory_gb": 8.0, "system": "Linux 6", "load_before": 0.1},
    "versions": {"broker": "Apache Kafka 4", "store": "Redis 7", "python": "3.11", "numpy": "2", "trendloom": "abc"},
    "workload": {"purchases": 1000, "items": 10, "customers": 5, "partitions": 8, "rounds": 3},
    "presets": {
        "paper": {
            "contenders": {"ours": TOLD, "quix": {**TOLD, "finished": False, "drain_per_s": 10_000.0}},
            "ratio": {"quix": {"drain": 3.0, "worker_cpu": 0.4, "all_cpu": 0.5}},
        }
    },
}
LINE = {"drain_per_s": 100.0, "all_cpu_us": 20.0, "checked": True}
STEP = {
    "offered_per_s": 1000.0,
    "saturated": False,
    "lists": 10,
    "freshness_ms": {"p50": 1.0, "p90": 2.0, "p99": 3.0, "p99.9": 4.0, "max": 5.0},
}
SCALED = {
    **LINE,
    "cpu_us_per_purchase": {"worker": 15.0, "broker": 2.0, "store": 3.0},
    "startup_s": 2.0,
    "memory_mb": {"worker": 1.0, "store": 2.0},
}
ABOUT = {name: DRAIN[name] for name in ("taken_at", "command", "machine", "versions", "workload")}
KILLED = {
    "purchases": 100,
    "killed_at_lists": 40,
    "longest_silence_s": 6.0,
    "lists_published_again": 3,
    "checks": {"exact": True},
}
CANDIDATES = {
    "factor": 1.0,
    "candidates": 230.0,
    "overlap": {"worker": 1.0, "plain": 0.9},
    "us_per_list": {"worker": 5.0, "plain": 50.0},
}
SHOPS = {"demo": {"items": 9, "presets": {"paper": {"exhaustive_us_per_list": 400.0, "by_candidates": [CANDIDATES]}}}}
RUN = {"contender": "quix", "knobs": {"step": 500.0}, "drain_per_s": 1.0, "cpu_us_per_purchase": {"worker": 2.0}}
REPLAYED = {"purchases": 5, "seconds": 1.0, "wall_s": 2.0, "exact": True}
PARTS: dict[str, dict[str, Any]] = {
    "drain": DRAIN,
    "freshness": {"presets": {"paper": {"50%": STEP}}},
    "profile": {
        "presets": {
            "paper": {"samples": 9, "drain_per_s": 1.0, "us_per_purchase": {"decode": 2.0, "score": 3.0, "idle": 1.0}}
        }
    },
    "kill": {"session_timeout_s": 6.0, "presets": {"paper": {"the only one": KILLED}}},
    "scale": {
        "presets": {"paper": {"items": [{"size": 1_000, **SCALED}, {"size": 10_000, **SCALED}]}},
        "left_out": {"customers": [10_000_000]},
    },
    "sweep": {"preset": "paper", "runs": [RUN]},
    "memory": {"servers": {"Redis 7": [{"what": "customer", "usage": 640.4, "target": 700}]}},
    "pairs": {
        "items": 10,
        "dimensions": 4,
        "batch": 2,
        "ms_per_list": {"per-pair loop": 1.0},
        "ratio_to_loop": {"per-pair loop": 1.0},
        "overlap_with_loop": {},
    },
    "retrieval": {"customers": 10, "shops": SHOPS},
    "replay": {"presets": {"paper": {"seconds": 1.0, "runs": [REPLAYED]}}},
}


@pytest.fixture
def parts() -> dict[str, dict[str, Any]]:
    """Every part's JSON, by name."""
    return {name: {**ABOUT, **deepcopy(part)} for name, part in PARTS.items()}


@pytest.fixture
def line() -> dict[str, Any]:
    """A line of the part ``scale``, without its size."""
    return dict(LINE)
