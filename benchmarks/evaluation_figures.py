"""Keeps the figures of an evaluation that the docs tell: ``python benchmarks/evaluation_figures.py REPORT NAME``.

``REPORT`` is what ``trendloom evaluate prequential --json`` wrote; ``benchmarks/results/evaluation_NAME.json`` gets the
means, intervals and per-day values without the curves, and the machine's versions. The same figures are printed.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
#: So much of a model's cost and of each task is kept.
KEPT = ("hit", "map", "ndcg", "recall", "mrr", "coverage", "gini", "novelty")


def shortened(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report without its curves."""
    tasks: dict[str, Any] = {}
    for task, figures in report["tasks"].items():
        models = {}
        for name, told in figures["models"].items():
            kept = {key: value for key, value in told.items() if key.partition("@")[0] in KEPT}
            models[name] = kept | {key: told[key] for key in ("slices", "seeds", "against") if key in told}
        tasks[task] = {key: value for key, value in figures.items() if key != "models"} | {"models": models}
    made_with = {name: version(name) for name in ("numpy", "pyarrow")}
    about = report["about"] | {"machine": platform.processor() or platform.machine(), "made with": made_with}
    return {"about": about, "tasks": tasks, "models": report["models"]}


def main() -> int:
    """Shorten the report that the command line names, keep it and print it as a table."""
    if len(sys.argv) != 3:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    kept = shortened(json.loads(Path(sys.argv[1]).read_text()))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"evaluation_{sys.argv[2]}.json").write_text(json.dumps(kept, indent=1) + "\n")
    for task, figures in kept["tasks"].items():
        k = figures["k"]
        heads = (f"{task} ({figures['questions']})", f"hit@{k}", "95 %", f"NDCG@{k}", f"MAP@{k}", f"recall@{k}")
        print(f"\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
        ranked = sorted(figures["models"].items(), key=lambda one: -float(one[1][f"hit@{k}"]["value"]))
        for name, told in ranked:
            hit = told[f"hit@{k}"]
            others = " | ".join(f"{told[f'{other}@{k}']['value']:.4f}" for other in ("ndcg", "map", "recall"))
            print(f"| {name} | {hit['value']:.4f} | {hit['low']:.4f} to {hit['high']:.4f} | {others} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
