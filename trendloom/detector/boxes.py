"""A box around a garment, the table that boxes are read from, and which photos are held out.

Nothing here looks at pixels. Read next: :mod:`trendloom.detector.measures`.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.photos import PhotoSource
from trendloom.errors import CatalogueError

__all__ = ["COLUMNS", "Box", "BoxTable", "is_held_out", "overlaps", "read_boxes", "scale_boxes"]

#: Columns that a table of boxes must have; `width` and `height`, where they are, say the size that pixels refer to.
COLUMNS = ("photo", "label", "x0", "y0", "x1", "y1")


@dataclass(frozen=True)
class Box:
    """A garment of class ``label`` in a photo; pixels from its upper left corner, right and bottom exclusive."""

    label: str
    score: float
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class BoxTable:
    """Boxes by photo, in pixels of the size that the table tells, else of the photo's file."""

    boxes: Mapping[str, tuple[Box, ...]]
    #: (width, height) that a photo's boxes refer to; absent where the table does not say.
    sizes: Mapping[str, tuple[int, int]]
    #: Classes, sorted as the detector numbers them.
    labels: tuple[str, ...]

    def in_pixels(self, photo: str, width: int, height: int) -> tuple[Box, ...]:
        """Return a photo's boxes in pixels of its file, which is ``width`` times ``height``."""
        return scale_boxes(self.boxes[photo], self.sizes.get(photo, (width, height)), (width, height))


def scale_boxes(boxes: Iterable[Box], told: tuple[int, int], wanted: tuple[int, int]) -> tuple[Box, ...]:
    """Return boxes in a picture of the size (width, height) ``told`` as they lie in one of the size ``wanted``.

    >>> scale_boxes([Box("bag", 0.9, 10, 10, 20, 30)], (100, 100), (50, 200))
    (Box(label='bag', score=0.9, left=5.0, top=20.0, right=10.0, bottom=60.0),)
    """
    across, down = wanted[0] / told[0], wanted[1] / told[1]
    return tuple(
        Box(box.label, box.score, box.left * across, box.top * down, box.right * across, box.bottom * down)
        for box in boxes
    )


def read_boxes(
    table: Path, photos: PhotoSource, *, groups: Mapping[str, str] | None = None, labels: Iterable[str] = ()
) -> BoxTable:
    """Return the boxes of a .csv or .csv.gz file with :data:`COLUMNS`, one a row, of photos that are there.

    ``groups`` maps labels to classes, and labels that it lacks are left out; without it labels are classes. ``labels``
    gives the classes their order (default: sorted). Photos are found by name, or by number without leading zeros.
    Raises :class:`CatalogueError` for a table that cannot be used.
    """
    by_number = {name.lstrip("0"): name for name in sorted(photos.names, reverse=True)}
    boxes: dict[str, list[Box]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    try:
        with (
            gzip.open(table, "rt", encoding="utf-8") if table.suffix == ".gz" else table.open(encoding="utf-8") as file
        ):
            rows = csv.DictReader(file)
            if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
                raise CatalogueError(
                    f"{table} lacks the columns {', '.join(missing)}. Action: write one box a row with "
                    f"{', '.join(COLUMNS)} and, if you like, width and height."
                )
            for number, row in enumerate(rows, start=2):
                label = row["label"] if groups is None else groups.get(row["label"], "")
                photo = row["photo"] if row["photo"] in photos.names else by_number.get(row["photo"].lstrip("0"), "")
                if not label or not photo:
                    continue
                boxes.setdefault(photo, []).append(_box(row, label, f"{table}, line {number}"))
                if row.get("width") and row.get("height"):
                    sizes[photo] = (int(row["width"]), int(row["height"]))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogueError(f"{table} cannot be read: {error}. Action: name a .csv or .csv.gz file.") from error
    if not boxes:
        raise CatalogueError(f"{table} holds no box of a photo that is there. Action: check photo names and labels.")
    found = {box.label for of_photo in boxes.values() for box in of_photo}
    order = tuple(labels) or tuple(sorted(found))
    if unknown := sorted(found - set(order)):
        raise CatalogueError(f"{table} holds the classes {', '.join(unknown)} too. Action: train a detector for them.")
    return BoxTable({photo: tuple(boxes[photo]) for photo in sorted(boxes)}, sizes, order)


def _box(row: Mapping[str, str], label: str, where: str) -> Box:
    try:
        left, top, right, bottom = (float(row[name]) for name in ("x0", "y0", "x1", "y1"))
    except (TypeError, ValueError):
        raise CatalogueError(f"{where}: a corner is no number. Action: correct x0, y0, x1, y1.") from None
    if not (0 <= left < right < 1e6 and 0 <= top < bottom < 1e6):
        raise CatalogueError(f"{where}: ({left}, {top}, {right}, {bottom}) is no box. Action: correct x0, y0, x1, y1.")
    return Box(label, 1.0, left, top, right, bottom)


def is_held_out(photo: str) -> bool:
    """Return whether a photo is in the third that nothing is learnt from: its name's SHA-256, modulo 3, is 0.

    >>> [is_held_out(name) for name in ("0001", "0002", "0003", "0004", "0005")]
    [False, True, False, False, False]
    """
    return int.from_bytes(hashlib.sha256(photo.encode()).digest()[:8], "big") % 3 == 0


def overlaps(some: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (M, N) intersection / union of (M, 4) and (N, 4) boxes (left, top, right, bottom).

    >>> overlaps(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
    [[0.333, 0.0]]
    """
    low = np.maximum(some[:, None, :2], others[None, :, :2])
    high = np.minimum(some[:, None, 2:], others[None, :, 2:])
    common = (high - low).clip(min=0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (some, others)]
    union = areas[0][:, None] + areas[1][None, :] - common
    shares: npt.NDArray[np.float64] = common / np.maximum(union, 1e-9)
    return shares
