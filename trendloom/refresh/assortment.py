"""The catalogue seen from the stream: its arrays put in order of item number instead of catalogue row.

An item's number comes from the state and is never used twice; a row is only good for one catalogue. Items that the
catalogue does not know are unknown in every respect, and can still be counted and recommended by co-purchase.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.garment import Catalogue
from trendloom.relevance.features import ItemFeatures

__all__ = ["colours_by_number", "features_by_number"]

Ints = npt.NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)
_ROWS = 65_536
_MOST_COLOURS = 512


def features_by_number(
    catalogue: Catalogue, number_of_row: Ints, size: int, stores: Mapping[str, tuple[float, float]]
) -> ItemFeatures:
    """Return the catalogue's features for item numbers 0 .. size - 1.

    ``number_of_row`` (N,) is the item number of each row; ``stores`` gives each store's (latitude, longitude) in
    degrees. Where numbers and rows are the same, as they are in a state that has seen no other catalogue, the arrays
    are the catalogue's own.
    """
    as_it_is = number_of_row.size == size and bool((number_of_row == np.arange(size)).all())
    number_or_none = np.append(number_of_row, -1).astype(np.int32)  # row -1 has no number either

    def spread(values: npt.NDArray[Number], missing: float) -> npt.NDArray[Number]:
        if as_it_is:
            return values
        out = np.full((size, *values.shape[1:]), missing, values.dtype)
        out[number_of_row] = values
        return out

    def numbered(table: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        if as_it_is:
            return table
        out = np.full((size, *table.shape[1:]), -1, np.int32)
        for start in range(0, len(table), _ROWS):  # some rows at a time: no second table beside the first
            out[number_of_row[start : start + _ROWS]] = number_or_none[table[start : start + _ROWS]]
        return out

    names = list(stores)
    place = np.array([names.index(name) if name in stores else -1 for name in catalogue.store_ids] + [-1], np.int16)
    table = catalogue.table_embeddings
    return ItemFeatures(
        category=spread(catalogue.category, -1),
        category_names=catalogue.category_names,
        gender=spread(catalogue.gender, 0),
        product=spread(catalogue.product, -1),
        view_group=spread(catalogue.view_group, -1),
        group=spread(catalogue.transition_group, -1),
        store=spread(place[catalogue.store], -1),
        store_latitude_deg=np.array([stores[name][0] for name in names], np.float64),
        store_longitude_deg=np.array([stores[name][1] for name in names], np.float64),
        photo_row=spread(catalogue.photo_row, -1),
        photo_embeddings=catalogue.photo_embeddings,
        table_embeddings=None if table is None else spread(table, 0.0),
        neighbours=numbered(catalogue.neighbours),
        neighbour_similarity=spread(catalogue.neighbour_similarity, 0.0),
        lowest=numbered(catalogue.lowest),
        lowest_similarity=spread(catalogue.lowest_similarity, 0.0),
    )


def colours_by_number(catalogue: Catalogue, number_of_row: Ints, size: int) -> npt.NDArray[np.int16]:
    """Return codes of the colours (size,) by item number, in the order of the colours' names; -1 where none is known.

    Only the 512 commonest colours have codes.

    >>> from trendloom.catalogue.synthetic import random_catalogue
    >>> shop = random_catalogue(3, np.random.default_rng(1))
    >>> [str(colour) for colour in shop.colours], colours_by_number(shop, np.array([2, 0, 1]), 4).tolist()
    (['Black', 'Navy', 'Red'], [1, 2, 0, -1])
    """
    names, code, count = np.unique(np.array(catalogue.colours, dtype=str), return_inverse=True, return_counts=True)
    common = np.argsort(np.where(names == "", 1, -count), kind="stable")[:_MOST_COLOURS]
    kept = np.isin(np.arange(names.size), common) & (names != "")
    number = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int16)
    out = np.full(size, -1, np.int16)
    out[number_of_row] = number[code]
    return out
