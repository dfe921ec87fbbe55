"""What was bought in the same weeks of earlier years: counts by item and week, and what they say of a day.

It learns purchases in any order and knows no clock. Whether it is worth anything on a log is asked by
:mod:`evaluation.season_study`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["WEEK_MS", "YEAR_WEEKS", "SeasonCounts"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

WEEK_MS = 7 * 86_400_000
#: A year is taken for 52.18 weeks, so the same week of last year is within three days of the same date.
YEAR_WEEKS = 365.25 / 7


class SeasonCounts:
    """Purchases of N items by week since 1970; about 4 bytes an item and week that was met.

    >>> season = SeasonCounts(3)
    >>> season.learn(np.array([0, 0, 1]), np.array([5, 6, 60]) * WEEK_MS)
    >>> season.same_weeks(58 * WEEK_MS, spread_weeks=1).tolist()    # 52 weeks before week 58 lies week 6
    [0.6666666666666666, 0.0, 0.0]
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._weeks: dict[int, npt.NDArray[np.float32]] = {}

    def learn(self, item: Ints, at_ms: Ints) -> None:
        """Count purchases of items (A,) at event times (A,), ms since the epoch."""
        week = at_ms // WEEK_MS
        for number in np.unique(week).tolist():
            counts = self._weeks.setdefault(number, np.zeros(self._size, np.float32))
            np.add.at(counts, item[week == number], 1.0)

    def same_weeks(self, at_ms: int, *, spread_weeks: int) -> Floats:
        """Return purchases a week (N,) in the week of the same date of each earlier year and ``spread_weeks`` around.

        Weeks that lie less than half a year back are no other season and never count; weeks that nobody met count as
        no purchases only where their year was met at all. Zeros where no earlier year is known.
        """
        now = at_ms // WEEK_MS
        total, met = np.zeros(self._size), 0
        for year in range(1, 1 + int(max(now - min(self._weeks, default=now), 0) // YEAR_WEEKS) + 1):
            middle = now - round(year * YEAR_WEEKS)
            for week in range(middle - spread_weeks, middle + spread_weeks + 1):
                if week not in self._weeks and not self._covers(week):
                    continue
                met += 1
                if week in self._weeks:
                    total += self._weeks[week]
        return total / met if met else total

    def _covers(self, week: int) -> bool:
        return bool(self._weeks) and min(self._weeks) <= week <= max(self._weeks)
