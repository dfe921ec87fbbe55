"""What a list of the preset ``learned`` costs: ``python -m benchmarks.learned_cost LOG --catalogue DIR --to DAY``.

Trees are grown from a log, or read from ``--ranker``, then the last purchases are asked about: candidates alone,
candidates and signals, whole lists; in batches of 500 and of one, in CPU time of one core, compiling not counted.
Beside it stand the lists of ``balanced``. Writes ``benchmarks/results/learned_cost.json``.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numba
import numpy as np

from evaluation.contestant import Customers
from evaluation.ranking.arguments import made_with, study_parser
from evaluation.ranking.growing import Growth
from evaluation.ranking.rehearsal import Rehearsal
from evaluation.recorded import batches, prepare
from trendloom.catalogue.directory import load_catalogue
from trendloom.logs.event_time import parse_moment
from trendloom.logs.read import read_log
from trendloom.relevance.compiled.ranker import Ranker
from trendloom.relevance.learned.kernel import candidates_of, gather
from trendloom.relevance.learned.lifting import forget_attributes
from trendloom.relevance.learned.ranker_file import read_ranker
from trendloom.relevance.presets import PRESETS
from trendloom.relevance.query import Query

RESULTS = Path(__file__).parent / "results"
ROUNDS = 7


@numba.njit(nogil=True, error_model="numpy")
def _gathered(asked, shop, live, rules, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    total = 0
    for b in range(asked.item.shape[0]):
        m, h = gather(b, asked, shop, live, rules, room)
        forget_attributes(room.item, h, shop.dense, room.share, room.today)
        total += m
    return total


@numba.njit(nogil=True, error_model="numpy")
def _described(asked, shop, live, rules, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    total = 0
    for b in range(asked.item.shape[0]):
        total += candidates_of(b, asked, shop, live, rules, room)
    return total


def _cost_us(ask: Callable[[Query], object], queries: Sequence[Query]) -> float:
    """Return the CPU time of a list in microseconds: the median of some rounds over all queries."""
    for query in queries[:3]:
        ask(query)
    took = []
    for _ in range(ROUNDS):
        began_s = time.process_time()
        for query in queries:
            ask(query)
        took.append((time.process_time() - began_s) / sum(query.size for query in queries) * 1e6)
    return round(float(np.median(took)), 1)


def main() -> int:
    """Measure what the command line asks for, print and keep it."""
    parser = study_parser("python -m benchmarks.learned_cost", __doc__)
    parser.add_argument("--to", required=True, help="first day not read any more (UTC)")
    parser.add_argument("--ranker", type=Path, help="trees to ask, instead of growing some from the log")
    parser.add_argument("--lists", type=int, default=2_000, help="so many of the last purchases are asked about")
    asked = parser.parse_args()
    log = read_log(asked.log, asked.columns, seed=1, to_ms=parse_moment(asked.to))
    purchases, ground = prepare(log, load_catalogue(asked.catalogue), seed=1)
    rehearsal = Rehearsal(ground, np.random.default_rng(1))
    customers = Customers(rehearsal.loop.rules.history_length + 1)
    last = len(purchases) - asked.lists
    begun = purchases.part(slice(0, last))
    for part in batches(begun.at_ms, asked.batch):
        rehearsal.take(begun.part(part), keep=asked.ranker is None)
        customers.learn(begun.part(part))
    forest = read_ranker(asked.ranker).forest if asked.ranker else rehearsal.grow(Growth()).forest
    rehearsal.examples.drop()
    loop = rehearsal.loop
    rest = purchases.part(slice(last, len(purchases)))
    query = loop.question(rest, customers.after(rest))
    linear = Ranker(
        ground.features,
        PRESETS["balanced"],
        k=10,
        exclude_other_views=True,
        history_length=loop.rules.history_length,
        co_limit=loop.rules.co_purchase_limit,
    )
    linear.touch(None, loop.dynamics)
    asks: dict[str, Callable[[Query], Any]] = {
        "candidates": lambda some: _gathered(*loop.arrays(some)),
        "candidates_and_signals": lambda some: _described(*loop.arrays(some)),
        "lists": lambda some: loop.rank(some, forest),
        "lists_of_balanced": lambda some: linear.rank(some, loop.dynamics, loop.standing()),
    }
    told: dict[str, Any] = {
        "what": "CPU microseconds a list, one core",
        "log": log.name,
        "lists": query.size,
        "trees": forest.n_trees,
        "nodes": int(forest.signal.size),
        "greatest_depth": int(forest.walk.steps.max()),
        "candidates_a_list": round(_gathered(*loop.arrays(query)) / query.size, 1),
        "purchases_in_history": round(float((query.history >= 0).sum(axis=1).mean()), 2),
    }
    for size in (500, 1):
        few = min(query.size, query.size if size > 1 else 500)
        queries = [query.take(np.arange(begin, min(begin + size, few))) for begin in range(0, few, size)]
        cost = {name: _cost_us(ask, queries) for name, ask in asks.items()}
        told[f"batches_of_{size}"] = {
            "candidates": cost["candidates"],
            "signals": round(cost["candidates_and_signals"] - cost["candidates"], 1),
            "trees": round(cost["lists"] - cost["candidates_and_signals"], 1),
            "all": cost["lists"],
            "balanced": cost["lists_of_balanced"],
        }
    told |= {"made_with": made_with(), "processor": platform.processor() or platform.machine()}
    text = json.dumps(told, indent=1) + "\n"
    (asked.json_file or RESULTS / "learned_cost.json").write_text(text)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
