"""Whether batches of 1 and of 500 purchases make lists of the same worth: ``python -m benchmarks.batch_sizes --help``.

A list may know the items as of the start of its batch, so smaller batches know a little more. The evaluation is run
once a size; ``benchmarks/results/batch_sizes.json`` gets the figures. Read next: :mod:`evaluation.prequential`.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.reporting import Plan, evaluate
from trendloom.catalogue.directory import load_catalogue
from trendloom.catalogue.garment import Catalogue
from trendloom.logs.event_time import parse_moment

__all__ = ["main", "measured"]

RESULT = Path(__file__).parent / "results" / "batch_sizes.json"
#: What the figures of the smallest and the largest batches may differ by.
TARGET = 0.002


def measured(plan: Plan, shop: Catalogue | None, sizes: Sequence[int]) -> dict[str, Any]:
    """Return the figures of one model with each batch size, and how far hit@10 in session differs between them."""
    found: dict[str, dict[str, Any]] = {}
    about: dict[str, Any] = {}
    for size in sizes:
        report = evaluate(replace(plan, batch=size), shop)
        about = report["about"]
        found[str(size)] = {"CPU seconds": about["CPU seconds"]} | {
            task: {name: round(told["models"][plan.models[0]][name]["value"], 5) for name in _names(told["k"])}
            for task, told in report["tasks"].items()
        }
        print(f"batches of {size}: {found[str(size)]}", flush=True)
    hits = [one["next_in_session"][f"hit@{plan.k}"] for one in found.values()]
    gap = max(hits) - min(hits)
    kept = ("log sha256", "purchases", "scored from", "scored to", "catalogue", "seeds", "state")
    return {
        "about": {name: about[name] for name in kept} | {"machine": platform.processor() or platform.machine()},
        "model": plan.models[0],
        "batches": found,
        "greatest difference of hit@10 in session": round(gap, 5),
        "target": TARGET,
        "met": gap <= TARGET,
    }


def _names(k: int) -> tuple[str, ...]:
    return (f"hit@{k}", f"ndcg@{k}", f"map@{k}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for, print it and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch_sizes", description=__doc__)
    parser.add_argument("log", type=Path, help="a recorded purchase log")
    parser.add_argument("--columns", default="hm", help="column preset of the log (default hm)")
    parser.add_argument("--catalogue", type=Path, required=True, help="a catalogue directory")
    parser.add_argument("--from", dest="scored_from", required=True, help="first scored time (UTC)")
    parser.add_argument("--to", dest="scored_to", required=True, help="nothing from here on is read (UTC)")
    parser.add_argument("--model", default="balanced", help="model that is asked (default balanced)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 50, 500], help="purchases a batch")
    asked = parser.parse_args(arguments)
    plan = Plan(
        log=asked.log,
        columns=asked.columns,
        from_ms=parse_moment(asked.scored_from),
        to_ms=parse_moment(asked.scored_to),
        models=(asked.model,),
        baseline=asked.model,
        frozen=False,
        draws=10,
    )
    found = measured(plan, load_catalogue(asked.catalogue), asked.sizes)
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0 if found["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
