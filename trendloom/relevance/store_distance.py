"""How far a customer's home is from the store that holds an item: haversine kilometres, and a proximity in [0, 1].

A home is the mean position of the stores where the customer bought; an unknown home or store is neutral.
Read next: :mod:`trendloom.relevance.score`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["EARTH_RADIUS_KM", "haversine_km", "homes", "proximity"]

EARTH_RADIUS_KM = 6371.0
#: Proximity of what is unknown: halfway, so it neither helps nor harms much.
NEUTRAL = 0.5

Floats = npt.NDArray[np.float64]


def haversine_km(
    latitude_a_deg: npt.ArrayLike,
    longitude_a_deg: npt.ArrayLike,
    latitude_b_deg: npt.ArrayLike,
    longitude_b_deg: npt.ArrayLike,
) -> Floats:
    """Return the great-circle distance in km on a sphere of radius 6371 km; arguments in degrees, broadcast.

    2 r asin(sqrt(sin^2(dlat / 2) + cos lat_a cos lat_b sin^2(dlon / 2))). Paris to Lyon:

    >>> round(float(haversine_km(48.8566, 2.3522, 45.7640, 4.8357)), 1)
    391.5
    """
    lat_a, lon_a = (
        np.radians(np.asarray(latitude_a_deg, np.float64)),
        np.radians(np.asarray(longitude_a_deg, np.float64)),
    )
    lat_b, lon_b = (
        np.radians(np.asarray(latitude_b_deg, np.float64)),
        np.radians(np.asarray(longitude_b_deg, np.float64)),
    )
    chord = np.sin((lat_a - lat_b) / 2) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin((lon_a - lon_b) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0))), np.float64)


def proximity(distance_km: npt.ArrayLike, scale_km: float) -> Floats:
    """Return exp(-distance / scale) in [0, 1]; neutral (0.5) where the distance is not known (NaN).

    >>> proximity([0.0, float("nan")], scale_km=50.0).tolist()
    [1.0, 0.5]
    """
    near = np.exp(-np.asarray(distance_km, np.float64) / scale_km)
    return np.where(np.isnan(near), NEUTRAL, near)


def homes(stores: npt.NDArray[np.integer], latitude_deg: Floats, longitude_deg: Floats) -> tuple[Floats, Floats]:
    """Return latitude and longitude (B,) in degrees: the mean of the stores (B, H) bought in, NaN where none is known.

    >>> homes(np.array([[0, 1, -1], [-1, -1, -1]]), np.array([0.0, 1.0]), np.array([2.0, 4.0]))[1].tolist()
    [3.0, nan]
    """
    known = (stores >= 0) & (stores < latitude_deg.size)
    count = known.sum(axis=1)
    if latitude_deg.size == 0:
        return np.full(count.size, np.nan), np.full(count.size, np.nan)
    store = np.where(known, stores, 0)
    weight = known / np.maximum(count, 1)[:, None]
    latitude = np.where(count > 0, (latitude_deg[store] * weight).sum(axis=1), np.nan)
    longitude = np.where(count > 0, (longitude_deg[store] * weight).sum(axis=1), np.nan)
    return latitude, longitude
