from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluation.light_loop import LightLoop, LoopRules
from evaluation.study import lists_of_log, retrieval_overlap
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.read import read_log
from trendloom.refresh.assortment import features_by_number
from trendloom.relevance.presets import PRESETS

HOUR_MS = 3_600_000
START_MS = 18_521 * 24 * HOUR_MS


def recorded(folder: Path, *, events: int = 120) -> PurchaseLog:
    rng = np.random.default_rng(1)
    rows = [
        f"c{rng.integers(9)},item-{int(40 * rng.random() ** 2):04d},{START_MS + place * HOUR_MS}"
        for place in range(events)
    ]
    path = folder / "log.csv"
    path.write_text("\n".join(["customer_id,item_id,occurred_at", *rows]) + "\n")
    return read_log(path)


def fresh(log: PurchaseLog) -> tuple[LightLoop, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    catalogue = random_catalogue(40, np.random.default_rng(2))
    numbers = np.array([catalogue.row_of[item] for item in log.items])
    loop = LightLoop(features_by_number(catalogue, np.arange(40), 40, {}), LoopRules(standing_purchases=1))
    return loop, numbers[log.item]


def test_lists_do_not_depend_on_what_comes_later(tmp_path: Path) -> None:
    log = recorded(tmp_path)
    whole, item = fresh(log)
    short, _ = fresh(log)
    middle_ms = START_MS + 80 * HOUR_MS
    everything = lists_of_log(whole, log, item, PRESETS["balanced"], from_ms=START_MS, batch=1)
    first = lists_of_log(short, log, item, PRESETS["balanced"], from_ms=START_MS, to_ms=middle_ms, batch=1)
    assert (everything[:80] == first[:80]).all()
    assert (first[80:] == -1).all()


def test_the_warm_up_gets_no_lists_and_every_later_purchase_one(tmp_path: Path) -> None:
    log = recorded(tmp_path)
    loop, item = fresh(log)
    lists = lists_of_log(loop, log, item, PRESETS["paper"], from_ms=START_MS + 50 * HOUR_MS, batch=7)
    given = np.asarray((lists >= 0).any(axis=1))
    assert not given[:50].any()
    assert (given[50:] == ~log.repeated()[50:]).all()


def test_overlap_is_a_share_and_whole_where_every_item_is_a_candidate(tmp_path: Path) -> None:
    log = recorded(tmp_path)
    loop, item = fresh(log)
    lists_of_log(loop, log, item, PRESETS["balanced"], from_ms=START_MS, batch=10)
    query = loop.ask(log.customer[-15:].astype(np.int64), log.occurred_at_ms[-15:])
    assert 0.5 < retrieval_overlap(loop, query, PRESETS["balanced"]) <= 1.0
    nothing = PRESETS["balanced"].weighing({})
    blind = type(nothing)(name="blind", weights=nothing.weights, retrieve={"neighbours": 1})
    assert retrieval_overlap(loop, query, blind) < 0.2
