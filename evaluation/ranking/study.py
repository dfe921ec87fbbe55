"""What the preset ``learned`` reaches on a recorded log: ``python -m evaluation.ranking.study LOG --catalogue DIR``.

Trees are grown before each day from the days before; beside them stand popularity, item-kNN and ``balanced``. It also
says what share of the answers each source of candidates finds, and what a list costs. Prints and writes JSON. Read
next: :mod:`evaluation.contestants.learned`.
"""

from __future__ import annotations

import argparse
import json
import platform
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
from evaluation.marks import METRICS
from evaluation.prequential import Judged, run
from evaluation.ranking.growing import Growth
from evaluation.recorded import cut_before, prepare
from evaluation.tasks import Questions, ask
from trendloom.catalogue.directory import load_catalogue
from trendloom.logs.event_time import parse_moment
from trendloom.logs.read import read_log
from trendloom.relevance.learned.gathering import SOURCES

__all__ = ["Observed", "main", "recall_of_sources"]

Ints = npt.NDArray[np.int64]
BESIDE = ("popularity-6h", "item-knn", "balanced")


class Observed(Learned):
    """The contestant, which also notes the candidates of every purchase it is asked about, and the time of a list."""

    def __init__(self, ground: Ground, **more: Any) -> None:
        super().__init__("learned", ground, **more)
        self.candidates: list[npt.NDArray[np.int32]] = []
        self.sources: list[npt.NDArray[np.uint8]] = []
        self.sizes: list[Ints] = []
        self.listing_s = 0.0
        self.lists = 0

    def after(self, batch: Purchases, k: int) -> Ints:
        """Return the lists, noting what they were chosen from."""
        loop = self.rehearsal.loop
        began_s = time.process_time()
        lists = super().after(batch, k)
        self.listing_s += time.process_time() - began_s
        self.lists += len(batch)
        query = loop.question(batch.customer, batch.item, batch.at_ms, self._customers.after(batch))
        described = loop.described(query)
        self.candidates.append(described.item.astype(np.int32))
        self.sources.append(described.source.astype(np.uint8))
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

    return {"all": told(255), **{name: told(1 << place) for place, name in enumerate(SOURCES)}}


def _figures(judged: Judged) -> dict[str, dict[str, dict[str, float]]]:
    return {
        task: {
            name: dict(zip(METRICS, sheet.all_marks().mean(axis=0).round(4).tolist(), strict=True))
            for name, sheet in sheets.items()
        }
        for task, sheets in judged.sheets.items()
    }


def _study(arguments: argparse.Namespace) -> dict[str, Any]:
    from_ms = parse_moment(arguments.scored_from)
    log = read_log(arguments.log, arguments.columns, seed=arguments.seed)
    purchases, ground = prepare(log, load_catalogue(arguments.catalogue), seed=arguments.seed, from_ms=from_ms)
    if arguments.scored_to is not None:
        purchases = cut_before(purchases, parse_moment(arguments.scored_to))
    questions = ask(purchases, from_ms=from_ms)
    with ExitStack() as open_models:
        others = [build(name, ground) for name in arguments.beside]
        for other in others:
            if isinstance(other, Live):
                open_models.enter_context(closing(other))
        learned = Observed(ground, growth=Growth(rounds=arguments.rounds))
        began_s = time.perf_counter()

        def progress(done: int) -> None:
            if done % 5_000 < arguments.batch:
                sys.stderr.write(f"{done} of {len(purchases)}\n")

        judged = run(purchases, questions, ground, [*others, learned], batch=arguments.batch, progress=progress)
        took_s = time.perf_counter() - began_s
    figures = _figures(judged)
    ours = figures["next_in_session"]["learned"]["hit"]
    return {
        "log": log.name,
        "seed": arguments.seed,
        "from": arguments.scored_from,
        "to": arguments.scored_to,
        "questions": {task: int(rows.size) for task, rows in judged.rows.items()},
        "figures": figures,
        "times": {
            name: round(ours / max(marks["hit"], 1e-9), 3)
            for name, marks in figures["next_in_session"].items()
            if name != "learned"
        },
        "recall": recall_of_sources(learned, questions),
        "grown": [
            {"examples": one.examples, "trees": one.forest.n_trees, "ndcg_held_out": round(one.ndcg_held_out, 4)}
            for one in learned.grown
        ],
        "cpu_us_a_list": round(learned.listing_s / max(learned.lists, 1) * 1e6, 1),
        "seconds": round(took_s, 1),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study that the command line asks for and print its report."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.ranking.study", description=__doc__)
    parser.add_argument("log", type=Path, help="a recorded purchase log")
    parser.add_argument("--columns", default="hm", help="column preset of the log (default hm)")
    parser.add_argument("--catalogue", type=Path, required=True, help="a catalogue directory")
    parser.add_argument("--from", dest="scored_from", required=True, help="first scored day, e.g. 2020-09-18 (UTC)")
    parser.add_argument("--to", dest="scored_to", help="first day not read any more (UTC)")
    parser.add_argument("--seed", type=int, default=1, help="seed of times of day and ties")
    parser.add_argument("--batch", type=int, default=500, help="purchases a batch")
    parser.add_argument("--rounds", type=int, default=Growth.rounds, help="trees at most")
    parser.add_argument("--beside", nargs="*", default=BESIDE, help="models to stand beside it")
    parser.add_argument("--json", dest="json_file", type=Path, help="write the report to this file, too")
    parsed = parser.parse_args(arguments)
    report = json.dumps(_study(parsed), indent=1) + "\n"
    if parsed.json_file is not None:
        parsed.json_file.write_text(report)
    sys.stdout.write(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
