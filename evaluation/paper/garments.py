"""The garments of the experiment and where their photos are: a folder of photos, or the pictures of a catalogue.

It opens no photo; every backbone then looks at the same ones. Read next: :mod:`evaluation.paper.looks`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.garment import Catalogue
from trendloom.catalogue.photo_layout import Layout, items_of_photos
from trendloom.catalogue.photos import PhotoSource, open_photos
from trendloom.catalogue.stores import deal_to_stores
from trendloom.catalogue.table import ItemTable
from trendloom.errors import CatalogueError

__all__ = ["Garments", "garments_of_catalogue", "garments_of_folder"]


@dataclass(frozen=True)
class Garments:
    """N garments in a fixed order, the source of their photos, and the store that holds each.

    Views of one garment (the same product in the same colour) are one item in ``items``, never several.
    """

    items: ItemTable
    source: PhotoSource
    #: (N,) number of the garment's store, -1 = none
    store: npt.NDArray[np.int16]

    def __len__(self) -> int:
        """Return N, the number of garments."""
        return len(self.items)

    @cached_property
    def category_names(self) -> tuple[str, ...]:
        """The categories, by name."""
        return tuple(sorted(set(self.items.categories)))

    @cached_property
    def category(self) -> npt.NDArray[np.int16]:
        """(N,) codes into ``category_names``."""
        place = {name: code for code, name in enumerate(self.category_names)}
        return np.array([place[name] for name in self.items.categories], np.int16)

    @cached_property
    def view_group(self) -> npt.NDArray[np.int32]:
        """(N,) garments that are views of one another share a number; -1 = of no other."""
        place = {name: code for code, name in enumerate(sorted(set(self.items.views) - {""}))}
        return np.array([place.get(name, -1) for name in self.items.views], np.int32)

    def take(self, rows: npt.NDArray[np.int64]) -> Garments:
        """Return these garments only, in this order."""
        return replace(self, items=self.items.take(rows), store=self.store[rows])


def garments_of_folder(folder: Path, *, stores: int, seed: int, layout: Layout = "auto") -> Garments:
    """Return the garments that the photos in a folder or zip file show, dealt to ``stores`` stores.

    The order is that of the photos' paths, whatever the file system says. Raises
    :class:`~trendloom.errors.CatalogueError` where there is no photo.
    """
    source = open_photos(folder, by="path")
    items = items_of_photos(source, layout).items
    dealt = deal_to_stores(np.unique(items.categories, return_inverse=True)[1].astype(np.int16), stores, seed)
    return Garments(items, source, dealt)


def garments_of_catalogue(catalogue: Catalogue, *, stores: int, seed: int) -> Garments:
    """Return the garments of a catalogue that have a picture there; the picture is the photo.

    Where the catalogue names no store, garments are dealt to ``stores`` stores.

    >>> from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
    >>> garments = garments_of_catalogue(load_catalogue(demo_catalogue_path()), stores=5, seed=42)
    >>> len(garments), len(garments.category_names), int(garments.store.max())
    (2000, 17, 4)
    """
    rows = [row for row in range(len(catalogue)) if catalogue.thumbnails.get(row) is not None]
    if not rows:
        raise CatalogueError(
            f"The catalogue {catalogue.fingerprint} has no pictures. Action: name one built with --photos."
        )
    ids = [catalogue.item_ids[row] for row in rows]
    categories = [catalogue.category_names[code] if code >= 0 else "" for code in catalogue.category[rows].tolist()]
    views = [f"view {code}" if code >= 0 else "" for code in catalogue.view_group[rows].tolist()]
    products = [f"product {code}" if code >= 0 else "" for code in catalogue.product[rows].tolist()]
    row_of = dict(zip(ids, rows, strict=True))
    items = ItemTable(
        item_ids=ids,
        photos=ids,
        titles=[catalogue.titles[row] for row in rows],
        colours=[catalogue.colours[row] for row in rows],
        product_types=[catalogue.product_types[row] for row in rows],
        categories=categories,
        gender=catalogue.gender[rows],
        products=products,
        views=views,
        transition_groups=categories,
        stores=[""] * len(rows),
        attributes={},
        weights={},
        texts=[""] * len(rows),
    )
    held = catalogue.store[rows]
    if (held < 0).all():
        held = deal_to_stores(np.unique(categories, return_inverse=True)[1].astype(np.int16), stores, seed)
    source = PhotoSource(frozenset(ids), lambda name: catalogue.thumbnails.get(row_of[name]) or b"")
    return Garments(items, source, held.astype(np.int16))
