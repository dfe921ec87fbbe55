import numpy as np
import pytest

from producers.rhythm import HOURS, hour_weight, season_weights, spread_times

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def test_the_days_mean_is_one() -> None:
    assert len(HOURS) == 24
    assert sum(HOURS) / 24 == pytest.approx(1.0, abs=1e-3)


def test_purchases_fall_into_hours_as_the_hours_are_busy() -> None:
    times = spread_times(200_000, 0, 10 * DAY_MS, np.random.default_rng(1))
    found = np.bincount(times // HOUR_MS % 24, minlength=24) / len(times)
    assert found == pytest.approx(np.asarray(HOURS) / 24, abs=0.002)


def test_times_stay_inside_and_ascend_even_in_a_part_of_an_hour() -> None:
    times = spread_times(500, 90_000, 120_000, np.random.default_rng(1))
    assert times.min() >= 90_000
    assert times.max() < 120_000
    assert (np.diff(times) >= 0).all()
    assert spread_times(3, 7, 7, np.random.default_rng(1)).tolist() == [7, 7, 7]


def test_the_evening_is_busier_than_the_night() -> None:
    assert hour_weight(DAY_MS * 5 + 20 * HOUR_MS) > 10 * hour_weight(DAY_MS * 5 + 3 * HOUR_MS)


def test_coats_are_for_winter_shorts_for_summer_and_suits_for_all_year() -> None:
    coats, shorts, suits = season_weights(["Jackets_Coats", "Shorts", "Suiting"])
    assert coats.index(max(coats)) == 0
    assert shorts.index(max(shorts)) == 6
    assert set(suits) == {1.0}
    for year in (coats, shorts):
        assert sum(year) / 12 == pytest.approx(1.0)
        assert min(year) > 0
