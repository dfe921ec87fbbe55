"""The views of a photo that a detector learns from: as it is, mirrored, and windows cut out of it at random.

Frozen features of every view are computed once and kept, so an epoch costs only what learns. Read next:
:mod:`trendloom.detector.training`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageOps

from trendloom.detector.boxes import Box

__all__ = ["View", "crop_view", "make_view", "mirror_view"]

#: A window's sides are at least this share of the photo's; a box of which less is seen is not asked for.
_LEAST_SIDE, _LEAST_SEEN = 0.65, 0.5


@dataclass(frozen=True)
class View:
    """A picture and the boxes in it, in its pixels."""

    picture: Image.Image
    boxes: tuple[Box, ...]


def mirror_view(view: View) -> View:
    """Return the view with left and right exchanged.

    >>> mirror_view(View(Image.new("RGB", (100, 50)), (Box("bag", 1, 10, 5, 30, 25),))).boxes[0].left
    70
    """
    width = view.picture.width
    boxes = tuple(replace(box, left=width - box.right, right=width - box.left) for box in view.boxes)
    return View(ImageOps.mirror(view.picture), boxes)


def crop_view(view: View, window: tuple[int, int, int, int]) -> View:
    """Return what a window (left, top, right, bottom) shows; boxes are cut at it, and left out if half is not seen."""
    left, top, right, bottom = window
    boxes = []
    for box in view.boxes:
        cut = replace(
            box,
            left=min(max(box.left - left, 0), right - left),
            top=min(max(box.top - top, 0), bottom - top),
            right=min(max(box.right - left, 0), right - left),
            bottom=min(max(box.bottom - top, 0), bottom - top),
        )
        seen = (cut.right - cut.left) * (cut.bottom - cut.top)
        if seen >= _LEAST_SEEN * (box.right - box.left) * (box.bottom - box.top):
            boxes.append(cut)
    return View(view.picture.crop(window), tuple(boxes))


def make_view(picture: Image.Image, boxes: Sequence[Box], number: int, rng: np.random.Generator) -> View:
    """Return view ``number`` of a photo: 0 as it is, 1 mirrored, then windows from ``rng``, every other mirrored."""
    view = View(picture, tuple(boxes))
    if number >= 2:
        width, height = (round(side * rng.uniform(_LEAST_SIDE, 1.0)) for side in picture.size)
        left, top = int(rng.integers(0, picture.width - width + 1)), int(rng.integers(0, picture.height - height + 1))
        view = crop_view(view, (left, top, left + width, top + height))
    return mirror_view(view) if number % 2 else view
