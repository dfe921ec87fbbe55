"""What rules over lists cost: ``python -m evaluation.list_rules_study LOG --catalogue DIR``, one JSON object.

One pass over a recorded log makes the customer's best items after every purchase; each rule then picks its list from
the same ones, so that lists differ by the rule alone. The second part is cold start: what becomes of purchases of items
with fewer than five sales so far. Read next: :mod:`trendloom.relevance.arrangement`.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.light_loop import LightLoop
from evaluation.metrics import rank_of_target
from evaluation.next_in_session import Asked, asked
from evaluation.study import numbers_of
from trendloom.candidates import recommend
from trendloom.catalogue.directory import load_catalogue
from trendloom.logs.event_time import parse_moment
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.read import read_log
from trendloom.refresh.assortment import features_by_number
from trendloom.relevance.arrangement import Arrangement, arranged
from trendloom.relevance.features import ItemFeatures
from trendloom.relevance.presets import PRESETS, Preset
from trendloom.relevance.top_k import TopK
from trendloom.relevance.visual import similarity

__all__ = ["COLD_SALES", "RULES", "Rows", "collect", "judged", "main", "slices_of", "with_new_items"]

Ints = npt.NDArray[np.int64]

#: An item is cold while it was sold fewer times than this.
COLD_SALES = 5
K, POOL = 10, 50
#: The rules that are compared, by name; the first is no rule.
RULES: Mapping[str, Arrangement] = {
    "no rule": Arrangement(),
    **{f"diversity {weight:g}": Arrangement(diversity=weight) for weight in (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)},
    **{f"at most {cap} of a product": Arrangement(per_product=cap) for cap in (1, 2, 3)},
    **{f"at most {cap} of a type": Arrangement(per_type=cap) for cap in (2, 3, 5)},
    **{f"at least {count} complements": Arrangement(complements=count) for count in (3, 5, 8)},
}
#: The nearest by look alone, whatever was sold: what a shop could show of an item that nobody has bought yet.
_BY_LOOK = Preset("by look", {"visual": 1.0}, retrieve={"neighbours": 64})


@dataclass
class Rows:
    """What was asked and answered: Q questions, the lists of each name (Q, k), and how cold each target was."""

    lists: dict[str, Ints]
    target: Ints
    bought: Ints
    #: (Q,) sales of the target before the question
    target_sales: Ints


def with_new_items(items: Ints, cold: TopK, places: int) -> Ints:
    """Return lists (B, k) of which the last ``places`` are given to the best cold items that are not listed already.

    >>> cold = TopK(np.array([[3, 8]], np.int32), np.array([[.2, .1]]), np.zeros((1, 2, 1)), ("visual",))
    >>> with_new_items(np.array([[1, 3, 5]]), cold, 1).tolist()
    [[1, 3, 8]]
    """
    out = items.copy()
    k = items.shape[1]
    for row, fresh in enumerate(cold.items.tolist()):
        kept = items[row, : k - places].tolist()
        new = [item for item in fresh if item >= 0 and item not in kept][:places]
        rest = [item for item in items[row, k - places :].tolist() if item not in new]
        merged = [*kept, *new, *rest][:k]
        out[row, : len(merged)] = merged
    return out


def collect(
    log: PurchaseLog,
    item: Ints,
    loop: LightLoop,
    question: Asked,
    preset: Preset,
    *,
    to_ms: int,
    batch: int = 500,
) -> Rows:
    """Take a log through the loop up to ``to_ms`` and return every rule's lists for the purchases asked for."""
    places = np.flatnonzero(~log.repeated() & (log.occurred_at_ms < to_ms))
    row_of = np.full(len(log), -1, np.int64)
    row_of[question.place] = np.arange(question.place.size)
    number_of_code = np.zeros(len(log.items), np.int64)
    number_of_code[log.item] = item
    target = number_of_code[question.target]
    names = [*RULES, "by look", "by look, cold items only", *(f"{count} places for cold items" for count in (1, 2, 3))]
    rows = Rows(
        {name: np.full((question.place.size, K), -1, np.int64) for name in names},
        target,
        item[question.place],
        np.zeros(question.place.size, np.int64),
    )
    for start in range(0, places.size, batch):
        place = places[start : start + batch]
        wanted = np.flatnonzero(row_of[place] >= 0)
        at_ms, bought = log.occurred_at_ms[place], item[place]
        if not wanted.size:
            loop.take(log.customer[place].astype(np.int64), bought, at_ms, None)
            continue
        sales = loop.dynamics.purchases.copy()
        query = loop.remember(log.customer[place].astype(np.int64), bought, at_ms)
        shared: dict[str, Any] = {"exclude_other_views": True, "standing": loop.standing()}
        asking, to = query.take(wanted), row_of[place][wanted]
        top = recommend(asking, loop.features, loop.dynamics, preset, k=POOL, **shared)
        cold = recommend(asking, loop.features, loop.dynamics, preset, k=K, eligible=sales < COLD_SALES, **shared)
        look = recommend(asking, loop.features, loop.dynamics, _BY_LOOK, k=K, **shared)
        fresh = recommend(asking, loop.features, loop.dynamics, _BY_LOOK, k=K, eligible=sales < COLD_SALES, **shared)
        for name, rule in RULES.items():
            made = arranged(top, loop.features, asking.item, rule, K) if rule.rules else top.first(K)
            rows.lists[name][to] = made.items
        rows.lists["by look"][to], rows.lists["by look, cold items only"][to] = look.items, fresh.items
        plain = top.first(K)
        for count in (1, 2, 3):
            rows.lists[f"{count} places for cold items"][to] = with_new_items(plain.items.astype(np.int64), cold, count)
        rows.target_sales[to] = sales[target[to]]
        loop.learn(query)
    return rows


