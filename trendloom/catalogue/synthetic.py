"""A small made-up catalogue, for tests and for trying things without files: random, but the same for the same seed.

Nothing in it comes from real photos; items of one category lie near each other, as real embeddings do.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.garment import GENDERS, Catalogue
from trendloom.catalogue.neighbours import find_item_extremes
from trendloom.catalogue.stores import deal_to_stores
from trendloom.catalogue.thumbnails import Thumbnails

__all__ = ["random_catalogue"]

_CATEGORIES = ("Dresses", "Graphic_Tees", "Pants", "Skirts", "Sweaters")
_COLOURS = ("Black", "Navy", "Red", "White")


def random_catalogue(
    n: int, rng: np.random.Generator, *, photo_share: float = 1.0, neighbours: int = 16, lowest: int = 8
) -> Catalogue:
    """Return a catalogue of ``n`` made-up items in five categories and five stores.

    About ``photo_share`` of the items have photo embeddings (16 numbers); if that is less than 1, all have table
    embeddings (8 numbers) too. Items i and i + 1 (i even) are two colours of one product, and every tenth item shares
    its view group with the next.

    >>> catalogue = random_catalogue(40, np.random.default_rng(3))
    >>> len(catalogue), catalogue.neighbours.shape, catalogue.item_ids[0]
    (40, (40, 16), 'item-0000')
    >>> bool((random_catalogue(40, np.random.default_rng(3)).neighbours == catalogue.neighbours).all())
    True
    """
    category = rng.integers(len(_CATEGORIES), size=n).astype(np.int16)
    photographed = np.flatnonzero(rng.random(n) < photo_share) if photo_share < 1 else np.arange(n)
    photo_row = np.full(n, -1, np.int32)
    photo_row[photographed] = np.arange(len(photographed))
    centres = rng.normal(size=(len(_CATEGORIES), 24))
    around = centres[category] + 0.7 * rng.normal(size=(n, 24))
    photo_embeddings = _unit(around[photographed, :16])
    table_embeddings = _unit(around[:, 16:]) if len(photographed) < n else None

    found = find_item_extremes(photo_row, photo_embeddings, table_embeddings, nearest=neighbours, farthest=lowest)
    store_ids = tuple(f"store-{number}" for number in range(1, 6))
    rows = np.arange(n)
    return Catalogue(
        fingerprint=f"{int(rng.integers(1 << 62)):016x}",
        item_ids=[f"item-{row:04d}" for row in rows],
        titles=[f"{_COLOURS[row % 4]} {_CATEGORIES[category[row]]} {row}" for row in rows],
        colours=[_COLOURS[row % 4] for row in rows],
        product_types=[_CATEGORIES[code] for code in category],
        category=category,
        category_names=_CATEGORIES,
        gender=rng.integers(len(GENDERS), size=n).astype(np.int8),
        product=(rows // 2).astype(np.int32),
        view_group=np.where(rows % 10 < 2, rows // 10, -1).astype(np.int32),
        transition_group=category.copy(),
        transition_group_names=_CATEGORIES,
        store=deal_to_stores(category, len(store_ids), seed=1),
        store_ids=store_ids,
        photo_row=photo_row,
        photo_embeddings=photo_embeddings,
        table_embeddings=table_embeddings,
        neighbours=found.extremes.nearest,
        neighbour_similarity=found.extremes.nearest_similarity,
        neighbour_source=found.source,
        lowest=found.extremes.farthest,
        lowest_similarity=found.extremes.farthest_similarity,
        thumbnails=Thumbnails({}),
        manifest={"format_version": 1, "name": "synthetic"},
    )


def _unit(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float16]:
    unit: npt.NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit.astype(np.float16)
