"""Finds items whose photos are the same picture, pixel by pixel, and makes one garment of them.

Similar pictures are not duplicates: nothing here compares embeddings. Read next: :mod:`trendloom.catalogue.build`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trendloom.catalogue.photo_stage import PhotoStage
from trendloom.catalogue.table import ItemTable

__all__ = ["find_duplicates", "merge_duplicates", "share_views"]


def find_duplicates(pixels: Sequence[str]) -> list[tuple[int, int]]:
    """Return (first row, later row) for each item whose picture an earlier item has; "" is no picture.

    >>> find_duplicates(["a", "", "b", "a", "", "a"])
    [(0, 3), (0, 5)]
    """
    first: dict[str, int] = {}
    return [(first[value], row) for row, value in enumerate(pixels) if value and first.setdefault(value, row) != row]


def merge_duplicates(items: ItemTable, stage: PhotoStage) -> tuple[ItemTable, PhotoStage, list[tuple[str, str]]]:
    """Return items and photos without those whose picture an earlier item has, and (kept, dropped) item ids.

    For items that were made of photos: nobody knows the dropped ids.
    """
    found = find_duplicates(stage.pixels)
    dropped = {later for _, later in found}
    kept = [row for row in range(len(items)) if row not in dropped]
    named = [(items.item_ids[first], items.item_ids[later]) for first, later in found]
    return (items.take(kept), stage.take(kept), named) if found else (items, stage, [])


def share_views(items: ItemTable, stage: PhotoStage) -> tuple[ItemTable, list[tuple[str, str]]]:
    """Return the items where those of one picture are views of one garment, and (first, other) item ids.

    For items of a table: purchases carry both ids, so both stay, but a list never shows one for the other. What the
    table says of views stands.
    """
    found = find_duplicates(stage.pixels)
    views = list(items.views)
    named = []
    for first, later in found:
        views[first] = views[first] or f"same photo as {items.item_ids[first]}"
        views[later] = views[later] or views[first]
        named.append((items.item_ids[first], items.item_ids[later]))
    return replace(items, views=views), named
