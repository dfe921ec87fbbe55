"""How good the lists of a recorded log are, in one process: ``python -m evaluation.study LOG --catalogue DIR``.

Runs :mod:`evaluation.light_loop` over the log and prints one JSON object: next-in-session hit@k and NDCG@k, those of
plain popularity, the share of the exhaustive lists that retrieval finds, and the time a list takes. It writes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluation.light_loop import LightLoop, LoopRules
from evaluation.next_in_session import asked, popularity_lists, score_lists
from trendloom.candidates import recommend
from trendloom.catalogue.directory import load_catalogue
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.read import read_log
from trendloom.refresh.assortment import features_by_number
from trendloom.relevance.features import ItemFeatures
from trendloom.relevance.presets import PRESETS, Preset
from trendloom.relevance.query import Query

__all__ = ["lists_of_log", "main", "numbers_of", "retrieval_overlap"]

Ints = npt.NDArray[np.int64]
HALF_LIVES_S = (3_600.0, 21_600.0, 86_400.0, 604_800.0)


def lists_of_log(
    loop: LightLoop,
    log: PurchaseLog,
    item: Ints,
    preset: Preset,
    *,
    from_ms: int,
    to_ms: int | None = None,
    batch: int = 500,
    k: int = 10,
) -> Ints:
    """Take a log through the loop and return the list of each purchase (R, k) as item numbers.

    ``item`` (R,) gives the item number of each purchase. Repeated pieces are left out and have no list (-1), nor do
    purchases before ``from_ms``, which only warm up; purchases from ``to_ms`` on are not read.
    """
    lists = np.full((len(log), k), -1, np.int64)
    kept = ~log.repeated()
    if to_ms is not None:
        kept &= log.occurred_at_ms < to_ms
    places = np.flatnonzero(kept)
    for start in range(0, places.size, batch):
        place = places[start : start + batch]
        at_ms = log.occurred_at_ms[place]
        asking = preset if at_ms[-1] >= from_ms else None
        top = loop.take(log.customer[place].astype(np.int64), item[place], at_ms, asking, k=k)
        if top is not None:
            lists[place] = np.where((at_ms >= from_ms)[:, None], top.items, -1)
    return lists


def retrieval_overlap(loop: LightLoop, query: Query, preset: Preset, *, k: int = 10) -> float:
    """Return the mean share of the k best of all items that the lists made from candidates hold, in the loop now."""
    found, best = (
        recommend(
            query,
            loop.features,
            loop.dynamics,
            preset,
            k=k,
            exclude_other_views=False,
            standing=loop.standing(),
            exhaustive=exhaustive,
        ).items
        for exhaustive in (False, True)
    )
    shares = [
        len(set(some) & set(all_) - {-1}) / max(len(set(all_) - {-1}), 1)
        for some, all_ in zip(found.tolist(), best.tolist(), strict=True)
    ]
    return sum(shares) / max(len(shares), 1)


def numbers_of(log: PurchaseLog, row_of: dict[str, int]) -> tuple[Ints, int]:
    """Return each purchase's item number (R,), unknown items numbered after the catalogue's rows, and how many."""
    numbers = dict(row_of)
    code = np.array([numbers.setdefault(item_id, len(numbers)) for item_id in log.items], np.int64)
    return code[log.item], len(numbers)


def _study(arguments: argparse.Namespace) -> dict[str, object]:
    log = read_log(arguments.log, arguments.columns, seed=arguments.seed)
    catalogue = load_catalogue(arguments.catalogue)
    item, size = numbers_of(log, catalogue.row_of)
    features: ItemFeatures = features_by_number(catalogue, np.arange(len(catalogue)), size, {})
    from_ms = int(datetime.fromisoformat(arguments.scored_from).replace(tzinfo=UTC).timestamp() * 1000)
    to_ms = None
    if arguments.scored_to is not None:
        to_ms = int(datetime.fromisoformat(arguments.scored_to).replace(tzinfo=UTC).timestamp() * 1000)
    rules = LoopRules(
        co_purchase_keep=arguments.keep,
        co_purchase_limit=arguments.limit,
        co_purchase_window=arguments.window,
        trendiness_prior_weight=arguments.prior,
        trendiness_fade=arguments.fade,
    )
    loop = LightLoop(features, rules, clock_s=time.process_time)
    preset = PRESETS[arguments.preset]
    lists = lists_of_log(loop, log, item, preset, from_ms=from_ms, to_ms=to_ms, batch=arguments.batch)
    question = asked(log, from_ms=from_ms, to_ms=to_ms)
    number_of_code = np.zeros(len(log.items), np.int64)
    number_of_code[log.item] = item
    targets = type(question)(question.place, number_of_code[question.target])
    listed = max(int((lists >= 0).any(axis=1).sum()), 1)
    popularity = {
        f"{half_life_s:.0f} s": score_lists(popularity_lists(log, question, half_life_s=half_life_s), question).hit_at_k
        for half_life_s in (HALF_LIVES_S if arguments.baselines else ())
    }
    report: dict[str, object] = {
        "preset": preset.name,
        "batch": arguments.batch,
        "seed": arguments.seed,
        "catalogue": catalogue.fingerprint,
        **asdict(score_lists(lists[question.place], targets)),
        "cpu_us_per_list": round(loop.recommend_s / listed * 1e6, 1),
        "popularity_hit_at_k": popularity,
    }
    if arguments.overlap:
        last = np.flatnonzero((lists >= 0).any(axis=1))[-arguments.overlap :]
        query = loop.ask(log.customer[last].astype(np.int64), log.occurred_at_ms[last])
        report["retrieval_overlap"] = round(retrieval_overlap(loop, query, preset), 4)
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study that the command line asks for and print its report."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.study", description=__doc__)
    parser.add_argument("log", type=Path, help="a recorded purchase log")
    parser.add_argument("--columns", default="hm", help="column preset of the log (default hm)")
    parser.add_argument("--catalogue", type=Path, required=True, help="a catalogue directory")
    parser.add_argument("--preset", default="balanced", choices=sorted(PRESETS))
    parser.add_argument("--from", dest="scored_from", required=True, help="first scored day, e.g. 2020-09-18 (UTC)")
    parser.add_argument("--to", dest="scored_to", help="first day not read any more (UTC)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the times of day of a log with dates only")
    parser.add_argument("--batch", type=int, default=500, help="purchases a batch")
    parser.add_argument("--keep", type=int, default=LoopRules.co_purchase_keep, help="co-purchases kept an item")
    parser.add_argument("--limit", type=int, default=LoopRules.co_purchase_limit, help="co-purchases held an item")
    parser.add_argument("--window", type=int, default=LoopRules.co_purchase_window, help="past items paired")
    parser.add_argument(
        "--prior", type=float, default=LoopRules.trendiness_prior_weight, help="of trendiness, purchases"
    )
    parser.add_argument("--fade", type=float, default=1.0, help="of older purchases in trendiness; 1 is none")
    parser.add_argument("--baselines", action="store_true", help="score plain popularity as well")
    parser.add_argument("--overlap", type=int, default=0, help="lists to compare with exhaustive scoring")
    report = _study(parser.parse_args(arguments))
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
