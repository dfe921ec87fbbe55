"""The trained models on a recorded log, each in a process of its own beside item-kNN: what they reach, cost and take.

``python -m benchmarks.trained_models LOG --catalogue DIR`` runs ``trendloom evaluate prequential`` for each and writes
``benchmarks/results/trained_models.json``. Read next: :mod:`evaluation.contestants.trained`.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.rounds import without_places

__all__ = ["command", "digest", "main"]

MODELS = ("als", "bpr", "ease", "item2vec", "als-1h", "gmf", "mlp", "neumf", "sasrec")
BASELINE = "item-knn"
RESULTS = Path(__file__).parent / "results" / "trained_models.json"
_LONGEST_S = 7200.0


def command(log: Path, model: str, arguments: argparse.Namespace, report: Path) -> list[str]:
    """Return the command that evaluates one model beside item-kNN and writes its report."""
    return [
        *(sys.executable, "-m", "launch.cli", "evaluate", "prequential", str(log), "--columns", arguments.columns),
        *("--catalogue", str(arguments.catalogue), "--from", arguments.scored_from, "--seed", str(arguments.seed)),
        *("--every", str(arguments.every), "--model", model, "--model", BASELINE, "--baseline", BASELINE),
        *("--no-frozen", "--json", str(report)),
    ]


def digest(report: dict[str, Any], model: str) -> dict[str, Any]:
    """Return what a report says of a model: hits, NDCG and the paired difference by task, seconds and memory.

    The seconds are those that the model took itself, by the clock; on a shared machine look at the CPU's instead.
    """
    tasks: dict[str, Any] = {}
    for name, task in report["tasks"].items():
        told, k = task["models"][model], task["k"]
        against = told.get("against", {}).get(BASELINE, {}).get(f"hit@{k}")
        tasks[name] = {
            "questions": task["questions"],
            **{f"{metric}@{k}": told[f"{metric}@{k}"] for metric in ("hit", "ndcg", "map", "recall")},
            **({} if against is None else {f"hit@{k} against {BASELINE}": against}),
        }
    return {
        "seconds": report["models"][model]["seconds"],
        "process peak MB": round(report["about"]["peak memory GB"] * 1000),
        "tasks": tasks,
    }


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the models that the command line names, print and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trained_models", description=__doc__)
    parser.add_argument("log", type=Path, help="a recorded purchase log")
    parser.add_argument("--catalogue", type=Path, required=True, help="a catalogue directory")
    parser.add_argument("--columns", default="hm", help="columns of the log (default hm)")
    parser.add_argument("--from", dest="scored_from", default="2020-09-18", help="first scored day (UTC)")
    parser.add_argument("--model", action="append", choices=MODELS, help="may be repeated; default: all")
    parser.add_argument("--every", type=int, default=1, help="score every so manieth basket")
    parser.add_argument("--seed", type=int, default=1, help="seed of times of day and ties")
    asked = parser.parse_args(arguments)
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"models": {}}
    found["machine"] = f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, one thread"
    found["versions"] = {name: version(name) for name in ("implicit", "gensim", "numpy", "scipy")}
    found["asked"] = {"log": asked.log.name, "scored from": asked.scored_from, "seed": asked.seed}
    failed = 0
    for model in asked.model or MODELS:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            line = command(asked.log, model, asked, report)
            before_s = _children_cpu_s()
            done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=_LONGEST_S)
            if done.returncode:
                print(without_places(done.stderr[-2000:]), flush=True)
                failed += 1
                continue
            told = json.loads(report.read_text())
        cpu_s = round(_children_cpu_s() - before_s, 1)
        found["models"][model] = {"every": asked.every, "process CPU seconds": cpu_s, **digest(told, model)}
        found["models"].setdefault(BASELINE, {"every": asked.every, **digest(told, BASELINE)})
        print(json.dumps({model: found["models"][model]}), flush=True)
        RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
