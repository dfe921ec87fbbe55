"""What is a part of the score worth? ``python -m evaluation.parts_study LOG --part trained`` asks it, weight by weight.

`balanced` on the live path, and the same with the part added: `colour` needs nothing, `trained` a network or ALS that
is trained anew before each day. Every task of the evaluation is asked; one JSON object is printed. Read next:
:mod:`evaluation.contestants.balanced_trained`.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.contestant import Contestant, Ground
from evaluation.contestants.balanced_trained import (
    BalancedTrained,
    TrainVectors,
    train_als_vectors,
    train_network_vectors,
)
from evaluation.contestants.live import Live
from evaluation.contestants.registry import build
from evaluation.figures import figures_of
from evaluation.merging import Run
from evaluation.prequential import run
from evaluation.recorded import prepare
from evaluation.tasks import ask
from trendloom.catalogue.directory import load_catalogue
from trendloom.collaborative.model import CollaborativeModel
from trendloom.logs.event_time import parse_moment
from trendloom.logs.interactions import Interactions
from trendloom.logs.read import read_log
from trendloom.relevance.presets import PRESETS

__all__ = ["TRAININGS", "contestants", "main"]

TRAININGS: dict[str, TrainVectors] = {"gmf": train_network_vectors, "als": train_als_vectors}
_BASELINE = "balanced"


def _once(train: TrainVectors) -> TrainVectors:
    """Return a training whose model several contestants share: they are asked about the same days."""
    made: dict[int, CollaborativeModel | None] = {}

    def kept(known: Interactions, rng: np.random.Generator) -> CollaborativeModel | None:
        if known.item.size not in made:
            made[known.item.size] = train(known, rng)
        return made[known.item.size]

    return kept


def contestants(
    ground: Ground, part: str, weights: Sequence[float], trainings: Sequence[str]
) -> dict[str, Callable[[], Contestant]]:
    """Return how each contestant is made, by name: the part at each weight, of `trained` with each training."""
    made: dict[str, Callable[[], Contestant]] = {_BASELINE: lambda: build(_BASELINE, ground)}

    def trained(name: str, weight: float, train: TrainVectors) -> Callable[[], Contestant]:
        return lambda: BalancedTrained(name, ground, PRESETS[_BASELINE].weighing({"trained": weight}), train)

    def plain(name: str, weight: float) -> Callable[[], Contestant]:
        return lambda: Live(name, ground, PRESETS[_BASELINE].weighing({part: weight}))

    for weight in weights:
        if part != "trained":
            made[f"{part} {weight:g}"] = plain(f"{part} {weight:g}", weight)
    for family in trainings if part == "trained" else ():
        train = _once(TRAININGS[family])
        for weight in weights:
            made[f"{family} {weight:g}"] = trained(f"{family} {weight:g}", weight, train)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study that the command line asks for and print its report."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.parts_study", description=__doc__)
    parser.add_argument("log", type=Path, help="a recorded purchase log")
    parser.add_argument("--catalogue", type=Path, required=True, help="a catalogue directory")
    parser.add_argument("--columns", default="hm", help="columns of the log (default hm)")
    parser.add_argument("--part", default="trained", choices=("trained", "colour"))
    parser.add_argument("--weight", type=float, action="append", required=True, help="may be repeated")
    parser.add_argument("--training", action="append", choices=sorted(TRAININGS), help="of trained; default: all")
    parser.add_argument("--from", dest="scored_from", default="2020-09-17", help="first scored day (UTC)")
    parser.add_argument("--to", default="2020-09-18", help="first day not read any more (UTC)")
    parser.add_argument("--every", type=int, default=1, help="score every so manieth basket")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=1_000)
    parser.add_argument("--out", type=Path, help="write the report here as well, beside what was found before")
    given = parser.parse_args(arguments)
    from_ms, to_ms = parse_moment(given.scored_from), parse_moment(given.to)
    log = read_log(given.log, given.columns, seed=given.seed, to_ms=to_ms)
    purchases, ground = prepare(log, load_catalogue(given.catalogue), seed=given.seed)
    questions = ask(purchases, from_ms=from_ms, to_ms=to_ms, every=given.every)
    with ExitStack() as opened:
        taking_part: list[Contestant] = []
        for make in contestants(ground, given.part, given.weight, given.training or sorted(TRAININGS)).values():
            taking_part.append(make())
            opened.enter_context(closing(taking_part[-1]))  # type: ignore[type-var]  # all of these can be closed
        judged = run(purchases, questions, ground, taking_part)
    report = figures_of(
        [Run(given.seed, purchases, questions, ground, judged)], baseline=_BASELINE, draws=given.draws, window=5_000
    )
    found: dict[str, Any] = {}
    if given.out is not None and given.out.exists():
        found = json.loads(given.out.read_text(encoding="utf-8"))
    found[given.part] = {
        "command": "python -m evaluation.parts_study LOG --catalogue DIR "
        f"--columns {given.columns} --part {given.part} --from {given.scored_from} --to {given.to}"
        f" --every {given.every}" + "".join(f" --weight {weight:g}" for weight in given.weight),
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), "numpy": version("numpy")},
        "tasks": {task: _digest(told) for task, told in report["tasks"].items()},
    }
    text = json.dumps(found, indent=1) + "\n"
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def _digest(task: dict[str, Any]) -> dict[str, Any]:
    hit, ndcg = f"hit@{task['k']}", f"ndcg@{task['k']}"
    return {
        "questions": task["questions"],
        **{
            name: {
                hit: told[hit],
                ndcg: told[ndcg],
                "against balanced": told.get("against", {}).get(_BASELINE, {}).get(hit),
            }
            for name, told in task["models"].items()
        },
    }


if __name__ == "__main__":
    sys.exit(main())
