"""The catalogue seen from the stream: its arrays put in order of item number instead of catalogue row.

An item's number comes from the state and is never used twice; a row is only good for one catalogue. Items that the
catalogue does not know are unknown in every respect, and can still be counted and recommended by co-purchase.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.garment import Catalogue
from trendloom.relevance.features import ItemFeatures

__all__ = ["features_by_number"]

Ints = npt.NDArray[np.int64]


def features_by_number(
    catalogue: Catalogue, number_of_row: Ints, size: int, stores: Mapping[str, tuple[float, float]]
) -> ItemFeatures:
    """Return the catalogue's features for item numbers 0 .. size - 1.

    ``number_of_row`` (N,) is the item number of each row; ``stores`` gives each store's (latitude, longitude) in
    degrees.
    """
    row_of = np.full(size, -1, np.int64)
    row_of[number_of_row] = np.arange(number_of_row.size)
    known = row_of >= 0
    rows = row_of[known]

    def spread(values: npt.NDArray[np.generic], missing: float) -> npt.NDArray[np.generic]:
        out = np.full((size, *values.shape[1:]), missing, values.dtype)
        out[known] = values[rows]
        return out

    def numbered(table: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        return np.where(table >= 0, number_of_row[table], -1).astype(np.int32)

    names = list(stores)
    place = np.array([names.index(name) if name in stores else -1 for name in catalogue.store_ids] + [-1], np.int16)
    table = catalogue.table_embeddings
    return ItemFeatures(
        category=spread(catalogue.category, -1),  # type: ignore[arg-type]
        category_names=catalogue.category_names,
        gender=spread(catalogue.gender, 0),  # type: ignore[arg-type]
        product=spread(catalogue.product, -1),  # type: ignore[arg-type]
        view_group=spread(catalogue.view_group, -1),  # type: ignore[arg-type]
        group=spread(catalogue.transition_group, -1),  # type: ignore[arg-type]
        store=spread(place[catalogue.store], -1),  # type: ignore[arg-type]
        store_latitude_deg=np.array([stores[name][0] for name in names], np.float64),
        store_longitude_deg=np.array([stores[name][1] for name in names], np.float64),
        photo_row=spread(catalogue.photo_row, -1),  # type: ignore[arg-type]
        photo_embeddings=catalogue.photo_embeddings,
        table_embeddings=None if table is None else spread(table, 0.0),  # type: ignore[arg-type]
        neighbours=spread(numbered(catalogue.neighbours), -1),  # type: ignore[arg-type]
        neighbour_similarity=spread(catalogue.neighbour_similarity, 0.0),  # type: ignore[arg-type]
        lowest=spread(numbered(catalogue.lowest), -1),  # type: ignore[arg-type]
        lowest_similarity=spread(catalogue.lowest_similarity, 0.0),  # type: ignore[arg-type]
    )
