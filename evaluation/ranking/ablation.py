"""What each signal is worth to the trees: ``python -m evaluation.ranking.ablation LOG --catalogue DIR --to DAY``.

Trees are grown from all days but the last one read, with each part of the signals left out and with each part alone,
and judged on the last day. So nothing later than that day is looked at. Prints and writes JSON; ``docs/signals.md``
says what came out. Read next: :mod:`trendloom.relevance.learned.signals`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS
from evaluation.ranking.arguments import made_with, study_parser, tell
from evaluation.ranking.examples import Table
from evaluation.ranking.growing import Growth, grow
from evaluation.ranking.rehearsal import Rehearsal
from evaluation.recorded import batches, cut_before, prepare
from trendloom.catalogue.directory import load_catalogue
from trendloom.logs.event_time import parse_moment
from trendloom.logs.read import read_log
from trendloom.relevance.learned.signals import PART_OF_SIGNAL, PARTS, SIGNALS

__all__ = ["judged", "main"]

Floats = npt.NDArray[np.float64]
#: Smaller than what ships, as many are grown.
GROWTH = Growth(rounds=40, least_rounds=40, leaves=15, learning_rate=0.12)


def judged(table: Table, score: Floats, k: int = 10) -> float:
    """Return the mean share of what was bought later that day among the k best candidates of each example.

    >>> table = Table(np.zeros((4, 1), np.float32), np.array([1, 0, 0, 1], np.int8), np.array([2, 2]),
    ...               np.arange(2), np.arange(2))
    >>> judged(table, np.array([2.0, 1.0, 2.0, 1.0]), k=1)
    0.5
    """
    row = np.repeat(np.arange(table.sizes.size), table.sizes)
    order = np.lexsort((-score, row))
    starts = np.cumsum(table.sizes) - table.sizes
    best = np.arange(row.size) - starts[row] < k
    found = np.bincount(row, table.bought[order] * best, minlength=table.sizes.size)
    return float((found / np.bincount(row, table.bought, minlength=table.sizes.size)).mean())


def _study(arguments: argparse.Namespace) -> dict[str, Any]:
    seed, to_ms = arguments.seed, parse_moment(arguments.to)
    log = read_log(arguments.log, arguments.columns, seed=seed, to_ms=to_ms)
    earlier = None if arguments.past is None else read_log(arguments.past, arguments.columns, seed=seed, to_ms=to_ms)
    purchases, ground = prepare(log, load_catalogue(arguments.catalogue), seed=seed, past=earlier, from_ms=to_ms)
    last_ms = int(purchases.at_ms[-1]) // DAY_MS * DAY_MS
    rehearsal = Rehearsal(ground, np.random.default_rng(arguments.seed))
    past = len(cut_before(purchases, last_ms))
    for part in batches(purchases.at_ms, arguments.batch):
        if part.start >= past and rehearsal.examples.kept < 1.0:
            rehearsal.examples.settle()
            learnt = rehearsal.examples.table()
            rehearsal.examples.drop()
            rehearsal.examples.kept = 1.0
        batch = purchases.part(part)
        rehearsal.take(batch)
        if part.stop % 5_000 < arguments.batch:
            sys.stderr.write(f"{part.stop} of {len(purchases)}\n")
    rehearsal.examples.settle()
    asked = rehearsal.examples.table(most=arguments.most)

    def reached(without: tuple[str, ...]) -> float:
        share = round(judged(asked, grow(learnt, GROWTH, without=without).forest.sums(asked.signals)), 4)
        sys.stderr.write(f"{share}\n")
        return share

    parts = PARTS[:-1]
    of_part = {
        part: tuple(n for n, p in zip(SIGNALS, PART_OF_SIGNAL, strict=True) if parts[p] == part) for part in parts
    }
    whole = reached(())
    return {
        "log": log.name,
        "past": None if earlier is None else earlier.name,
        "seed": arguments.seed,
        "judged_on": arguments.to,
        "examples": {"grown_from": int(learnt.sizes.size), "judged_on": int(asked.sizes.size)},
        "share_of_later_purchases_in_top_10_of_candidates": {
            "all": whole,
            "linear_form": round(judged(asked, asked.signals[:, SIGNALS.index("fusion")].astype(np.float64)), 4),
            "without": {part: reached(names) for part, names in of_part.items()},
            "alone": {part: reached(tuple(set(SIGNALS) - set(names))) for part, names in of_part.items()},
        },
        "made_with": made_with(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ablation that the command line asks for and print its report."""
    parser = study_parser("python -m evaluation.ranking.ablation", __doc__)
    parser.add_argument("--past", type=Path, help="an earlier log, whose years the season is told from")
    parser.add_argument("--to", required=True, help="first day not read any more (UTC); the one before is judged on")
    parser.add_argument("--seed", type=int, default=1, help="seed of times of day and ties")
    parser.add_argument("--most", type=int, default=6_000, help="about so many of the last examples are judged on")
    parsed = parser.parse_args(arguments)
    tell(_study(parsed), parsed.json_file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
