"""What places for new items cost and bring: the H&M log in the light loop, with 0, 1 and 2 places a list.

``python -m benchmarks.new_items --catalogue DIR``. Purchases of the 16th warm up, those of the 17th are scored. Told
are next-in-session hit@k and NDCG@k, how many lists show an item of the catalogue that nobody had bought before, and
how many different such items were shown.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.processes_seen import machine
from evaluation.light_loop import LightLoop
from evaluation.next_in_session import asked, score_lists
from trendloom.catalogue.directory import load_catalogue
from trendloom.catalogue.garment import Catalogue
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.read import read_log
from trendloom.refresh.assortment import features_by_number
from trendloom.relevance.newcomers import with_newcomers
from trendloom.relevance.presets import PRESETS
from trendloom.relevance.query import Query
from trendloom.relevance.top_k import TopK

_K = 10
_BATCH = 500


def _ms(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def measure(catalogue: Catalogue, log: PurchaseLog, preset: str, places: int, new_item_limit: int) -> dict[str, Any]:
    """Return the figures of one preset with so many places."""
    numbers = dict(catalogue.row_of)
    code = np.array([numbers.setdefault(item_id, len(numbers)) for item_id in log.items], np.int64)
    item = code[log.item]
    loop = LightLoop(features_by_number(catalogue, np.arange(len(catalogue)), len(numbers), {}))
    scored_from, scored_to = _ms("2020-09-17"), _ms("2020-09-18")
    shown = np.zeros(len(numbers), np.int64)
    with_one = lists = 0

    def arrange(top: TopK, query: Query) -> TopK:
        nonlocal with_one, lists
        if places:
            top = with_newcomers(
                top, query, loop.features, loop.dynamics.purchases, places=places, sold_fewer_than=new_item_limit
            )
        cold = (top.items >= 0) & (loop.dynamics.purchases[np.maximum(top.items, 0)] == 0)
        cold &= query.at_ms[:, None] >= scored_from
        np.add.at(shown, top.items[cold], 1)
        with_one += int(cold.any(axis=1).sum())
        lists += int((query.at_ms >= scored_from).sum())
        return top

    kept = ~log.repeated() & (log.occurred_at_ms < scored_to)
    rows = np.flatnonzero(kept)
    found: npt.NDArray[np.int64] = np.full((len(log), _K), -1, np.int64)
    for start in range(0, rows.size, _BATCH):
        row = rows[start : start + _BATCH]
        at_ms = log.occurred_at_ms[row]
        asking = PRESETS[preset] if at_ms[-1] >= scored_from else None
        top = loop.take(log.customer[row].astype(np.int64), item[row], at_ms, asking, k=_K, arrange=arrange)
        if top is not None:
            found[row] = np.where((at_ms >= scored_from)[:, None], top.items, -1)
    question = asked(log, from_ms=scored_from, to_ms=scored_to)
    number_of_code = np.zeros(len(log.items), np.int64)
    number_of_code[log.item] = item
    score = score_lists(found[question.place], type(question)(question.place, number_of_code[question.target]), k=_K)
    return {
        **asdict(score),
        "lists_of_the_day": lists,
        "share_of_lists_with_one_never_sold": round(with_one / max(lists, 1), 4),
        "never_sold_items_shown": int((shown > 0).sum()),
    }


def main() -> None:
    """Measure, print and write JSON."""
    data = Path(os.environ.get("EVALUATION_DATA", "../shared/data")) / "hm"
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--log", type=Path, default=data / "transactions_2020-09-16_to_20.parquet")
    arguments.add_argument("--catalogue", type=Path, required=True, help="catalogue made of the H&M articles")
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results/new_items.json"))
    given = arguments.parse_args()
    log, catalogue = read_log(given.log, "hm", seed=1), load_catalogue(given.catalogue)
    told: dict[str, Any] = {
        "what": "places for new items: H&M, learnt from 2020-09-16 on, scored on the 17th",
        "machine": machine(),
        "items": len(catalogue),
        "photos": len(catalogue.photo_embeddings),
        "batch": _BATCH,
        "presets": {},
    }
    for preset, choices in (("balanced", ((0, 1), (1, 1), (2, 1), (1, 5))), ("paper", ((0, 1), (1, 1)))):
        for places, new_item_limit in choices:
            kept = f"{places} {'place' if places == 1 else 'places'}, new below {new_item_limit}"
            name = kept if places else "no places"
            told["presets"].setdefault(preset, {})[name] = measure(catalogue, log, preset, places, new_item_limit)
            print(preset, name, told["presets"][preset][name], flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
