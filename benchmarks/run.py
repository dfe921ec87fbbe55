"""``make bench``: run parts of the benchmark, keep each part's figures as JSON, and write the tables of the docs.

Everything goes to ``benchmarks/results``; ``summary.json`` is made from what lies there, so parts may be run one by
one, on other days. ``--quick`` is the headline comparison. Read next: :mod:`benchmarks.rounds`,
:mod:`benchmarks.report`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import freshness
from benchmarks.contenders.registry import CONTENDERS
from benchmarks.killed_workers import measure_kills
from benchmarks.peers_environment import differing_versions
from benchmarks.per_pair_loop import measure_pairs
from benchmarks.processes_seen import machine
from benchmarks.recorded_log import measure_replay
from benchmarks.report import software, summarise
from benchmarks.retrieval import measure_retrieval
from benchmarks.rounds import Rounds
from benchmarks.scale import SCALES, measure_scale, parse_sizes
from benchmarks.stage import Stage
from benchmarks.tables import drain_table, targets_table
from benchmarks.worker_profile import measure_profile
from benchmarks.writing import write_docs
from trendloom.errors import TrendloomError

__all__ = ["PARTS", "main", "parse"]

RESULTS = Path("benchmarks/results")
DOCS = Path("docs")
#: Parts, in the order in which they run, and what each one measures.
PARTS = {
    "drain": "purchases a second and CPU of all contenders, side by side",
    "freshness": "from the intended send time to the list, at 1,000/s and at shares of our own drain rate",
    "profile": "where each µs of the worker goes",
    "kill": "a worker killed in the middle of a drain",
    "scale": "what grows with items, customers, batches and workers",
    "sweep": "the settings that were tried for each contender",
    "memory": "bytes for each customer, item and co-purchase row in the store",
    "pairs": "one purchase against every item, beside a loop that takes one pair after the other",
    "retrieval": "overlap of candidates with exhaustive scoring, and what more candidates cost",
    "replay": "the recorded H&M log on the embedded engines",
}
_ON_STAGE = ("drain", "freshness", "profile", "kill", "scale", "sweep")
PRESETS = ("paper", "balanced")
#: Purchases in the log, the longest time measured, seconds of each rate; with ``--quick``, and without.
_QUICK, _FULL = (100_000, 6.0, 10.0), (300_000, 30.0, 20.0)
_SETTINGS = (
    "paper keeps no co-purchases (state.co_purchase_window 0: its formula looks at none), balanced has the defaults; "
    "all contenders have the same"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for; return 1 if one of them could not be measured."""
    asked = parse(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic's leader is not known at once: it asks again
    os.environ["PYTHONPATH"] = str(Path.cwd())  # whatever is started is of this checkout
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as our worker does
    asked.results.mkdir(parents=True, exist_ok=True)
    about = {"command": _command(arguments), "settings": _SETTINGS, "workload": _workload(asked)}
    print(f"settings: {_SETTINGS}", flush=True)
    whole = True
    staged = [part for part in asked.parts if part in _ON_STAGE]
    if staged:
        with Stage(store=asked.store) as stage:
            rounds = Rounds(stage, asked)
            about |= {"versions": {**software(), **stage.versions()}}
            if rounds.peers is not None:
                about["versions_differ"] = differing_versions(rounds.peers)
            rounds.warm_up()
            for part in staged:
                whole &= _keep(asked.results, part, about, partial(_on_stage, part, rounds))
    for part in asked.parts:
        if part not in _ON_STAGE:
            told = {**about, "versions": software()}
            whole &= _keep(asked.results, part, told, partial(_alone, part, asked))
    summary = summarise(asked.results)
    _write(asked.results / "summary.json", summary)
    if asked.write_docs:
        write_docs(DOCS, asked.results, summary)
    print(drain_table(summary), targets_table(summary), sep="\n\n")
    return 0 if whole else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what is asked for; what is not given depends on ``--quick``."""
    parts = "\n".join(f"  {name:10} {what}" for name, what in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=...",
        description=__doc__.partition("\n")[0],
        epilog=f"parts:\n{parts}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--parts", default="", help="comma-separated (all but sweep; quick: drain,freshness)")
    parser.add_argument("--quick", action="store_true", help="the headline comparison, under ten minutes")
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help=f"of {', '.join(CONTENDERS)}")
    parser.add_argument("--presets", default=",".join(PRESETS))
    parser.add_argument("--rounds", type=int, default=3, help="rounds to take the median of (3)")
    parser.add_argument("--purchases", type=int, default=0, help="purchases in the log (300,000; quick 100,000)")
    parser.add_argument("--window-s", type=float, default=0.0, help="longest time measured (30; quick 6)")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long each rate of `freshness` lasts (20)")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--max-batch", type=int, default=2_000)
    parser.add_argument("--most-items", type=int, default=1_000_000, help="`freshness` measures no larger catalogue")
    parser.add_argument("--vary", nargs="*", default=[], metavar="WHAT=N,N", help=f"for `scale`: {', '.join(SCALES)}")
    parser.add_argument("--asked-customers", type=int, default=1_000, help="customers that `retrieval` asks for")
    parser.add_argument("--store", choices=("redis", "valkey"), default=None, help="system's redis-server, or packaged")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the figures; another one for trials")
    parser.add_argument("--write-docs", action="store_true", help="write tables and plots of docs/performance.md, too")
    asked = parser.parse_args(arguments)
    usual = "drain,freshness" if asked.quick else ",".join(name for name in PARTS if name != "sweep")
    asked.parts = _named(asked.parts or usual, PARTS, parser)
    purchases, window_s, seconds = _QUICK if asked.quick else _FULL
    asked.purchases, asked.window_s = asked.purchases or purchases, asked.window_s or window_s
    asked.seconds = asked.seconds or seconds
    asked.contenders = _named(asked.contenders, CONTENDERS, parser)
    asked.presets = _named(asked.presets, PRESETS, parser)
    try:
        asked.sizes = parse_sizes(asked.vary)
    except ValueError as error:
        parser.error(str(error))
    return asked


def _named(text: str, known: Collection[str], parser: argparse.ArgumentParser) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            parser.error(f"there is no {name!r}; known: {', '.join(known)}")
    return names


def _on_stage(part: str, rounds: Rounds) -> dict[str, Any]:
    """Measure a part that needs Kafka and Redis."""
    asked = rounds.asked
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "drain": rounds.drain,
        "freshness": lambda: freshness.measure(rounds.stage, rounds.own_rates(_kept(asked.results, "drain")), asked),
        "profile": lambda: measure_profile(rounds),
        "kill": lambda: measure_kills(rounds),
        "scale": lambda: measure_scale(rounds, asked.sizes),
        "sweep": rounds.sweep,
    }
    found = measures[part]()
    failures, rounds.failures = rounds.failures, []
    return {**found, "failures": failures}


def _alone(part: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Measure a part that needs no engines, or starts its own."""
    if part == "memory":
        from benchmarks import state_memory

        return {"servers": state_memory.main()}
    if part == "pairs":
        return measure_pairs()
    if part == "retrieval":
        return measure_retrieval(asked.presets, customers=asked.asked_customers)
    return measure_replay(asked.presets, asked.rounds)


def _keep(results: Path, part: str, about: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> bool:
    """Measure a part and write its figures, with what they were measured on; return False if it could not be measured.

    The other parts go on then: hours of figures are not lost to one that fails.
    """
    print(f"== {part}: {PARTS[part]}", flush=True)
    before, began_s = machine(), time.monotonic()
    try:
        found = measure()
    except TrendloomError as error:
        print(f"== {part} FAILED: {error}", flush=True)
        return False
    told = {"taken_at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": before, **about, **found}
    _write(results / f"{part}.json", {**told, "took_s": round(time.monotonic() - began_s, 1)})
    return True


def _kept(results: Path, part: str) -> dict[str, Any]:
    """Return what a part found by preset; nothing if it was not run."""
    path = results / f"{part}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")).get("presets", {}) if path.is_file() else {}
    return found


def _command(arguments: Sequence[str] | None) -> str:
    words = re.sub(r"--results[ =]\S+ ?", "", " ".join(sys.argv[1:] if arguments is None else arguments)).strip()
    return f"make bench ARGS='{words}'" if words else "make bench"


def _workload(asked: argparse.Namespace) -> dict[str, Any]:
    names = ("purchases", "items", "customers", "partitions", "max_batch", "rounds", "window_s", "seconds")
    return {name: getattr(asked, name) for name in names}


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
