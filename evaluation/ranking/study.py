"""What the preset ``learned`` reaches on a recorded log: ``python -m evaluation.ranking.study LOG --catalogue DIR``.

Trees are grown before each day from the days before; beside them stand popularity and item-kNN, or whom ``--beside``
names. With ``--sources`` it also says what share of the answers each source of candidates finds. The report is written
anew after every seed. Read next: :mod:`evaluation.contestants.learned`.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.contestant import Ground, Purchases
from evaluation.contestants.learned import Learned
from evaluation.contestants.live import Live
from evaluation.contestants.registry import build
from evaluation.figures import figures_of
from evaluation.merging import Run
from evaluation.prequential import run
from evaluation.ranking.arguments import made_with, study_parser, tell
from evaluation.ranking.growing import Grown, Growth
from evaluation.recorded import cut_before, prepare
from evaluation.tasks import Questions, ask
from trendloom.catalogue.directory import load_catalogue
from trendloom.logs.event_time import parse_moment
from trendloom.logs.read import read_log
from trendloom.relevance.learned.gathering import SOURCES

__all__ = ["Observed", "main", "recall_of_sources"]

Ints = npt.NDArray[np.int64]
BESIDE = ("popularity-6h", "item-knn")
#: Half the width of a 95 % interval in standard errors, by the number of seeds (Student's t).
_T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
_KEPT = ("hit", "ndcg", "map", "recall")


class Observed(Learned):
    """The contestant, which also notes the candidates of every purchase that it is asked about."""

    def __init__(self, ground: Ground, **more: Any) -> None:
        super().__init__("learned", ground, **more)
        self.candidates: list[npt.NDArray[np.int32]] = []
        self.sources: list[npt.NDArray[np.uint16]] = []
        self.sizes: list[Ints] = []

    def after(self, batch: Purchases, k: int) -> Ints:
        """Return the lists, noting what they were chosen from."""
        lists = super().after(batch, k)
        loop = self.rehearsal.loop
        query = loop.question(batch, self._customers.after(batch))
        described = loop.described(query)
        self.candidates.append(described.item.astype(np.int32))
        self.sources.append(described.source.astype(np.uint16))
        self.sizes.append(np.diff(described.starts))
        return lists


def recall_of_sources(seen: Observed, questions: Questions) -> dict[str, dict[str, float]]:
    """Return, for each source and for all together, the share of next items that are among its candidates."""
    answers = questions.answers["next_in_session"]
    rows = np.flatnonzero(questions.scored)
    wanted = np.full(rows.size, -1, np.int64)
    there = np.diff(answers.starts)[rows] > 0
    wanted[there] = answers.items[answers.starts[rows[there]]]
    sizes = np.concatenate(seen.sizes)
    hit = np.concatenate(seen.candidates) == np.repeat(wanted, sizes)
    source = np.concatenate(seen.sources)
    asked = max(int(there.sum()), 1)

    def told(bits: int) -> dict[str, float]:
        of = (source & bits) > 0
        return {"recall": round(float((hit & of).sum()) / asked, 4), "a_list": round(float(of.sum()) / rows.size, 1)}

    return {
        "all": told((1 << len(SOURCES)) - 1),
        **{name: told(1 << place) for place, name in enumerate(SOURCES)},
    }


def _summary(figures: dict[str, Any]) -> dict[str, Any]:
    """Return task -> model -> metric -> mean over seeds, both intervals, each seed's and each day's value."""
    told: dict[str, Any] = {}
    for task, about in figures["tasks"].items():
        told[task] = {"questions": about["questions"]}
        for name, model in about["models"].items():
            told[task][name] = {}
            for metric in (f"{one}@{about['k']}" for one in _KEPT):
                seeds = [values[metric] for values in model["seeds"].values()]
                one = model[metric] | {"seeds": seeds}
                if len(seeds) in _T_95:
                    one["half_width_over_seeds"] = round(
                        _T_95[len(seeds)] * float(np.std(seeds, ddof=1)) / math.sqrt(len(seeds)), 6
                    )
                told[task][name][metric] = one
    return told


def _grown(grown: Sequence[Grown]) -> list[dict[str, float]]:
    return [
        {"examples": one.examples, "trees": one.forest.n_trees, "ndcg_held_out": round(one.ndcg_held_out, 4)}
        for one in grown
    ]


def _times(summary: dict[str, Any]) -> dict[str, float]:
    models = {name: told for name, told in summary["next_in_session"].items() if name != "questions"}
    ours = models["learned"]["hit@10"]["value"]
    return {
        name: round(ours / max(told["hit@10"]["value"], 1e-9), 3) for name, told in models.items() if name != "learned"
    }


def _study(arguments: argparse.Namespace) -> dict[str, Any]:
    from_ms = parse_moment(arguments.scored_from)
    to_ms = None if arguments.scored_to is None else parse_moment(arguments.scored_to)
    catalogue = load_catalogue(arguments.catalogue)
    runs: list[Run] = []
    report: dict[str, Any] = {"from": arguments.scored_from, "to": arguments.scored_to, "batch": arguments.batch}
    report |= {"seeds": [], "grown": {}, "recall": {}, "seconds": {}, "made_with": made_with()}
    for seed in arguments.seeds:
        log = read_log(arguments.log, arguments.columns, seed=seed)
        past = None
        if arguments.past is not None:
            past = read_log(arguments.past, arguments.columns, seed=seed, to_ms=from_ms)
            report["past"] = past.name
        purchases, ground = prepare(log, catalogue, seed=seed, past=past, from_ms=from_ms)
        if to_ms is not None:
            purchases = cut_before(purchases, to_ms)
        questions = ask(purchases, from_ms=from_ms)
        growth = Growth(rounds=arguments.rounds)
        more: dict[str, Any] = {"growth": growth, "orders": arguments.orders}
        learned = Observed(ground, **more) if arguments.sources else Learned("learned", ground, **more)
        began_s = time.perf_counter()

        def progress(done: int, seed: int = seed, total: int = len(purchases)) -> None:
            if done % 20_000 < arguments.batch:
                sys.stderr.write(f"seed {seed}: {done} of {total}\n")

        with ExitStack() as open_models:
            others = [build(name, ground) for name in arguments.beside]
            for other in others:
                if isinstance(other, Live):
                    open_models.enter_context(closing(other))
            judged = run(purchases, questions, ground, [*others, learned], batch=arguments.batch, progress=progress)
        runs.append(Run(seed, purchases, questions, ground, judged))
        if isinstance(learned, Observed):
            report["recall"][seed] = recall_of_sources(learned, questions)
        report["log"] = log.name
        report["catalogue"] = catalogue.fingerprint
        report["seeds"].append(seed)
        report["grown"][seed] = _grown(learned.grown)
        report["seconds"][seed] = round(time.perf_counter() - began_s, 1)
        report["figures"] = _summary(figures_of(runs, baseline=None, draws=500))
        report["times"] = _times(report["figures"])
        tell(report, arguments.json_file)
        del learned  # it holds all the examples
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study that the command line asks for and print its report."""
    parser = study_parser("python -m evaluation.ranking.study", __doc__)
    parser.add_argument("--past", type=Path, help="an earlier log, whose years the season is told from")
    parser.add_argument("--from", dest="scored_from", required=True, help="first scored day, e.g. 2020-09-18 (UTC)")
    parser.add_argument("--to", dest="scored_to", help="first day not read any more (UTC)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="seeds of times of day and ties")
    parser.add_argument("--rounds", type=int, default=Growth.rounds, help="trees at most")
    parser.add_argument("--orders", type=int, help="orders in which each day goes by (default: as train ranker has it)")
    parser.add_argument("--beside", nargs="*", default=BESIDE, help="models to stand beside it")
    parser.add_argument("--sources", action="store_true", help="say what each source of candidates finds")
    _study(parser.parse_args(arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
