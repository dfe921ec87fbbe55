"""What the build asks of a backbone, and the adapter that gives it one of :mod:`models.backbones`.

torch is imported here only when a backbone is opened, never by whoever loads a catalogue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from trendloom.errors import CatalogueError, MissingExtra

if TYPE_CHECKING:
    from models.backbones import LoadedBackbone

__all__ = ["BackboneEmbedder", "Embedder", "open_backbone"]


class Embedder(Protocol):
    """Turns photos into features; tests use a small seeded one without torch."""

    @property
    def dim(self) -> int:
        """F, the length of a feature vector."""

    def describe(self) -> dict[str, str | int]:
        """Return name, weights, transform and versions, for the manifest."""

    def prepare(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        """Return the pixels that the network will see, always of the same shape; called from several threads."""

    def embed(self, prepared: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return (B, F) features for B stacked results of :meth:`prepare`; called from several threads."""


class BackboneEmbedder:
    """An :class:`Embedder` over a backbone that has been loaded."""

    def __init__(self, backbone: LoadedBackbone) -> None:
        self._backbone = backbone

    @property
    def dim(self) -> int:
        """F, the length of a feature vector."""
        return self._backbone.spec.dim

    def describe(self) -> dict[str, str | int]:
        """Return name, weights, transform and versions, for the manifest."""
        return self._backbone.describe()

    def prepare(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        """Return (side, side, 3) pixels."""
        return self._backbone.spec.transform.pixels(photo)

    def embed(self, prepared: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return (B, F) features."""
        return self._backbone.features(prepared)


def open_backbone(name: str = "efficientnet_lite0", *, weights: str = "") -> BackboneEmbedder:
    """Return an embedder over a registered backbone; ``weights`` names a file where the backbone's own is absent.

    Raises :class:`MissingExtra` when torch or the backbone's package is not installed, and :class:`CatalogueError`
    for an unknown name or weights that cannot be used.
    """
    from models.backbones import BACKBONES, WeightsError, load_backbone

    if name not in BACKBONES:
        raise CatalogueError(f"There is no backbone {name!r}. Action: name one of {', '.join(sorted(BACKBONES))}.")
    try:
        return BackboneEmbedder(load_backbone(name, weights=weights))
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"The backbone {name} needs the package {error.name}, which is not installed. "
            "Action: pip install 'trendloom[vision]'."
        ) from error
    except WeightsError as error:
        raise CatalogueError(str(error)) from error
