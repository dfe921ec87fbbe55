"""From marks to figures: means with intervals, per day and in a sliding window, against a baseline, as one JSON object.

task -> model -> metric -> value, interval, per day. Nothing is formatted here. Read next: :mod:`evaluation.page`,
:mod:`evaluation.sheet_table`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.bootstrap import Draws, mcnemar
from evaluation.marks import METRICS, gini
from evaluation.merging import Asked, Run, asked_of
from evaluation.tasks import TASKS

__all__ = ["FROZEN", "figures_of", "metric_names"]

Ints = npt.NDArray[np.int64]
Marks = npt.NDArray[np.float32]

#: What is put behind the name of a contestant whose state is frozen at midnight.
FROZEN = " (frozen at midnight)"
_DIGITS = 6


def metric_names(k: int) -> list[str]:
    """Return the names of the marks' columns for lists of k items.

    >>> metric_names(12)
    ['hit@12', 'recall@12', 'map@12', 'ndcg@12', 'mrr@12']
    """
    return [f"{name}@{k}" for name in METRICS]


def figures_of(
    runs: Sequence[Run], *, baseline: str | None, draws: int = 1_000, window: int = 5_000, seed: int = 1
) -> dict[str, Any]:
    """Return all figures of runs over one log, one run a seed.

    Intervals hold the middle 95 % of ``draws`` bootstrap draws over customers; ``window`` is how many questions of the
    first run a point of the sliding mean covers. Without a baseline nobody is compared.
    """
    return {
        "tasks": {task: _task(runs, task, baseline, draws=draws, window=window, seed=seed) for task in TASKS},
        "models": {name: _cost(runs, name) for name in runs[0].judged.seconds},
    }


def _task(
    runs: Sequence[Run], task: str, baseline: str | None, *, draws: int, window: int, seed: int
) -> dict[str, Any]:
    asked = asked_of(runs, task)
    k = runs[0].judged.k[task]
    drawn = Draws(asked.customer, draws=draws, rng=np.random.default_rng(seed))
    base: Marks | None = asked.marks(baseline) if baseline in asked.sheets and baseline is not None else None
    base_draws = drawn.means(base) if base is not None and base.shape[0] else None
    models: dict[str, Any] = {}
    for name in asked.sheets:
        marks = asked.marks(name)
        told = _means(asked, marks, drawn, k)
        told |= _shown(runs, asked, name, k)
        told["slices"] = _slices(asked, marks, k)
        told["sliding"] = _sliding(asked, marks, k, window)
        told["seeds"] = {
            str(one.seed): dict(zip(metric_names(k), _mean(marks[asked.run == place]), strict=True))
            for place, one in enumerate(runs)
        }
        if base is not None and base_draws is not None and name != baseline:
            told["against"] = {baseline: _against(marks, base, drawn.means(marks), base_draws, k)}
        models[name] = told
    return {
        "k": k,
        "questions": int(asked.customer.size),
        "customers": int(np.unique(asked.customer).size),
        "cold": _rounded(float(asked.cold.mean()) if asked.cold.size else 0.0),
        "models": models,
    }


def _means(asked: Asked, marks: Marks, drawn: Draws, k: int) -> dict[str, Any]:
    intervals = drawn.interval(marks)
    days = np.unique(asked.day).tolist()
    by_day = {_date(day): _mean(marks[asked.day == day]) for day in days}
    return {
        name: {
            "value": _rounded(interval.value),
            "low": _rounded(interval.low),
            "high": _rounded(interval.high),
            "per_day": {date: values[column] for date, values in by_day.items()},
        }
        for column, (name, interval) in enumerate(zip(metric_names(k), intervals, strict=True))
    }


def _shown(runs: Sequence[Run], asked: Asked, name: str, k: int) -> dict[str, float]:
    """Return coverage and Gini over the items sold by the end, and novelty in bits, each the mean over the runs."""
    coverage, inequality, novelty, lists = [], [], [], 0
    for one, sheet in zip(runs, asked.sheets[name], strict=True):
        sold = one.judged.sold > 0
        coverage.append(float((sheet.shown[sold] > 0).mean()) if sold.any() else 0.0)
        inequality.append(gini(sheet.shown[sold]))
        novelty.append(sheet.surprise / sheet.listed if sheet.listed else 0.0)
        lists += sheet.lists
    return {
        f"coverage@{k}": _rounded(float(np.mean(coverage))),
        f"gini@{k}": _rounded(float(np.mean(inequality))),
        f"novelty@{k}": _rounded(float(np.mean(novelty))),
        "lists": lists,
    }


def _slices(asked: Asked, marks: Marks, k: int) -> dict[str, Any]:
    return {
        label: {
            "questions": int(which.sum()),
            **dict(zip(metric_names(k), _mean(marks[which]), strict=True)),
        }
        for label, which in (("new customers", asked.cold), ("known customers", ~asked.cold))
    }


def _sliding(asked: Asked, marks: Marks, k: int, window: int) -> dict[str, Any]:
    first = asked.run == 0
    hit, at_ms = marks[first, 0].astype(np.float64), asked.at_ms[first]
    width = min(window, max(hit.size // 4, 1))
    total = np.concatenate([[0.0], np.cumsum(hit)])
    ends = np.arange(width, hit.size + 1, max(width // 5, 1))
    return {
        "questions": int(width),
        "until": [_moment(int(at_ms[end - 1])) for end in ends.tolist()],
        f"hit@{k}": [_rounded(float(total[end] - total[end - width]) / width) for end in ends.tolist()],
    }


def _against(
    marks: Marks, base: Marks, means: npt.NDArray[np.float64], base_means: npt.NDArray[np.float64], k: int
) -> dict[str, Any]:
    difference = means - base_means
    low, high = np.quantile(difference, [0.025, 0.975], axis=0)
    told: dict[str, Any] = {}
    for column, name in enumerate(metric_names(k)):
        mine, its = float(marks[:, column].mean(dtype=np.float64)), float(base[:, column].mean(dtype=np.float64))
        told[name] = {
            "difference": _rounded(mine - its),
            "low": _rounded(float(low[column])),
            "high": _rounded(float(high[column])),
            "ratio": _rounded(mine / its) if its else None,
        }
    only, other, p = mcnemar(marks[:, 0] > 0, base[:, 0] > 0)
    told["mcnemar"] = {"only_this": only, "only_baseline": other, "p": float(f"{p:.3g}")}
    return told


def _cost(runs: Sequence[Run], name: str) -> dict[str, float]:
    seconds = sum(one.judged.seconds[name] for one in runs)
    lists = sum(one.judged.asked_lists for one in runs)
    return {
        "seconds": round(seconds, 2),
        "us_per_list": round(seconds / lists * 1e6, 1) if lists else 0.0,
    }


def _mean(marks: Marks) -> list[float]:
    if not marks.shape[0]:
        return [0.0] * len(METRICS)
    return [_rounded(value) for value in marks.mean(axis=0, dtype=np.float64).tolist()]


def _rounded(value: float) -> float:
    return round(value, _DIGITS)


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="minutes").removesuffix("+00:00") + "Z"
