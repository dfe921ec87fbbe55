"""How often the customer's next item is among a source's first candidates: the ceiling of every ranker after it.

``python -m evaluation.candidate_recall LOG --catalogue DIR --from DAY`` asks every source of
:mod:`evaluation.candidate_sources` and the trained models about a recorded log's purchases, before it learns them. It
shares candidates out between the sources on one day (``--choose``), then reads the union's recall on the others.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.candidate_sources import SOURCES, Asked, Shop
from evaluation.contestant import DAY_MS, Ground, Purchases
from evaluation.contestants.baskets import missing_extra
from evaluation.contestants.trained import Trained
from evaluation.next_in_session import next_different
from evaluation.recorded import batches, prepare
from trendloom.catalogue.directory import load_catalogue
from trendloom.logs.event_time import parse_moment
from trendloom.logs.read import read_log

__all__ = ["Found", "attributes_of", "collect", "main", "share_out", "union_recall"]

Ints = npt.NDArray[np.int64]
KS = (10, 50, 120, 200)
#: More columns of the articles file (``--articles``), by what :data:`evaluation.candidate_sources.LIFTS` calls them.
COLUMNS = {
    "section": "section_no",
    "pattern": "graphical_appearance_no",
    "garment_group": "garment_group_no",
    "index": "index_code",
    "shade": "perceived_colour_value_id",
    "hue": "perceived_colour_master_id",
}
TRAINED = {"ALS": ("als", DAY_MS), "ALS, hourly": ("als", 3_600_000), "EASE": ("ease", DAY_MS)}
TRAINED |= {"BPR": ("bpr", DAY_MS), "item2vec": ("item2vec", DAY_MS)}


@dataclass
class Found:
    """What sources proposed for Q questions: ``rank`` of the answer (Q,) by source, a great number where it is not in.

    ``day`` (Q,) since the epoch; ``lists`` (some questions, 200) by source, to count how many distinct ones they make.
    """

    day: list[Ints] = field(default_factory=list)
    rank: dict[str, list[Ints]] = field(default_factory=dict)
    lists: dict[str, list[Ints]] = field(default_factory=dict)
    listed_day: list[Ints] = field(default_factory=list)

    def ranks(self, name: str) -> Ints:
        """Return the answers' ranks (Q,) in a source's lists."""
        return np.concatenate(self.rank[name])


def attributes_of(ground: Ground, articles: Path | None) -> tuple[dict[str, Ints], Ints]:
    """Return attribute codes (N,) by name and first words (N,), by item number; -1 where nothing is said."""
    catalogue = ground.catalogue
    n = ground.n_items
    if catalogue is None:
        return {}, np.full(n, -1, np.int64)
    row = np.array([catalogue.row_of.get(item_id, -1) for item_id in ground.item_ids], np.int64)

    def coded(texts: Sequence[str]) -> Ints:
        codes = np.append(np.unique(np.array(texts, np.str_), return_inverse=True)[1], -1)
        codes[:-1][np.array([not text for text in texts], np.bool_)] = -1
        return np.asarray(codes[row], np.int64)

    found = {
        "department": ground.features.group.astype(np.int64),
        "colour": coded(catalogue.colours),
        "type": coded(catalogue.product_types),
    }
    words = [(title.split() or [""])[0].casefold() for title in catalogue.titles]
    if articles is not None:
        import pyarrow.parquet as pq

        table = pq.read_table(articles, columns=["article_id", *COLUMNS.values()])
        place = {article: number for number, article in enumerate(table.column("article_id").to_pylist())}
        order = [place.get(item_id, -1) for item_id in catalogue.item_ids]
        for name, column in COLUMNS.items():
            values = [str(value) for value in table.column(column).to_pylist()]
            found[name] = coded([values[at] if at >= 0 else "" for at in order])
    return found, coded(words)


def collect(
    purchases: Purchases,
    ground: Ground,
    shop: Shop,
    *,
    from_ms: int,
    trained: Mapping[str, Trained] | None = None,
    batch: int = 500,
    every: int = 1,
    width: int = 200,
    rows_listed: int = 60,
) -> Found:
    """Ask all sources about every ``every``-th batch from ``from_ms`` on, before it is learnt.

    The answer is the customer's next different item; candidates are items sold so far that the customer has not bought
    that day. Of each batch the lists of ``rows_listed`` questions are kept.
    """
    answer = next_different(purchases.customer, purchases.item)
    found, asked_batches = Found(), 0
    for part in batches(purchases.at_ms, batch):
        whole = purchases.part(part)
        if whole.at_ms[0] >= from_ms:
            asked_batches += 1
            row = np.flatnonzero(answer[part] >= 0)
            if (asked_batches - 1) % every == 0 and row.size:
                proposed = _proposed(whole, row, ground, shop, trained or {}, width)
                wanted = answer[part][row]
                found.day.append(whole.at_ms[row] // DAY_MS)
                found.listed_day.append(whole.at_ms[row][:rows_listed] // DAY_MS)
                for name, lists in proposed.items():
                    hit = lists == wanted[:, None]
                    rank = np.where(hit.any(axis=1), hit.argmax(axis=1), np.iinfo(np.int64).max)
                    found.rank.setdefault(name, []).append(rank)
                    found.lists.setdefault(name, []).append(lists[:rows_listed])
        shop.learn(whole, ground.customers.after(whole))
        for one in (trained or {}).values():
            one.learn(whole)
        ground.customers.learn(whole)
    return found


def _proposed(
    whole: Purchases, row: Ints, ground: Ground, shop: Shop, trained: Mapping[str, Trained], width: int
) -> dict[str, Ints]:
    histories = ground.customers.after(whole)
    mine = type(histories)(histories.item[row], histories.at_ms[row])
    barred = mine.bought_on(whole.at_ms[row])
    asked = Asked(shop, mine, whole.at_ms[row])
    found = {name: _best(source(asked), asked.sold, barred, width, shop) for name, source in SOURCES.items()}
    for name, model in trained.items():
        found[name] = model.after(whole, width)[row]
    return found


def _best(scores: npt.NDArray[np.float32], sold: Ints, barred: Ints, width: int, shop: Shop) -> Ints:
    """Return the best ``width`` sold items (B, width) of positive score, none of ``barred`` (B, H), -1 padded."""
    place_of = np.full(shop.purchases.size + 1, -1, np.int64)
    place_of[sold] = np.arange(sold.size)
    row, place = np.nonzero(place_of[barred] >= 0)
    scores[row, place_of[barred[row, place]]] = 0.0
    count = min(width, sold.size)
    out = np.full((scores.shape[0], width), -1, np.int64)
    if count:
        best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        value = np.take_along_axis(scores, best, axis=1)
        order = np.argsort(-value, axis=1, kind="stable")
        best, value = np.take_along_axis(best, order, axis=1), np.take_along_axis(value, order, axis=1)
        out[:, :count] = np.where(value > 0, sold[best], -1)
    return out


def union_recall(found: Found, shares: Mapping[str, int], days: Sequence[int]) -> tuple[float, float]:
    """Return (recall, mean number of distinct candidates) of the sources' first ``shares`` together, on some days."""
    asked = np.isin(np.concatenate(found.day), days)
    hit = np.zeros(int(asked.sum()), np.bool_)
    for name, share in shares.items():
        hit |= found.ranks(name)[asked] < share
    listed = np.isin(np.concatenate(found.listed_day), days)
    parts = [np.concatenate(found.lists[name])[listed][:, :share] for name, share in shares.items() if share]
    return float(hit.mean()) if hit.size else 0.0, _distinct(parts)


