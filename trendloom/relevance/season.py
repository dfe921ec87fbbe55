"""What was bought in the same weeks of earlier years: counts by item and week, and what they say of a day.

It learns purchases in any order and knows no clock. The part `season` of the score asks it
(:mod:`trendloom.relevance.score`); whether it is worth anything on a log is asked by :mod:`evaluation.season_study`.
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
        self._asked: tuple[int, int, Floats] | None = None

    def add(self, item: Ints, week: Ints, count: npt.NDArray[np.floating]) -> None:
        """Add counts (E,) of items (E,) in weeks since 1970 (E,)."""
        self._asked = None
        for number in np.unique(week).tolist():
            counts = self._weeks.setdefault(number, np.zeros(self._size, np.float32))
            here = week == number
            np.add.at(counts, item[here], count[here])

    def learn(self, item: Ints, at_ms: Ints) -> None:
        """Count purchases of items (A,) at event times (A,), ms since the epoch."""
        self.add(item, at_ms // WEEK_MS, np.ones(item.size, np.float32))

    def of_items(self, item: Ints, at_ms: Ints, *, spread_weeks: int) -> Floats:
        """Return what :meth:`same_weeks` says of single items (E,) at event times (E,).

        The counts of the latest week that was asked about are kept: a stream asks about it again.
        """
        week = at_ms // WEEK_MS
        out = np.zeros(item.size)
        for number in np.unique(week).tolist():
            here = week == number
            out[here] = self._kept(number, spread_weeks)[item[here]]
        return out

    def best(self, at_ms: int, count: int, *, spread_weeks: int) -> Ints:
        """Return the items that were bought most in these weeks, best first, at most ``count``, none of 0 purchases."""
        value = self._kept(at_ms // WEEK_MS, spread_weeks)
        order = np.argsort(-value, kind="stable")[:count]
        return order[value[order] > 0].astype(np.int64)

    def same_weeks(self, at_ms: int, *, spread_weeks: int) -> Floats:
        """Return purchases a week (N,) in the week of the same date of each earlier year and ``spread_weeks`` around.

        Weeks that lie less than half a year back are no other season and never count; weeks that nobody met count as
        no purchases only where their year was met at all. Zeros where no earlier year is known.
        """
        return self._a_week(at_ms, range(-spread_weeks, spread_weeks + 1))

    def usual(self, at_ms: int) -> Floats:
        """Return purchases a week (N,) in the 52 weeks around the same date of each earlier year.

        Against these :meth:`same_weeks` says what is bought more than all the year round. None of the weeks lies less
        than half a year back.

        >>> season = SeasonCounts(2)
        >>> season.learn(np.array([0, 0, 1]), np.array([5, 6, 56]) * WEEK_MS)
        >>> (season.usual(58 * WEEK_MS) * 27).tolist()    # weeks 5 to 31 of those around week 6 are known
        [2.0, 0.0]
        """
        return self._a_week(at_ms, range(-26, 26))

    def _a_week(self, at_ms: int, around: range) -> Floats:
        """Return purchases a week (N,) in these weeks around the same date of each earlier year."""
        now = at_ms // WEEK_MS
        total, met = np.zeros(self._size), 0
        for year in range(1, 1 + int(max(now - min(self._weeks, default=now), 0) // YEAR_WEEKS) + 1):
            middle = now - round(year * YEAR_WEEKS)
            for week in (middle + away for away in around):
                if week not in self._weeks and not self._covers(week):
                    continue
                met += 1
                if week in self._weeks:
                    total += self._weeks[week]
        return total / met if met else total

    def _kept(self, week: int, spread_weeks: int) -> Floats:
        if self._asked is None or self._asked[:2] != (week, spread_weeks):
            self._asked = (week, spread_weeks, self.same_weeks(week * WEEK_MS, spread_weeks=spread_weeks))
        return self._asked[2]

    def _covers(self, week: int) -> bool:
        return bool(self._weeks) and min(self._weeks) <= week <= max(self._weeks)
