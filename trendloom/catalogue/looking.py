"""The first half of a build: read what items there are, look at their photos, merge what is one picture.

Whoever adds to a catalogue looks with the same eyes. Nothing is put together or written here. Read next:
:mod:`trendloom.catalogue.photo_stage`; :mod:`trendloom.catalogue.build` for the other half.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trendloom.catalogue.columns import Columns
from trendloom.catalogue.duplicates import merge_duplicates, share_views
from trendloom.catalogue.embedding import Embedder
from trendloom.catalogue.photo_layout import Layout, items_of_photos
from trendloom.catalogue.photo_stage import PhotoIsolator, PhotoStage, look_at_photos
from trendloom.catalogue.photos import open_photos
from trendloom.catalogue.selection import choose_items
from trendloom.catalogue.table import ItemTable, read_items
from trendloom.catalogue.unfinished import Unfinished
from trendloom.errors import CatalogueError

__all__ = ["Looked", "Progress", "isolation_of", "look_at_input"]

#: ``progress(stage, done, total)``; the stages are photos, embed, tune, neighbours and write.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Looked:
    """What was read and seen before anything is put together."""

    items: ItemTable
    stage: PhotoStage | None
    layout: str
    duplicates: list[tuple[str, str]]
    passed_over: tuple[tuple[str, str], ...]


def look_at_input(
    table: Path | None,
    photos: Path,
    columns: Columns,
    embedder: Embedder,
    isolator: PhotoIsolator | None,
    *,
    layout: Layout,
    items_wanted: int,
    seed: int,
    side_px: int,
    quality: int,
    unfinished: Unfinished | None,
    tell: Progress,
) -> Looked:
    """Return the items of a table or of a folder of photos with what their photos tell, duplicates merged.

    ``items_wanted`` > 0 chooses so many photographed ones by ``seed``. Thumbnails are ``side_px`` long at most. Raises
    :class:`CatalogueError` when the input cannot be used.
    """
    source = open_photos(photos, by="path" if table is None else "stem")
    if table is None:
        found = items_of_photos(source, layout)
        items, made_of, passed_over = found.items, found.layout, found.passed_over
    else:
        # files beside the photos of a table are nobody's business: the table says what it wants
        items, made_of, passed_over = read_items(table, columns), "table", ()
    if items_wanted:
        items = items.take(choose_items(items, source, items_wanted, seed, tell))
    stage = look_at_photos(
        items,
        source,
        embedder,
        side_px=side_px,
        quality=quality,
        progress=tell,
        isolator=isolator,
        unfinished=unfinished,
        named_by_path=table is None,
    )
    if table is None:  # a photo that cannot be used is no item
        seen = np.flatnonzero(stage.photo_row >= 0).tolist()
        if not seen:
            why = stage.left_out[0]
            raise CatalogueError(
                f"None of the {len(items)} photos can be used; {why[0]}: {why[1]}. Action: give photos that can."
            )
        items, stage = items.take(seen), stage.take(seen)
    if made_of in {"plain", "folders"} or (table is not None and columns.id_from_category):
        items, stage, duplicates = merge_duplicates(items, stage)
    else:
        items, duplicates = share_views(items, stage)
    return Looked(items, stage, made_of, duplicates, passed_over)


def isolation_of(isolator: PhotoIsolator | None) -> dict[str, str | int | float]:
    """Return what a manifest says of how garments are cut out of their photos."""
    return {"kind": "none"} if isolator is None else isolator.describe()