def _distinct(parts: list[Ints]) -> float:
    if not parts or not parts[0].size:
        return 0.0
    joined = np.sort(np.concatenate(parts, axis=1), axis=1)
    new = joined >= 0
    new[:, 1:] &= joined[:, 1:] != joined[:, :-1]
    return float(new.sum(axis=1).mean())


def share_out(
    found: Found, names: Sequence[str], size: int, day: int, steps: tuple[int, ...] = (5, 20)
) -> dict[str, int]:
    """Return how many candidates each source gives, at most ``size`` distinct ones on average, greedily on one day.

    Again and again the source that gains most recall for each further distinct candidate gives some more.
    """
    shares, recall, distinct = dict.fromkeys(names, 0), 0.0, 0.0
    while True:
        best: tuple[float, str, int, float, float] | None = None
        for name in names:
            for step in steps:
                tried = {**shares, name: shares[name] + step}
                reached, made = union_recall(found, tried, [day])
                if tried[name] > 200 or made > size or reached <= recall:
                    continue
                gain = (reached - recall) / max(made - distinct, 0.3)
                if best is None or gain > best[0]:
                    best = (gain, name, tried[name], reached, made)
        if best is None:
            return {name: share for name, share in shares.items() if share}
        _, name, share, recall, distinct = best
        shares[name] = share


