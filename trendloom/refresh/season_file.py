"""Season counts on disk: which item was bought how often in which week, as one safetensors file; never a pickle.

``trendloom train season`` writes it from a recorded log, a worker that weighs ``season`` reads it. It checks what it
reads and refuses strangers. Read next: :mod:`trendloom.relevance.season`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from trendloom.errors import SeasonError
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.relevance.season import WEEK_MS, SeasonCounts
from trendloom.whole_files import write_whole

__all__ = ["SeasonFile", "read_season", "season_of_log", "write_season"]

_FORMAT = "trendloom season counts 1"


@dataclass(frozen=True, eq=False)
class SeasonFile:
    """E counts: item ``item_ids[item[e]]`` was bought ``count[e]`` times in ``week[e]``, weeks since 1970."""

    item_ids: tuple[str, ...]
    item: npt.NDArray[np.int32]
    week: npt.NDArray[np.int32]
    count: npt.NDArray[np.float32]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def by_number(self, number_of: Mapping[str, int], size: int) -> SeasonCounts:
        """Return the counts by item number 0 ... ``size`` - 1; items that have none are left out.

        >>> one = SeasonFile(("a", "b"), np.array([0, 1], np.int32), np.array([5, 5], np.int32),
        ...                  np.array([2.0, 3.0], np.float32))
        >>> one.by_number({"b": 2}, 4).same_weeks(57 * 7 * 86_400_000, spread_weeks=0).tolist()
        [0.0, 0.0, 3.0, 0.0]
        """
        number = np.array([number_of.get(item, -1) for item in self.item_ids], np.int64)
        mine = number[self.item]
        known = (mine >= 0) & (mine < size)
        season = SeasonCounts(size)
        season.add(mine[known], self.week[known].astype(np.int64), self.count[known])
        return season


def season_of_log(log: PurchaseLog) -> SeasonFile:
    """Return the counts of a recorded log: a customer's pieces of one item on one day are one purchase."""
    kept = np.flatnonzero(~log.repeated())
    week = log.occurred_at_ms[kept] // WEEK_MS
    n_items = max(len(log.items), 1)
    key, count = np.unique(week * n_items + log.item[kept], return_counts=True)
    weeks = key // n_items
    return SeasonFile(
        log.items,
        (key % n_items).astype(np.int32),
        weeks.astype(np.int32),
        count.astype(np.float32),
        {"log": log.name, "sha256": log.sha256, "purchases": int(kept.size), "weeks": int(np.unique(weeks).size)},
    )


def write_season(path: Path, season: SeasonFile) -> None:
    """Write the counts; the file appears complete or not at all."""
    tensors: dict[str, npt.NDArray[Any]] = {
        "item": np.ascontiguousarray(season.item),
        "week": np.ascontiguousarray(season.week),
        "count": np.ascontiguousarray(season.count),
        "item_ids": np.frombuffer(orjson.dumps(season.item_ids), np.uint8),
    }
    write_whole(path, save(tensors, {"format": _FORMAT, "provenance": json.dumps(season.provenance)}))


def read_season(path: Path) -> SeasonFile:
    """Read counts. Raises :class:`~trendloom.errors.SeasonError` if the file is missing, broken, or something else."""
    try:
        with safe_open(path, framework="np") as file:
            told = file.metadata() or {}
            if told.get("format") != _FORMAT:
                raise SeasonError(
                    f"{path.name} holds no season counts that this version knows. "
                    "Action: make them with trendloom train season."
                )
            item, week, count = (file.get_tensor(name) for name in ("item", "week", "count"))
            ids = tuple(orjson.loads(file.get_tensor("item_ids").tobytes()))
            season = SeasonFile(ids, item, week, count, json.loads(told.get("provenance", "{}")))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise SeasonError(f"{path} cannot be read: {error}. Action: make it again.") from error
    if not item.size == week.size == count.size or (item.size and not 0 <= item.min() <= item.max() < len(ids)):
        raise SeasonError(f"{path.name} contradicts itself: counts of no items. Action: make it again.")
    if not np.isfinite(count).all() or (count < 0).any():
        raise SeasonError(f"{path.name} contradicts itself: a count is no count. Action: make it again.")
    return season
