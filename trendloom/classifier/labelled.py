"""Photos with a label each, from folders (sub-folder = class) or from a table, and the groups that must stay together.

Lists only: no photo is opened here. Read next: :mod:`trendloom.classifier.seeing`, which looks at them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trendloom.catalogue.columns import Columns
from trendloom.catalogue.photos import PhotoSource, open_photos, readable
from trendloom.catalogue.table import read_items
from trendloom.errors import CatalogueError, ClassifierError

__all__ = ["LabelledPhotos", "labelled_folder", "labelled_table", "photos_by_path"]


@dataclass(frozen=True)
class LabelledPhotos:
    """N photos by name in ``source``, a label each, and a group each ("" = a group of its own)."""

    source: PhotoSource
    names: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self.names)

    def relabelled(
        self, merge: Mapping[str, str] | None = None, drop: Collection[str] = (), only: Collection[str] = ()
    ) -> LabelledPhotos:
        """Return the photos with labels renamed by ``merge``, then without those in ``drop``, or with ``only`` some.

        Raises :class:`ClassifierError` for a label that no photo has, so that a slip of the pen is not silent.
        """
        before = set(self.labels)
        labels = [(merge or {}).get(label, label) for label in self.labels]
        missing = sorted((set(merge or {}) - before) | ((set(drop) | set(only)) - set(labels) - before))
        if missing:
            raise ClassifierError(
                f"No photo has the label {', '.join(missing)}; there are {_listed(before)}. "
                "Action: correct --merge, --drop or --only."
            )
        return self._rows(labels, lambda label: label not in drop and (not only or label in only))

    def frequent(self, least: int) -> tuple[LabelledPhotos, dict[str, int]]:
        """Return the photos of labels that at least ``least`` photos have, and how many each of the others has."""
        counts = Counter(self.labels)
        rare = {label: count for label, count in sorted(counts.items()) if count < least}
        return self._rows(self.labels, lambda label: label not in rare), rare

    def told_of(self, names: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the labels and the groups of some of the photos, by name."""
        told = dict(zip(self.names, zip(self.labels, self.groups, strict=True), strict=True))
        return [told[name][0] for name in names], [told[name][1] for name in names]

    def _rows(self, labels: Collection[str], wanted: Callable[[str], bool]) -> LabelledPhotos:
        kept = [row for row in zip(self.names, labels, self.groups, strict=True) if wanted(row[1])]
        names, new_labels, groups = zip(*kept, strict=True) if kept else ((), (), ())
        return LabelledPhotos(self.source, tuple(names), tuple(new_labels), tuple(groups))


def photos_by_path(place: Path) -> PhotoSource:
    """Return the photos in a folder (to any depth) or zip file, named by their path inside it.

    Unlike :func:`trendloom.catalogue.photos.open_photos` equal file names in two folders are two photos.
    Raises :class:`ClassifierError` when there is neither folder nor zip file.
    """
    if not place.exists():
        raise ClassifierError(f"There are no photos at {place}. Action: name a folder or a zip file.")
    try:
        return open_photos(place, by="path")
    except CatalogueError:
        raise ClassifierError(f"{place} is no zip file. Action: name a folder or a zip file.") from None


def labelled_folder(place: Path, *, group_pattern: str = "") -> LabelledPhotos:
    r"""Return the photos below ``place``, labelled by the first folder of their path; photos beside them are left.

    A folder that holds all the others, as a zip file often has one, is no label.

    ``group_pattern`` is a regular expression searched in each path: photos whose first group (or whole match) is equal
    stay together, e.g. ``(id_\d+)`` for DeepFashion. Raises :class:`ClassifierError` for a pattern that is none and
    a folder without labelled photos.
    """
    try:
        pattern = re.compile(group_pattern)
    except re.error as error:
        raise ClassifierError(
            f"{group_pattern!r} is no regular expression: {error}. Action: correct --group-pattern."
        ) from None
    source = photos_by_path(place)
    names = sorted(name for name in source.names if "/" in name)
    if not names:
        raise ClassifierError(f"{place} has no folders of photos. Action: make one folder a class, photos in it.")
    found = [pattern.search(name) if group_pattern else None for name in names]
    groups = [match.group(1 if pattern.groups else 0) or "" if match else "" for match in found]
    depth = _shared_folders(names)
    labels = [readable(name.split("/")[depth]) for name in names]
    return LabelledPhotos(source, tuple(names), tuple(labels), tuple(groups))


def _shared_folders(names: Sequence[str]) -> int:
    """Return how many folders all paths begin with before they part, of those that are not the photos' own.

    >>> _shared_folders(["all/hat/1.png", "all/shoe/2.png"]), _shared_folders(["hat/1.png", "hat/2.png"])
    (1, 0)
    """
    depth = 0
    folders = [name.split("/")[:-1] for name in names]
    while all(len(path) > depth + 1 for path in folders) and len({path[depth] for path in folders}) == 1:
        depth += 1
    return depth


def labelled_table(table: Path, photos: Path, *, photo: str, label: str, group: str = "") -> LabelledPhotos:
    """Return the photos that a table names: columns of their file names (without extension), labels and groups.

    Rows without a label are left out. Raises :class:`trendloom.errors.CatalogueError` for a table that cannot be read
    or lacks a column, and :class:`ClassifierError` when no labelled row names a photo that is there.
    """
    source = open_photos(photos)
    items = read_items(table, Columns(item_id=photo, category=label, product=group))
    rows = [
        (stem, told, together)
        for name, told, together in zip(items.photos, items.categories, items.products, strict=True)
        if told and (stem := name if name in source.names else PurePosixPath(name).stem) in source.names
    ]
    if not rows:
        raise ClassifierError(
            f"No row of {table} has a label in {label} and names in {photo} a photo of {photos}. "
            "Action: name the columns of labels and of file names."
        )
    names, labels, groups = zip(*rows, strict=True)
    return LabelledPhotos(source, names, labels, groups)


def _listed(labels: Collection[str], most: int = 20) -> str:
    shown = sorted(labels)
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")
