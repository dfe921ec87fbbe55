from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.relevance.store_distance import EARTH_RADIUS_KM, haversine_km, homes, proximity

PLACE = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(PLACE, PLACE)
def test_distance_is_symmetric_and_within_half_the_globe(a: tuple[float, float], b: tuple[float, float]) -> None:
    there = float(haversine_km(*a, *b))
    assert there == pytest.approx(float(haversine_km(*b, *a)), abs=1e-6)
    assert 0.0 <= there <= np.pi * EARTH_RADIUS_KM + 1e-6


@given(PLACE, PLACE, PLACE)
def test_a_detour_is_never_shorter(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> None:
    assert float(haversine_km(*a, *c)) <= float(haversine_km(*a, *b)) + float(haversine_km(*b, *c)) + 1e-4


@given(PLACE)
def test_nothing_is_far_from_itself(a: tuple[float, float]) -> None:
    assert float(haversine_km(*a, *a)) == pytest.approx(0.0, abs=1e-6)


def test_a_degree_of_latitude() -> None:
    assert float(haversine_km(10.0, 5.0, 11.0, 5.0)) == pytest.approx(np.pi / 180 * EARTH_RADIUS_KM)


def test_proximity_falls_to_1_over_e_at_its_scale() -> None:
    assert proximity([0.0, 100.0, 1e9], scale_km=100.0).tolist() == pytest.approx([1.0, np.exp(-1), 0.0])


def test_home_is_unknown_without_a_known_store() -> None:
    latitude, longitude = homes(np.array([[-1, 9], [1, 1]]), np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    assert np.isnan([latitude[0], longitude[0]]).all()
    assert (latitude[1], longitude[1]) == (2.0, 4.0)
    assert np.isnan(homes(np.array([[0]]), np.zeros(0), np.zeros(0))[0]).all()
