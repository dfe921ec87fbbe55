"""The experiment's files: the source's results table, its purchases table, and beside them the parts of every score.

Names and columns are the source's, in its order; values are right where its were not (``docs/paper.md``). Read next:
:mod:`evaluation.paper.experiment`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from evaluation.paper.customers import Habits, Purchases
from evaluation.paper.garments import Garments
from evaluation.paper.lists import Shop
from evaluation.paper.measures import category_similarity, distances_km, scaled_popularity
from trendloom.candidates import TopK
from trendloom.relevance.features import GENDERS

__all__ = ["COLUMNS", "PURCHASE_COLUMNS", "file_stem", "write_purchases", "write_results"]

#: The source's columns, the index (without a name) first.
COLUMNS = (
    "",
    "user_id",
    "backbone",
    "purchased_item",
    "recommended_item",
    "relevance",
    "category_similarity",
    "user_trendy_preferences",
    "recommended_item_popularity",
    "user_gender",
    "recommended_item_gender",
)
#: The source's columns, and the year that it left out.
PURCHASE_COLUMNS = ("user_id", "item_id", "category", "gender", "day", "month", "year")


def file_stem(seed: int, habits: Habits, exponent: float, top_k: int) -> str:
    """Return the source's name for the results of these flags, without ``.csv``.

    >>> file_stem(42, Habits(), 4.0, 10)
    'df42_cust15_pur3_Pthresh0.15_PenExp4_Pmax100_topk10'
    """
    return (
        f"df{seed}_cust{habits.customers}_pur{habits.max_purchases}_Pthresh{habits.p_threshold:g}_PenExp{exponent:g}"
        f"_Pmax{habits.p_max}_topk{top_k}"
    )


def write_results(
    out: Path, stem: str, shops: Mapping[str, Shop], lists: Mapping[str, TopK], garments: Garments
) -> int:
    """Write ``STEM.csv`` and ``STEM_parts.csv``, by customer, purchase, backbone and place; return the rows written.

    The second table has the same index and rows: place, the weighted parts that sum to the relevance, the store of the
    garment recommended and its distance (km) from that of the garment bought, as the source's log lines show.
    """
    first = next(iter(shops.values()))
    purchases, features = first.purchases, first.features
    popularity = scaled_popularity(purchases.popularity)
    named = [
        f"{item} {category}" for item, category in zip(garments.items.item_ids, garments.items.categories, strict=True)
    ]
    part_names = next(iter(lists.values())).part_names
    rows: list[Sequence[object]] = []
    parts: list[Sequence[object]] = []
    for purchase in np.lexsort((np.arange(purchases.item.size), purchases.customer)).tolist():
        buyer, bought = int(purchases.customer[purchase]), int(purchases.item[purchase])
        for backbone, top in lists.items():
            chosen = top.items[purchase][top.items[purchase] >= 0].astype(np.int64)
            same = np.full(chosen.size, bought)
            alike = category_similarity(features.category_names, features.category[same], features.category[chosen])
            distance = distances_km(features, same, chosen)
            for place, item in enumerate(chosen.tolist()):
                rows.append(
                    (
                        len(rows),
                        buyer,
                        backbone,
                        named[bought],
                        named[item],
                        f"{top.scores[purchase, place]:.6f}",
                        f"{alike[place]:g}",
                        f"{purchases.trendiness[buyer]:.6f}",
                        f"{popularity[item]:.6f}",
                        _gender(purchases.gender[buyer]),
                        _gender(features.gender[item]),
                    )
                )
                parts.append(
                    (
                        len(parts),
                        place + 1,
                        *(f"{value:.6f}" for value in top.parts[purchase, place]),
                        int(features.store[item]) + 1 if features.store[item] >= 0 else "",
                        "" if np.isnan(distance[place]) else f"{distance[place]:.1f}",
                    )
                )
    _write(out / f"{stem}.csv", COLUMNS, rows)
    _write(out / f"{stem}_parts.csv", ("", "place", *part_names, "store", "distance_km"), parts)
    return len(rows)


def write_purchases(out: Path, stem: str, purchases: Purchases, garments: Garments) -> None:
    """Write ``STEM_purchases.csv``: what was bought, in the order of the days."""
    rows = []
    for row, (buyer, item) in enumerate(zip(purchases.customer.tolist(), purchases.item.tolist(), strict=True)):
        day = purchases.date_of(row)
        items = garments.items
        gender = _gender(items.gender[item])
        rows.append((buyer, items.item_ids[item], items.categories[item], gender, day.day, day.month, day.year))
    _write(out / f"{stem}_purchases.csv", PURCHASE_COLUMNS, rows)


def _gender(code: np.integer) -> str:
    return GENDERS[int(code)].upper()


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    with beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    beside.rename(path)
