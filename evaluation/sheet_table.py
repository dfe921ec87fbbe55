"""A report as rows for a spreadsheet: task, model, metric, day (or ``all``), value and interval.

Read next: :mod:`evaluation.figures`, whose numbers these are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["csv_of"]

_HEAD = ("task", "model", "metric", "day", "value", "low", "high")


def csv_of(report: Mapping[str, Any]) -> str:
    """Return a report as CSV, with a head line.

    >>> hit = {"value": 0.5, "low": 0.4, "high": 0.6, "per_day": {"2020-09-18": 0.5}}
    >>> told = {"tasks": {"next_basket": {"k": 12, "models": {"popularity": {"hit@12": hit, "coverage@12": 0.1}}}}}
    >>> csv_of(told).splitlines()[1:]
    ['next_basket,popularity,hit@12,all,0.5,0.4,0.6', 'next_basket,popularity,hit@12,2020-09-18,0.5,,',
    'next_basket,popularity,coverage@12,all,0.1,,']
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_HEAD)
    for task, figures in report["tasks"].items():
        for model, told in figures["models"].items():
            writer.writerows((task, model, *row) for row in _rows(told))
    return out.getvalue()


def _rows(told: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for metric, value in told.items():
        if "@" not in metric:
            continue
        if isinstance(value, Mapping):
            yield metric, "all", value["value"], value["low"], value["high"]
            for day, mean in value["per_day"].items():
                yield metric, day, mean, "", ""
        else:
            yield metric, "all", value, "", ""
