"""Photos without masks: what a near-white background leaves over, and what a small saliency network sees.

Where nothing can be told apart, the photo stays whole and says so. onnxruntime is imported only when the network is
opened. Read next: :mod:`trendloom.catalogue.isolation`, and ``docs/decisions/0012-saliency-as-an-extra.md``.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from trendloom.catalogue.isolation import Isolated, crop_to_mask
from trendloom.errors import CatalogueError, MissingExtra

__all__ = ["NEAR_WHITE_TOLERANCE", "NearWhite", "Salient", "SubjectFinder", "near_white_background", "open_saliency"]

#: How far a background pixel's darkest channel may be from 255; JPEG and soft shadows stay within it.
NEAR_WHITE_TOLERANCE = 24
#: Less of a photo than this is no garment but specks or a garment as white as its background.
_LEAST_SHARE = 0.01
#: A saliency of at least this is the subject.
_SALIENT = 0.5


def near_white_background(pixels: npt.NDArray[np.uint8], tolerance: int) -> npt.NDArray[np.bool_]:
    """Return (h, w) True where near-white pixels of (h, w, 3) are connected with the border, sideways or up and down.

    Near-white: no channel below 255 - ``tolerance``. White inside a garment stays garment, because only what hangs
    together with the border counts.

    >>> photo = np.full((5, 5, 3), 255, np.uint8)
    >>> photo[1:4, 1:4] = 40
    >>> photo[2, 2] = 255  # a white button
    >>> near_white_background(photo, 24).astype(int).tolist()[2]
    [1, 0, 0, 0, 1]
    """
    light: npt.NDArray[np.bool_] = pixels.min(axis=2) >= 255 - tolerance
    reached = np.zeros_like(light)
    reached[[0, -1]], reached[:, [0, -1]] = light[[0, -1]], light[:, [0, -1]]
    while True:
        known = int(reached.sum())
        # runs of light pixels are filled from any pixel of theirs, along rows, then along columns, both ways
        for lights, seen in ((light, reached), (light.T, reached.T)):
            _spread(lights, seen)
            _spread(lights[:, ::-1], seen[:, ::-1])
        if int(reached.sum()) == known:
            return reached


def _spread(light: npt.NDArray[np.bool_], reached: npt.NDArray[np.bool_]) -> None:
    """Let what is reached flow to the right through light pixels, in place."""
    places = np.arange(light.shape[1], dtype=np.int32)
    last_dark = np.maximum.accumulate(np.where(light, np.int32(-1), places), axis=1)
    last_reached = np.maximum.accumulate(np.where(reached, places, np.int32(-1)), axis=1)
    reached |= last_reached > last_dark


class NearWhite:
    """An :class:`~trendloom.catalogue.isolation.Isolator` for product photos on a near-white background."""

    def __init__(self, tolerance: int = NEAR_WHITE_TOLERANCE) -> None:
        if not 0 <= tolerance <= 128:
            raise CatalogueError(f"A tolerance of {tolerance} is not near white. Action: name one of 0 to 128.")
        self._tolerance = tolerance

    def describe(self) -> dict[str, str | int | float]:
        """Return kind and tolerance."""
        return {"kind": "near-white", "tolerance": self._tolerance, "around": "white"}

    def isolate(self, photo: Image.Image, name: str) -> Isolated:
        """Return what is no background; a photo without such a background, or white all over, stays whole."""
        garment = ~near_white_background(np.asarray(photo.convert("RGB"), np.uint8), self._tolerance)
        if garment.mean() < _LEAST_SHARE:
            return _whole(photo)
        return crop_to_mask(photo, garment, "near-white")


class SubjectFinder(Protocol):
    """A network that tells a photo's subject; tests use one that draws it."""

    def describe(self) -> dict[str, str]:
        """Return what it is, for the manifest."""

    def saliency(self, photo: Image.Image) -> npt.NDArray[np.float32]:
        """Return (h, w) values in [0, 1]: how much each pixel belongs to the subject."""


class Salient:
    """An :class:`~trendloom.catalogue.isolation.Isolator` over a saliency network: people and products, any ground."""

    def __init__(self, network: SubjectFinder) -> None:
        self._network = network

    def describe(self) -> dict[str, str | int | float]:
        """Return kind, network, hash of its weights and threshold."""
        return {"kind": "saliency", **self._network.describe(), "threshold": _SALIENT, "around": "white"}

    def isolate(self, photo: Image.Image, name: str) -> Isolated:
        """Return the subject of the photo; one without a subject stays whole."""
        mask = self._network.saliency(photo) >= _SALIENT
        if mask.mean() < _LEAST_SHARE:
            return _whole(photo)
        return crop_to_mask(photo, mask, "saliency")


def _whole(photo: Image.Image) -> Isolated:
    return Isolated(photo, np.ones((photo.height, photo.width), np.bool_), "whole photo")


def open_saliency(weights: str = "") -> Salient:
    """Return an isolator over U²-Net's small network, from the file ``weights`` or the package that brings it.

    Raises :class:`MissingExtra` when onnxruntime or the network is not installed, and :class:`CatalogueError` for a
    file that cannot be used.
    """
    from models.saliency import NetworkFileError, load_saliency

    try:
        return Salient(load_saliency(weights))
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"Saliency needs {error.name}, which is not installed. "
            "Action: pip install 'trendloom[saliency]', or isolate with near-white."
        ) from error
    except NetworkFileError as error:
        raise CatalogueError(str(error)) from error
