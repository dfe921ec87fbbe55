"""What the experiment's lists are judged by: category similarity, popularity error and gender agreement.

The source computes none of these; they are the natural means over the columns of its results. Read next:
:mod:`evaluation.paper.experiment`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.paper.customers import Purchases
from trendloom.relevance.category_affinity import affinity_table
from trendloom.relevance.features import GENDERS, ItemFeatures
from trendloom.relevance.popularity_fit import minmax
from trendloom.relevance.store_distance import haversine_km

__all__ = ["Measures", "category_similarity", "gender_agreement", "measure", "popularity_mae", "scaled_popularity"]

Floats = npt.NDArray[np.float64]
UNISEX = GENDERS.index("unisex")


@dataclass(frozen=True)
class Measures:
    """Means over all garments recommended; None where nothing could be compared."""

    lists: int
    category_similarity: float
    same_category: float
    popularity_mae: float
    gender_agreement: float | None
    #: how many of the garments recommended the gender of both sides is known for
    gender_known: int
    #: from the store of the garment bought to that of the garment recommended
    distance_km: float | None


def category_similarity(
    names: tuple[str, ...], bought: npt.NDArray[np.integer], recommended: npt.NDArray[np.integer]
) -> Floats:
    """Return the similarity of categories (codes into ``names``), by pairs: same 1, same family .8, else the table.

    >>> category_similarity(("Denim", "Shorts", "Dresses"), np.array([0, 0, 0]), np.array([0, 1, 2])).tolist()
    [1.0, 0.8, 0.1]
    """
    return np.asarray(affinity_table(names)[bought, recommended], np.float64)


def scaled_popularity(popularity: npt.NDArray[np.integer]) -> Floats:
    """Return the popularity (N,) scaled to [0, 1] between the least and the most popular of all garments.

    >>> scaled_popularity(np.array([2, 4, 10])).tolist()
    [0.0, 0.25, 1.0]
    """
    return minmax(popularity, float(popularity.min()), float(popularity.max()))


def popularity_mae(popularity: npt.ArrayLike, trendiness: npt.ArrayLike) -> float:
    """Return the mean distance of scaled popularity from trendiness: how badly a list fits the taste for trends.

    >>> popularity_mae([0.25, 1.0], [0.75, 1.0])
    0.25
    """
    gap = np.asarray(popularity, np.float64) - np.asarray(trendiness, np.float64)
    return float(np.abs(gap).mean())


def gender_agreement(
    customer: npt.NDArray[np.integer], recommended: npt.NDArray[np.integer]
) -> tuple[float | None, int]:
    """Return the share of pairs where the garment is for the customer's gender or unisex, and how many pairs count.

    Codes are places in :data:`~trendloom.relevance.features.GENDERS`; pairs with an unknown side do not count.

    >>> gender_agreement(np.array([1, 1, 2, 0]), np.array([1, 2, 3, 1]))    # yes, no, unisex, unknown
    (0.6666666666666666, 3)
    """
    known = (customer > 0) & (recommended > 0)
    agrees = (customer == recommended) | (recommended == UNISEX)
    count = int(known.sum())
    return (float(agrees[known].mean()) if count else None), count


def measure(
    lists: npt.NDArray[np.integer], features: ItemFeatures, purchases: Purchases, *, gender_of_bought: bool = False
) -> Measures:
    """Return the measures of lists (R, k), one for each purchase; places of -1 do not count.

    ``gender_of_bought`` repeats a fault of the original: the gender compared is that of the garment bought.
    """
    row, place = np.nonzero(lists >= 0)
    item, bought = lists[row, place].astype(np.int64), purchases.item[row]
    customer = purchases.customer[row]
    agreement, known = gender_agreement(
        purchases.gender[customer], features.gender[bought if gender_of_bought else item]
    )
    similarity = category_similarity(features.category_names, features.category[bought], features.category[item])
    distance = distances_km(features, bought, item)
    return Measures(
        lists=int(lists.shape[0]),
        category_similarity=float(similarity.mean()),
        same_category=float((features.category[bought] == features.category[item]).mean()),
        popularity_mae=popularity_mae(scaled_popularity(purchases.popularity)[item], purchases.trendiness[customer]),
        gender_agreement=agreement,
        gender_known=known,
        distance_km=None if np.isnan(distance).all() else float(np.nanmean(distance)),
    )


def distances_km(features: ItemFeatures, one: npt.NDArray[np.integer], other: npt.NDArray[np.integer]) -> Floats:
    """Return the distance between the stores that hold two garments each, km; NaN where one has no store."""
    latitude = np.append(features.store_latitude_deg, np.nan)
    longitude = np.append(features.store_longitude_deg, np.nan)
    a, b = features.store[one], features.store[other]
    return haversine_km(latitude[a], longitude[a], latitude[b], longitude[b])
