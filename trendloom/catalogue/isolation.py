"""Cuts the garment out of a photo: one interface, five ways, and what the manifest says of each.

An isolated photo is cropped to the garment and white around it. Nothing here reads masks or runs networks. Read next:
:mod:`trendloom.catalogue.garment_masks` (masks that lie beside the photos) and
:mod:`trendloom.catalogue.background` (photos without masks).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from trendloom.catalogue.photos import PhotoSource, UnusablePhoto
from trendloom.errors import CatalogueError

__all__ = ["ISOLATIONS", "Isolated", "Isolator", "WholePhoto", "crop_to_mask", "open_isolator"]

#: The kinds that :func:`open_isolator` knows, each with what it does.
ISOLATIONS = {
    "none": "the photo as it is",
    "near-white": "what is not connected to the border by near-white pixels",
    "saliency": "what a small saliency network sees as the subject; needs the extra `saliency`",
    "colour-mask": "a picture <name>_segm.png beside the photo, whose exact colours name what is no garment",
    "label-map": "a picture of the photo's name whose pixel values are labels",
}
#: The frame left around a garment, as a share of the longer side of its box.
_MARGIN = 0.02
#: A garment of fewer pixels is none: a backbone would see nothing in it.
_LEAST_PIXELS = 64


@dataclass(frozen=True)
class Isolated:
    """A garment cut out of its photo."""

    #: RGB; cropped to the garment, white where the mask says no.
    photo: Image.Image
    #: (h, w) of that crop; True = garment.
    mask: npt.NDArray[np.bool_]
    #: What decided: a kind of :data:`ISOLATIONS`, or ``whole photo`` where nothing could be told apart.
    how: str


class Isolator(Protocol):
    """Finds the garment in a photo; may be called from several threads at once."""

    def describe(self) -> dict[str, str | int | float]:
        """Return kind and settings, for the manifest: two that say the same cut the same."""

    def isolate(self, photo: Image.Image, name: str) -> Isolated:
        """Return the garment of an RGB photo; ``name`` finds its mask where there are masks.

        Raises :class:`~trendloom.catalogue.photos.UnusablePhoto` with the reason when the mask is missing, cannot be
        read, or shows no garment.
        """


class WholePhoto:
    """An :class:`Isolator` that leaves photos as they are."""

    def describe(self) -> dict[str, str | int | float]:
        """Return the kind."""
        return {"kind": "none"}

    def isolate(self, photo: Image.Image, name: str) -> Isolated:
        """Return the photo, every pixel of it garment."""
        return Isolated(photo, np.ones((photo.height, photo.width), np.bool_), "none")


def crop_to_mask(photo: Image.Image, mask: npt.NDArray[np.bool_], how: str, *, margin: float = _MARGIN) -> Isolated:
    """Return ``photo`` cropped to the pixels of ``mask`` (h, w), with a margin, and white around them.

    The margin is a share of the longer side of the mask's box, cut at the photo's border. Raises
    :class:`~trendloom.catalogue.photos.UnusablePhoto` when fewer than 64 pixels are garment.

    >>> mask = np.zeros((100, 80), np.bool_)
    >>> mask[20:70, 30:50] = True  # 50 high, 20 wide: a margin of 1
    >>> found = crop_to_mask(Image.new("RGB", (80, 100)), mask, "by hand")
    >>> found.photo.size, int(found.mask.sum()), found.photo.getpixel((0, 0)), found.photo.getpixel((1, 1))
    ((22, 52), 1000, (255, 255, 255), (0, 0, 0))
    """
    if mask.shape != (photo.height, photo.width):
        raise ValueError(f"a mask of {mask.shape} for a photo of {(photo.height, photo.width)}")
    pixels = int(mask.sum())
    if pixels < _LEAST_PIXELS:
        raise UnusablePhoto(f"its mask shows no garment: {pixels} pixels, at least {_LEAST_PIXELS}")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    frame = round(margin * max(bottom - top, right - left))
    top, left = max(0, top - frame), max(0, left - frame)
    bottom, right = min(photo.height, bottom + frame), min(photo.width, right + frame)
    kept = mask[top:bottom, left:right].copy()
    cut = np.array(photo.crop((left, top, right, bottom)).convert("RGB"), np.uint8)
    cut[~kept] = 255
    return Isolated(Image.fromarray(cut), kept, how)


def open_isolator(
    kind: str,
    masks: PhotoSource | None = None,
    *,
    tolerance: int | None = None,
    suffix: str | None = None,
    labels: Collection[int] | None = None,
    weights: str = "",
) -> Isolator:
    """Return the isolator of a kind of :data:`ISOLATIONS`.

    ``masks`` is where masks lie (colour-mask, label-map); ``tolerance`` how far a channel (0-255) may be from the exact
    colour (colour-mask, near-white); ``suffix`` what a mask's name adds to its photo's; ``labels`` which values of a
    label map are garments (default: those of Clothing Co-Parsing); ``weights`` the saliency network's file where no
    package brings it. Raises :class:`CatalogueError` for an unknown kind or missing masks, and
    :class:`~trendloom.errors.MissingExtra` when the saliency network is not installed.
    """
    from trendloom.catalogue import background, garment_masks

    if kind not in ISOLATIONS:
        raise CatalogueError(
            f"There is no way {kind!r} of isolating garments. Action: name one of {', '.join(ISOLATIONS)}."
        )
    if kind == "none":
        return WholePhoto()
    if kind == "near-white":
        return background.NearWhite(background.NEAR_WHITE_TOLERANCE if tolerance is None else tolerance)
    if kind == "saliency":
        return background.open_saliency(weights)
    if masks is None:
        raise CatalogueError(f"The way {kind} needs masks. Action: name their folder or zip file with --masks.")
    if kind == "colour-mask":
        return garment_masks.ColourMask(
            masks,
            tolerance=garment_masks.COLOUR_TOLERANCE if tolerance is None else tolerance,
            suffix=garment_masks.COLOUR_MASK_SUFFIX if suffix is None else suffix,
        )
    garments = garment_masks.CCP_GARMENTS if labels is None else frozenset(labels)
    return garment_masks.LabelMap(masks, garments, suffix=suffix or "")
