import numpy as np

from trendloom.relevance.season import WEEK_MS, SeasonCounts


def learned(weeks: dict[int, list[int]], size: int = 4) -> SeasonCounts:
    season = SeasonCounts(size)
    for week, items in weeks.items():
        season.learn(np.array(items), np.full(len(items), week * WEEK_MS + 1))
    return season


def test_nothing_is_known_at_first() -> None:
    assert SeasonCounts(3).same_weeks(100 * WEEK_MS, spread_weeks=1).tolist() == [0.0] * 3


def test_this_year_is_no_earlier_year() -> None:
    season = learned({99: [0], 100: [1], 80: [2], 74: [3]})
    assert season.same_weeks(100 * WEEK_MS, spread_weeks=2).tolist() == [0.0] * 4


def test_the_mean_over_weeks_and_years() -> None:
    season = learned({100 - 52: [0, 0, 1], 100 - 104: [0], 90: [3]})
    found = season.same_weeks(100 * WEEK_MS, spread_weeks=0)
    assert found.tolist() == [1.5, 0.5, 0.0, 0.0]


def test_all_the_year_round_is_the_mean_of_the_weeks_around() -> None:
    season = learned({100 - 104 - 26: [0], 100 - 52 - 27: [1], 100 - 52 + 25: [0, 1], 100 - 52 + 26: [2]})
    found = season.usual(100 * WEEK_MS)
    assert found.tolist() == [2 / 104, 2 / 104, 0.0, 0.0]


def test_a_week_without_purchases_between_others_counts_as_one() -> None:
    season = learned({47: [0], 49: [0], 90: [1]})
    assert season.same_weeks(100 * WEEK_MS, spread_weeks=1).tolist()[0] == 2 / 3