def _needs(found: Found, shares: Mapping[str, int], days: Sequence[int]) -> dict[str, float]:
    """Return how much recall the union loses, nobody taking its place, without each of its sources."""
    whole = union_recall(found, shares, days)[0]
    return {
        left: round(whole - union_recall(found, {name: shares[name] for name in shares if name != left}, days)[0], 4)
        for left in shares
    }


def _report(found: Found, day: int, sizes: Sequence[int]) -> dict[str, Any]:
    days = np.concatenate(found.day)
    others = sorted(set(days.tolist()) - {day})
    table = {
        name: {
            label: [round(float((found.ranks(name)[np.isin(days, part)] < k).mean()), 4) for k in KS]
            for label, part in (("chosen on", [day]), ("others", others))
            if part
        }
        for name in found.rank
    }
    report: dict[str, Any] = {"recall at": KS, "questions": int(days.size), "sources": table, "unions": {}}
    groups = {"untrained": [name for name in found.rank if name in SOURCES], "with trained models": list(found.rank)}
    for label, names in groups.items():
        for size in sizes:
            shares = share_out(found, names, size, day)
            chosen, elsewhere = union_recall(found, shares, [day]), union_recall(found, shares, others)
            report["unions"][f"{label}, {size}"] = {
                "shares": shares,
                "recall, chosen on": round(chosen[0], 4),
                "recall, others": round(elsewhere[0], 4),
                "candidates": [round(chosen[1], 1), round(elsewhere[1], 1)],
                "lost without": _needs(found, shares, others or [day]),
            }
    everything = dict.fromkeys(found.rank, max(KS))
    report["unions"]["all of all"] = {
        "recall, chosen on": round(union_recall(found, everything, [day])[0], 4),
        "recall, others": round(union_recall(found, everything, others)[0], 4),
    }
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study that the command line asks for and print its report."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.candidate_recall", description=__doc__)
    parser.add_argument("log", type=Path, help="a recorded purchase log")
    parser.add_argument("--columns", default="hm", help="column preset of the log (default hm)")
    parser.add_argument("--catalogue", type=Path, required=True, help="a catalogue directory")
    parser.add_argument("--articles", type=Path, help="a Parquet file with more columns of the articles")
    parser.add_argument("--from", dest="scored_from", required=True, help="first day asked about; it shares out (UTC)")
    parser.add_argument("--to", dest="scored_to", help="first day not read any more (UTC)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the times of day of a log with dates only")
    parser.add_argument("--every", type=int, default=1, help="ask about every so manieth batch of 500")
    parser.add_argument("--trained", nargs="*", default=sorted(TRAINED), help="trained models to ask as well")
    asked = parser.parse_args(arguments)
    began_s = time.perf_counter()
    to_ms = None if asked.scored_to is None else parse_moment(asked.scored_to)
    log = read_log(asked.log, asked.columns, seed=asked.seed, to_ms=to_ms)
    purchases, ground = prepare(log, load_catalogue(asked.catalogue), seed=asked.seed)
    attributes, word = attributes_of(ground, asked.articles)
    models = {}
    for name in asked.trained:
        family, every_ms = TRAINED[name]
        models[name] = _model(name, family, every_ms, ground)
    from_ms = parse_moment(asked.scored_from)
    shop = Shop(ground.features, attributes, word)
    found = collect(purchases, ground, shop, from_ms=from_ms, trained=models, every=asked.every)
    report = _report(found, from_ms // DAY_MS, sizes=(50, 120, 200))
    report |= {"seed": asked.seed, "every batch": asked.every, "seconds": round(time.perf_counter() - began_s, 1)}
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    return 0


def _model(name: str, family: str, every_ms: int, ground: Ground) -> Trained:
    import importlib

    try:
        train = getattr(importlib.import_module(f"evaluation.contestants.{family}"), f"train_{family}")
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    return Trained(name, ground, train, every_ms=every_ms, fill=False)


if __name__ == "__main__":
    sys.exit(main())
