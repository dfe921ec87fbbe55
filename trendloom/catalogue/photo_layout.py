"""Reads what photos tell of their items by their names and folders, where there is no table.

Three layouts: ``deepfashion`` (gender, category, item and view in the name), ``folders`` (the folder is the category)
and ``plain`` (every photo is an item). Opens no photo. Read next: :mod:`trendloom.catalogue.table`, for those who have
a table.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import numpy as np

from trendloom.catalogue.photos import PhotoSource, readable
from trendloom.catalogue.table import ItemTable, gender_code
from trendloom.errors import CatalogueError

__all__ = ["LAYOUTS", "Layout", "LayoutItems", "find_layout", "items_of_photos"]

Layout = Literal["auto", "deepfashion", "folders", "plain"]
LAYOUTS: tuple[Layout, ...] = ("auto", "deepfashion", "folders", "plain")

#: WOMEN-Dresses-id_00000002-02_1_front.jpg, or the same parts as folders: WOMEN/Dresses/id_00000002/02_1_front.jpg.
_DEEPFASHION = re.compile(
    r"(?:^|/)(?P<gender>WOMEN|MEN)[-/](?P<category>[A-Za-z_]+?)[-/](?P<product>id_\d{8})[-/](?P<colour>\d{2})_"
    r"(?P<number>\d+)_(?P<view>\w+?)\.\w+$"
)
#: The view that stands for an item, best first; others follow in the order of their numbers.
_VIEWS = ("front", "full", "side", "back", "additional")
#: A colour mask lies beside its photo under such a name, and is no photo.
_MASK_ENDING = "_segm"
_MOST_ID_CHARACTERS = 128


@dataclass(frozen=True)
class LayoutItems:
    """The items that photos make up, their layout, and the files (path, reason) that belong to none."""

    items: ItemTable
    layout: str
    passed_over: tuple[tuple[str, str], ...]


def items_of_photos(source: PhotoSource, layout: Layout = "auto") -> LayoutItems:
    """Return the items of a source whose photos are named by path, in the order of their paths.

    Raises :class:`CatalogueError` when there is not one.
    """
    paths = [path for path in sorted(source.names) if not PurePosixPath(path).stem.endswith(_MASK_ENDING)]
    if not paths:
        raise CatalogueError("There is no photo there. Action: name a folder or zip file that holds photos.")
    chosen = find_layout(paths) if layout == "auto" else layout
    if chosen == "deepfashion":
        return _deepfashion(paths, source.passed_over)
    return _one_each(paths, source.passed_over, by_folder=chosen == "folders")


def find_layout(paths: Sequence[str]) -> Layout:
    """Return the layout that most of the photos follow.

    >>> find_layout(["MEN-Denim-id_00000080-01_7_additional.jpg", "notes.jpg", "MEN-Denim-id_00000080-01_1_front.jpg"])
    'deepfashion'
    >>> find_layout(["all/dress/1.jpg", "all/hat/2.jpg", "3.jpg"]), find_layout(["photos/1.jpg", "photos/2.jpg"])
    ('folders', 'plain')
    """
    if 2 * sum(_DEEPFASHION.search(path) is not None for path in paths) > len(paths):
        return "deepfashion"
    folders = {PurePosixPath(path).parent for path in paths}
    return "folders" if len(folders) > 1 else "plain"


def _deepfashion(paths: Iterable[str], passed_over: tuple[tuple[str, str], ...]) -> LayoutItems:
    others = list(passed_over)
    views: dict[tuple[str, str, str, str], list[tuple[int, int, str]]] = {}
    for path in paths:
        found = _DEEPFASHION.search(path)
        if found is None:
            others.append((path, "its name is not GENDER-Category-id_12345678-12_1_view"))
            continue
        view, number = found["view"], int(found["number"])
        place = _VIEWS.index(view) if view in _VIEWS else len(_VIEWS)
        key = (found["product"], found["colour"], found["gender"], found["category"])
        views.setdefault(key, []).append((place, number, path))
    if not views:
        raise CatalogueError(
            "No photo is named GENDER-Category-id_12345678-12_1_view. Action: give --layout folders or plain."
        )
    keys = sorted(views)
    short = [f"{product}-{colour}" for product, colour, _, _ in keys]
    taken = {name for name in short if short.count(name) > 1} if len(set(short)) < len(short) else set()
    ordered = [[path for _, _, path in sorted(views[key])] for key in keys]
    categories = [category for _, _, _, category in keys]
    items = _table(
        # one product and colour under two categories: two items, named with their category
        [
            f"{gender}-{category}-{name}" if name in taken else name
            for name, (_, _, gender, category) in zip(short, keys, strict=True)
        ],
        ordered,
        categories,
        [gender for _, _, gender, _ in keys],
        [f"{gender}-{category}-{product}" for product, _, gender, category in keys],
    )
    return LayoutItems(items, "deepfashion", tuple(others))


def _one_each(paths: Sequence[str], passed_over: tuple[tuple[str, str], ...], *, by_folder: bool) -> LayoutItems:
    stems = [PurePosixPath(path).stem for path in paths]
    seen: dict[str, int] = {}
    for stem in stems:
        seen[stem] = seen.get(stem, 0) + 1
    ids = [_short(stem if seen[stem] == 1 else path) for stem, path in zip(stems, paths, strict=True)]
    categories = [readable(PurePosixPath(path).parent.name) if by_folder else "" for path in paths]
    folders = [PurePosixPath(path).parent.as_posix() for path in paths]
    items = _table(ids, [[path] for path in paths], categories, folders, [""] * len(paths))
    return LayoutItems(items, "folders" if by_folder else "plain", passed_over)


def _short(name: str) -> str:
    """Return a name as an item id; one that is too long is cut, and kept apart from others by a hash."""
    name = readable(name)
    if len(name) <= _MOST_ID_CHARACTERS:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: _MOST_ID_CHARACTERS - 13]}-{digest}"


def _table(
    ids: list[str], photos: list[list[str]], categories: list[str], told_gender: list[str], products: list[str]
) -> ItemTable:
    size = len(ids)
    names = [category.replace("_", " ").strip() for category in categories]
    return ItemTable(
        item_ids=ids,
        photos=[first for first, *_ in photos],
        titles=[""] * size,
        colours=[""] * size,
        product_types=names,
        categories=list(categories),
        gender=np.array([gender_code(text) for text in told_gender], np.int8),
        products=products,
        views=[""] * size,
        transition_groups=list(categories),
        stores=[""] * size,
        attributes={},
        weights={},
        texts=[""] * size,
        further_photos=[tuple(rest) for _, *rest in photos],
    )
