"""A table of the items that a log names, for ``trendloom catalogue build``: where a shop has no table of its own.

``python -m evaluation.items_of_log LOG --columns uci --title Description --product '^[0-9]{5}' --out items.csv``. The
title is the text that most of an item's rows carry, its kind the title's last word; items whose ids begin alike are
variants of one product. Sales, prices and dates are not looked at.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trendloom.errors import LogFormatError
from trendloom.logs.columns import PRESETS
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.read import read_log

__all__ = ["item_rows", "main"]

_HEAD = ("item_id", "title", "kind", "product")


def item_rows(log: PurchaseLog, product: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield (item id, title, kind, product) of every item; titles are what the log was read with as ``variant_id``.

    ``product`` is a regular expression: what it finds in an id names the product; where it finds nothing, none is.
    """
    titled = log.variant >= 0
    pair = log.item[titled].astype(np.int64) * max(len(log.variants), 1) + log.variant[titled]
    found, times = np.unique(pair, return_counts=True)
    item, text = found // max(len(log.variants), 1), found % max(len(log.variants), 1)
    best = np.full(len(log.items), -1, np.int64)
    order = np.lexsort((-text, times))  # of equally frequent ones the first seen
    best[item[order]] = text[order]
    for code in np.unique(log.item).tolist():
        item_id = log.items[code]
        title = " ".join(log.variants[best[code]].split()) if best[code] >= 0 else ""
        words = re.findall(r"[^\W\d_]{2,}", title.lower())
        same = re.search(product, item_id) if product else None
        yield item_id, title, words[-1] if words else "", same.group() if same else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.items_of_log", description=__doc__)
    parser.add_argument("log", type=Path, help="a recorded purchase log")
    parser.add_argument("--columns", default="purchases", choices=sorted(PRESETS), help="column preset of the log")
    parser.add_argument("--title", required=True, help="the column that describes the item")
    parser.add_argument("--product", default="", help="regular expression for the part of an id that variants share")
    parser.add_argument("--out", type=Path, required=True, help="the CSV file to write")
    asked = parser.parse_args(arguments)
    try:
        log = read_log(asked.log, replace(PRESETS[asked.columns], variant_id=asked.title))
    except LogFormatError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    with asked.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEAD)
        writer.writerows(item_rows(log, asked.product))
    return 0


if __name__ == "__main__":
    sys.exit(main())