def judged(rows: Rows, features: ItemFeatures) -> dict[str, dict[str, float]]:
    """Return for each list's name hit@10 and NDCG@10 over all questions, hit@10 on slices of cold targets, and more."""
    slices = slices_of(rows, features)
    some = np.arange(0, rows.target.size, max(rows.target.size // 4000, 1))
    found = {}
    for name, lists in rows.lists.items():
        rank = rank_of_target(lists, rows.target)
        hit = rank >= 0
        found[name] = {
            "hit_at_10": float(hit.mean()),
            "ndcg_at_10": float(np.where(hit, 1.0 / np.log2(np.maximum(rank, 0) + 2.0), 0.0).mean()),
            **{
                f"{part}_hit_at_10": float(hit[chosen].mean()) if chosen.any() else 0.0
                for part, chosen in slices.items()
            },
            "likeness": _likeness(lists[some], features),
            "types": float(np.mean([np.unique(features.category[row[row >= 0]]).size for row in lists[some]])),
            "items_listed": float(np.unique(lists[lists >= 0]).size),
        }
    return {name: {key: round(value, 5) for key, value in one.items()} for name, one in found.items()}


def slices_of(rows: Rows, features: ItemFeatures) -> dict[str, npt.NDArray[np.bool_]]:
    """Return which questions (Q,) had a cold target, one that was never sold, a cold one where both sides have photos.

    Sales are those before the question's batch.
    """
    cold = rows.target_sales < COLD_SALES
    photo = (features.photo_row[rows.target] >= 0) & (features.photo_row[rows.bought] >= 0)
    return {"cold": cold, "never_sold": rows.target_sales == 0, "cold_by_photo": cold & photo}


def _likeness(lists: Ints, features: ItemFeatures) -> float:
    """Return the mean visual similarity of the pairs within lists (Q, k)."""
    one, two = np.triu_indices(lists.shape[1], 1)
    a, b = lists[:, one].ravel(), lists[:, two].ravel()
    both = (a >= 0) & (b >= 0)
    return float(similarity(features, a[both], b[both]).mean()) if both.any() else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study that the command line asks for and print its report."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.list_rules_study", description=__doc__)
    parser.add_argument("log", type=Path, help="a recorded purchase log")
    parser.add_argument("--columns", default="hm", help="column preset of the log (default hm)")
    parser.add_argument("--catalogue", type=Path, required=True, help="a catalogue directory")
    parser.add_argument("--preset", default="balanced", choices=sorted(PRESETS))
    parser.add_argument("--from", dest="scored_from", required=True, help="first scored day (UTC)")
    parser.add_argument("--to", dest="scored_to", required=True, help="first day not read any more (UTC)")
    parser.add_argument("--every", type=int, default=1, help="ask at every n-th purchase that has a next one")
    parser.add_argument("--out", type=Path, help="write the report here as well")
    given = parser.parse_args(arguments)
    from_ms, to_ms = parse_moment(given.scored_from), parse_moment(given.scored_to)
    log = read_log(given.log, given.columns, to_ms=to_ms)
    catalogue = load_catalogue(given.catalogue)
    item, size = numbers_of(log, catalogue.row_of)
    features = features_by_number(catalogue, np.arange(len(catalogue)), size, {})
    question = asked(log, from_ms=from_ms, to_ms=to_ms)
    question = replace(question, place=question.place[:: given.every], target=question.target[:: given.every])
    rows = collect(log, item, LightLoop(features), question, PRESETS[given.preset], to_ms=to_ms)
    told = {
        "command": f"python -m evaluation.list_rules_study {given.log.name} --catalogue DIR --from {given.scored_from} "
        f"--to {given.scored_to} --every {given.every}",
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), "numpy": version("numpy")},
        "preset": given.preset,
        "catalogue": {"items": len(catalogue), "photos": int((catalogue.photo_row >= 0).sum())},
        "questions": int(rows.target.size),
        "slices": {name: int(chosen.sum()) for name, chosen in slices_of(rows, features).items()},
        "lists": judged(rows, features),
    }
    text = json.dumps(told, indent=1) + "\n"
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
