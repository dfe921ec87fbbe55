"""Whether the lists that a replay publishes are as good as the evaluation says, on one log and the same days.

The log goes through the embedded Kafka and Redis and real workers, and every list is read back from the topic; then the
evaluation asks the same preset about the same days in one process. ``benchmarks/results/published_lists.json`` gets
both figures and their difference. Read next: :mod:`evaluation.next_in_session`, which judges the published lists.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.next_in_session import SessionScore, score_published
from evaluation.reporting import Plan, evaluate
from launch.run import run_stream
from producers.replay import ReplaySummary, replay_log
from producers.sender import Sender
from trendloom.catalogue.directory import load_catalogue
from trendloom.logs.event_time import parse_moment
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.read import read_log

__all__ = ["evaluated", "main", "published"]

RESULT = Path(__file__).parent / "results" / "published_lists.json"
#: What the two figures may differ by.
TARGET = 0.003
#: The most purchases that wait for their lists.
_UNDERWAY = 16_000


def published(
    log: PurchaseLog, catalogue: Path, preset: str, *, from_ms: int, workers: int
) -> tuple[SessionScore, dict[str, Any]]:
    """Return how good the lists of a replay are from ``from_ms`` on, and what became of its purchases."""
    lists: dict[str, list[str]] = {}

    def keep(found: dict[str, Any]) -> None:
        lists[found["cause"]["event_id"]] = [sys.intern(entry["item_id"]) for entry in found["entries"]]

    def produce(sender: Sender, ended: threading.Event) -> ReplaySummary:
        return replay_log(log, sender, stop=ended)

    report = run_stream(
        produce, catalogue_dir=catalogue, preset=preset, workers=workers, most_awaited=_UNDERWAY, on_list=keep
    )
    told = {
        "purchases sent": report.purchases_sent,
        "purchases applied": report.purchases_applied,
        "lists": len(lists),
        "missing lists": report.missing_lists,
        "workers": workers,
    }
    return score_published(log, lists, from_ms=from_ms), told


def evaluated(plan: Plan, catalogue: Path) -> dict[str, Any]:
    """Return what the evaluation says of the same preset on the same days: questions, hit@10, its interval, NDCG@10."""
    told = evaluate(plan, load_catalogue(catalogue))["tasks"]["next_in_session"]
    figures = told["models"][plan.models[0]]
    hit = {name: round(value, 5) for name, value in figures["hit@10"].items() if name in ("value", "low", "high")}
    return {"questions": told["questions"], "hit@10": hit, "ndcg@10": round(figures["ndcg@10"]["value"], 5)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the replay and the evaluation that the command line asks for; print both figures and keep them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published_lists", description=__doc__)
    parser.add_argument("log", type=Path, help="a recorded purchase log")
    parser.add_argument("--columns", default="hm", help="column preset of the log (default hm)")
    parser.add_argument("--catalogue", type=Path, required=True, help="a catalogue directory")
    parser.add_argument("--from", dest="scored_from", required=True, help="first scored time (UTC)")
    parser.add_argument("--to", dest="scored_to", help="nothing from here on is sent (UTC)")
    parser.add_argument("--preset", default="balanced", help="preset that makes the lists (default balanced)")
    parser.add_argument("--workers", type=int, default=1, help="workers of the replay (default 1)")
    asked = parser.parse_args(arguments)
    from_ms = parse_moment(asked.scored_from)
    to_ms = None if asked.scored_to is None else parse_moment(asked.scored_to)
    log = read_log(asked.log, asked.columns, to_ms=to_ms)
    score, run = published(log, asked.catalogue, asked.preset, from_ms=from_ms, workers=asked.workers)
    print(f"published: hit@10 {score.hit_at_k:.5f}, {run}", flush=True)
    plan = Plan(
        log=asked.log,
        columns=asked.columns,
        from_ms=from_ms,
        to_ms=to_ms,
        models=(asked.preset,),
        baseline=asked.preset,
        frozen=False,
    )
    inside = evaluated(plan, asked.catalogue)
    difference = score.hit_at_k - inside["hit@10"]["value"]
    found = {
        "log": {"sha256": log.sha256, "purchases": len(log), "scored from": asked.scored_from, "to": asked.scored_to},
        "preset": asked.preset,
        "machine": platform.processor() or platform.machine(),
        "replay": run,
        "published": {
            "questions": score.purchases,
            "hit@10": round(score.hit_at_k, 5),
            "ndcg@10": round(score.ndcg_at_k, 5),
        },
        "evaluated": inside,
        "difference of hit@10": round(difference, 5),
        "target": TARGET,
        "met": abs(difference) <= TARGET and run["missing lists"] == 0,
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0 if found["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
