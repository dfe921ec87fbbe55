"""Finds the garments in a photo and cuts them out, so that each can be searched for.

Read next: :mod:`trendloom.detector.training` for how a detector comes to be, ``docs/detector.md`` for how good it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from trendloom.detector.boxes import Box
from trendloom.detector.head_file import SHIPPED, read_head, shipped_head_path
from trendloom.errors import CatalogueError

if TYPE_CHECKING:
    from models.detector import DetectorNetwork

__all__ = ["LEAST_SCORE", "Crop", "Detector", "crops_of", "load_detector"]

#: Boxes with a lower score are not shown to people; measures use all. On 120 photos that the shipped head learnt from
#: it leaves two of three boxes right and four of five garments found; .5 leaves four of five right, and finds fewer.
LEAST_SCORE = 0.45
_MOST_BOXES = 50
#: Crops get so much of the box's longer side around them; a backbone likes to see the outline.
_MARGIN = 0.04
_LEAST_CROP_PX = 16


class Detector:
    """A trained detector; may be used from several threads at once."""

    def __init__(self, network: DetectorNetwork, told: Mapping[str, Any]) -> None:
        self._network = network
        self._told = told
        self.labels: tuple[str, ...] = tuple(told["labels"])

    def describe(self) -> dict[str, Any]:
        """Return format, classes, shape, backbone and what it was trained on."""
        return dict(self._told)

    def detect(self, photo: Image.Image, *, least_score: float = LEAST_SCORE, most: int = _MOST_BOXES) -> list[Box]:
        """Return the garments of an RGB photo, best first, in its pixels; two classes may claim one garment."""
        import torch

        from models.detector import fit_photo

        pixels, scale = fit_photo(photo, self._network.shape.long_side_px)
        size = (round(photo.height * scale), round(photo.width * scale))
        with torch.inference_mode():
            stem = self._network.stem(pixels[None])
            found = self._network.boxes(stem, self._network.tail(stem), [size], least_score=least_score, most=most)
        corners, scores, labels = found[0]
        return [
            Box(self.labels[int(label)], float(score), *(corner / scale).tolist())
            for corner, score, label in zip(corners, scores, labels, strict=True)
        ]


@dataclass(frozen=True)
class Crop:
    """A garment cut out of a photo, to be embedded and searched for."""

    box: Box
    photo: Image.Image


def load_detector(name: str = "ccp", *, device: str = "cpu") -> Detector:
    """Return the detector that ships (``ccp``) or the one in a file.

    Raises :class:`CatalogueError` for a file that cannot be used, and :class:`~trendloom.errors.MissingExtra` without
    torch.
    """
    path = shipped_head_path(name)
    if not Path(path).is_file():
        raise CatalogueError(
            f"There is no detector at {path}. "
            f"Action: name {', '.join(SHIPPED)} or a file of `trendloom detector train`."
        )
    network, told = read_head(path, device=device)
    return Detector(network, told)


def crops_of(photo: Image.Image, detector: Detector, *, least_score: float = LEAST_SCORE, most: int = 10) -> list[Crop]:
    """Return the garments that ``detector`` finds, each cut out of the photo with a little around it, best first.

    Of boxes that cover the same garment under several classes only the best is taken.
    """
    import numpy as np

    from trendloom.detector.boxes import overlaps

    chosen: list[Box] = []
    for box in detector.detect(photo, least_score=least_score):
        corners = np.array([[box.left, box.top, box.right, box.bottom]], np.float64)
        others = np.array([[one.left, one.top, one.right, one.bottom] for one in chosen], np.float64).reshape(-1, 4)
        if len(chosen) < most and not (overlaps(corners, others) > 0.6).any():
            chosen.append(box)
    crops = []
    for box in chosen:
        frame = _MARGIN * max(box.right - box.left, box.bottom - box.top)
        left, top = max(0, round(box.left - frame)), max(0, round(box.top - frame))
        right, bottom = min(photo.width, round(box.right + frame)), min(photo.height, round(box.bottom + frame))
        if min(right - left, bottom - top) >= _LEAST_CROP_PX:
            crops.append(Crop(box, photo.crop((left, top, right, bottom))))
    return crops
