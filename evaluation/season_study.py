"""Do the same weeks of earlier years say what is bought today? ``python -m evaluation.season_study LOG`` asks a log.

Every morning a list of the k best items for everybody is made from popularity alone, and from popularity and season; it
is asked which share of the day's purchases it holds. The weight is chosen on the first part of the scored days and read
on the second; one JSON object is printed. Read next: :mod:`trendloom.relevance.season`.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trendloom.logs.event_time import DAY_MS, parse_moment
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.read import read_log
from trendloom.relevance.season import SeasonCounts

__all__ = ["WEIGHTS", "day_shares", "main"]

Floats = npt.NDArray[np.float64]
#: What a purchase a week of the season counts, against one of the decayed popularity's.
WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
_SPREAD_WEEKS = 1


def day_shares(
    log: PurchaseLog, *, half_life_days: float, from_day: int, k: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the scored days (D,), the purchases of each (D,) and how many of them each weight's list held (D, W).

    A list knows all purchases of earlier days and nothing of its own. Repeated pieces are one purchase.
    """
    kept = np.flatnonzero(~log.repeated())
    day, item = log.occurred_at_ms[kept] // DAY_MS, log.item[kept].astype(np.int64)
    size = len(log.items)
    season, popularity = SeasonCounts(size), np.zeros(size)
    edges = np.append(np.flatnonzero(np.append(True, day[1:] != day[:-1])), day.size)
    days, sizes, held = [], [], []
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        today = int(day[start])
        if start:
            popularity *= 0.5 ** ((today - int(day[start - 1])) / half_life_days)
        if today >= from_day:
            before = season.same_weeks(today * DAY_MS, spread_weeks=_SPREAD_WEEKS)
            met = np.bincount(item[start:end], minlength=size)
            days.append(today)
            sizes.append(end - start)
            held.append([int(met[_best(popularity + weight * before, k)].sum()) for weight in WEIGHTS])
        np.add.at(popularity, item[start:end], 1.0)
        season.learn(item[start:end], np.full(end - start, today * DAY_MS))
    return np.array(days, np.int64), np.array(sizes, np.int64), np.array(held, np.int64).reshape(len(days), -1)


def _best(score: Floats, k: int) -> npt.NDArray[np.int64]:
    return np.lexsort((np.arange(score.size), -score))[:k]


def _interval(sizes: npt.NDArray[np.int64], gained: npt.NDArray[np.int64], seed: int = 1) -> tuple[float, float]:
    """Return the 95 % interval of the gain in share, whole days drawn again with replacement."""
    drawn = np.random.default_rng(seed).multinomial(sizes.size, np.full(sizes.size, 1 / sizes.size), size=2000)
    low, high = np.quantile((drawn @ gained) / (drawn @ sizes), [0.025, 0.975])
    return float(low), float(high)


def _judged(
    days: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], held: npt.NDArray[np.int64], split: int
) -> dict[str, Any]:
    """Return the shares of each weight before and from ``split`` on, and the gain of the weight chosen before it."""
    first, rest = days < split, days >= split
    chosen = int(np.argmax(held[first].sum(axis=0)))
    low, high = _interval(sizes[rest], held[rest][:, chosen] - held[rest][:, 0])

    def shares(part: npt.NDArray[np.bool_]) -> dict[str, float]:
        found = (held[part].sum(axis=0) / max(int(sizes[part].sum()), 1)).round(5).tolist()
        return dict(zip(map(str, WEIGHTS), found, strict=True))

    return {
        "purchases_to_choose_by": int(sizes[first].sum()),
        "purchases_read": int(sizes[rest].sum()),
        "to_choose_by": shares(first),
        "read": shares(rest),
        "chosen_weight": WEIGHTS[chosen],
        "gain_interval": [round(low, 5), round(high, 5)],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study that the command line asks for and print its report."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.season_study", description=__doc__)
    parser.add_argument("log", type=Path, help="a recorded purchase log of more than a year")
    parser.add_argument("--columns", default="uci", help="column preset of the log (default uci)")
    parser.add_argument("--from", dest="scored_from", required=True, help="first scored day (UTC), a year in")
    parser.add_argument("--split", required=True, help="first day of the part that is read (UTC)")
    parser.add_argument("--to", default="", help="first day not read any more (UTC)")
    parser.add_argument("--half-life-days", type=float, action="append", default=[], help="of popularity (default 7)")
    parser.add_argument("--out", type=Path, help="write the report here as well")
    given = parser.parse_args(arguments)
    half_lives = given.half_life_days or [7.0]
    log = read_log(given.log, given.columns, to_ms=parse_moment(given.to) if given.to else None)
    told: dict[str, Any] = {
        "command": f"python -m evaluation.season_study {given.log.name} --columns {given.columns} "
        f"--from {given.scored_from} --split {given.split}"
        + (f" --to {given.to}" if given.to else "")
        + "".join(f" --half-life-days {half_life:g}" for half_life in half_lives),
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version(), "numpy": version("numpy")},
        "half_lives_days": {
            f"{half_life:g}": {
                f"{k} items": _judged(
                    *day_shares(log, half_life_days=half_life, from_day=parse_moment(given.scored_from) // DAY_MS, k=k),
                    parse_moment(given.split) // DAY_MS,
                )
                for k in (10, 50)
            }
            for half_life in half_lives
        },
    }
    text = json.dumps(told, indent=1) + "\n"
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
