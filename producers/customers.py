"""Synthetic customers: each has a trendiness, a gender, a home of their own, favourite categories and an appetite.

Seeded and fixed once drawn; what they buy is decided in ``producers/synthetic.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from producers.wares import KIDS, MEN, WOMEN, Wares
from trendloom.relevance.store_distance import haversine_km

__all__ = ["Customers", "draw_customers"]

#: Homes lie in this box around (0, 0): longitude and latitude, degrees. About 400 x 200 km, as the stores do.
HOME_LONGITUDE_DEG, HOME_LATITUDE_DEG = 1.8, 0.9
#: Share of customers who also buy for kids, where there is anything for kids.
KIDS_SHARE = 0.25
FAVOURITES = 3
#: A store this far from home is visited 1/e as often as one at the door.
REACH_KM = 80.0


@dataclass(frozen=True)
class Customers:
    """Customers by number (0 .. C - 1): ``trendiness`` in [0, 1] is the chance that they buy what is popular.

    ``appetite`` is how often they visit, relative to others; ``nearness[c][s]`` in (0, 1] how readily they buy from
    store s; ``favourites[c]`` are category codes.
    """

    ids: list[str]
    trendiness: list[float]
    gender: list[int]
    shops_for_kids: list[bool]
    latitude_deg: list[float]
    longitude_deg: list[float]
    favourites: list[frozenset[int]]
    nearness: list[list[float]]
    appetite: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Return C, the number of customers."""
        return len(self.ids)


def draw_customers(
    number: int, wares: Wares, stores: Mapping[str, tuple[float, float]], rng: np.random.Generator
) -> Customers:
    """Draw ``number`` customers; ``stores`` gives (latitude, longitude) in degrees by store id.

    Trendiness is uniform in [0, 1]; genders follow what is for sale; homes are uniform in the box; appetite is
    log-normal with sigma 1, so a tenth of the customers makes about 40 % of the visits.

    >>> wares = Wares(["a"], [0], ["Tees"], [WOMEN], [0], ["s"], [[]])
    >>> customers = draw_customers(2, wares, {"s": (0.0, 0.0)}, np.random.default_rng(42))
    >>> customers.ids, customers.gender
    (['customer-1', 'customer-2'], [1, 1])
    """
    genders = [code for code in wares.gender if code in (WOMEN, MEN)]
    women_share = genders.count(WOMEN) / len(genders) if genders else 0.5
    latitude = rng.uniform(-HOME_LATITUDE_DEG, HOME_LATITUDE_DEG, number)
    longitude = rng.uniform(-HOME_LONGITUDE_DEG, HOME_LONGITUDE_DEG, number)
    positions = np.array([stores.get(store_id, (np.nan, np.nan)) for store_id in wares.store_ids]).reshape(-1, 2)
    distance_km = haversine_km(latitude[:, None], longitude[:, None], positions[:, 0], positions[:, 1])  # (C, S)
    nearness = np.where(np.isnan(distance_km), 1.0, np.exp(-distance_km / REACH_KM))
    categories = sorted(set(wares.category))
    picked = rng.integers(len(categories), size=(number, FAVOURITES))
    width = len(str(number))
    return Customers(
        ids=[f"customer-{place + 1:0{width}d}" for place in range(number)],
        trendiness=rng.random(number).tolist(),
        gender=np.where(rng.random(number) < women_share, WOMEN, MEN).tolist(),
        shops_for_kids=(rng.random(number) < (KIDS_SHARE if KIDS in wares.gender else 0.0)).tolist(),
        latitude_deg=latitude.tolist(),
        longitude_deg=longitude.tolist(),
        favourites=[frozenset(categories[place] for place in places) for places in picked.tolist()],
        nearness=nearness.tolist(),
        appetite=rng.lognormal(0.0, 1.0, number),
    )
