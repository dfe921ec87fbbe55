"""How a catalogue looks at photos: isolation, features, projection, in the way that its own rows were made.

A photo that is shown later is compared with the catalogue's garments through this, and nothing else. Never searches.
Read next: :mod:`trendloom.catalogue.embedding` and :mod:`trendloom.catalogue.facets`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image
from safetensors import SafetensorError

from trendloom.catalogue.embedding import Embedder, open_backbone
from trendloom.catalogue.facets import read_projection
from trendloom.catalogue.projection import PhotoProjection
from trendloom.catalogue.tensors import map_tensors
from trendloom.errors import CatalogueError

__all__ = ["CutOut", "Cutter", "Look", "open_look"]

#: Photos that go through a network together: small enough that its layers stay in the cache.
_BATCH = 8
_AGAIN = "Action: build the catalogue again from its photos with `trendloom catalogue build --photos`."


class CutOut(Protocol):
    """A garment cut out of its photo."""

    @property
    def photo(self) -> Image.Image:
        """The garment, RGB, on white."""

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """(h, w), True where that picture shows the garment."""


class Cutter(Protocol):
    """Cuts garments out of photos, as :mod:`trendloom.catalogue.isolation` does."""

    def isolate(self, photo: Image.Image, name: str) -> CutOut:
        """Return the garment of an RGB photo."""


class Look:
    """Embeds photos exactly as the rows of a catalogue were made; may be used from several threads at once."""

    def __init__(self, embedder: Embedder, projection: PhotoProjection, isolator: Cutter | None = None) -> None:
        self._embedder = embedder
        self._projection = projection
        self._isolator = isolator

    def embed(self, photos: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        """Return (B, D) unit rows for B upright RGB photos.

        Raises :class:`~trendloom.catalogue.photos.UnusablePhoto` where no garment can be cut out of one.
        """
        features = [
            self._embedder.embed(np.stack([self._prepared(photo) for photo in photos[start : start + _BATCH]]))
            for start in range(0, len(photos), _BATCH)
        ]
        stacked = np.concatenate(features) if features else np.zeros((0, self._embedder.dim), np.float32)
        return self.project(stacked)

    def project(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return (B, D) unit rows for the (B, F) features of photos that were looked at already."""
        return self._projection.apply(features).astype(np.float32)

    def _prepared(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        if self._isolator is None:
            return self._embedder.prepare(photo)
        return self._embedder.prepare(self._isolator.isolate(photo, "").photo)


def open_look(directory: Path | str, *, weights: str = "", isolator: Cutter | None = None) -> Look:
    """Return how the catalogue in a directory looks at photos.

    ``weights`` names a file where the backbone's own is absent; ``isolator`` cuts garments out of the photos that will
    be shown, where the catalogue's were cut out. Raises :class:`CatalogueError` where the catalogue does not hold how
    its photos were looked at or other weights lie here, and :class:`~trendloom.errors.MissingExtra` without torch.
    """
    path = Path(directory)
    manifest = _manifest(path)
    told = manifest.get("backbone")
    name = told.get("name") if isinstance(told, dict) else None
    file = path / "projection.safetensors"
    if not isinstance(told, dict) or not isinstance(name, str) or not file.is_file():
        raise CatalogueError(f"{path} does not say how a new photo becomes an embedding. {_AGAIN}")
    try:
        projection = read_projection(map_tensors(file))
    except (KeyError, ValueError, OSError, SafetensorError) as error:
        raise CatalogueError(f"{file} cannot be read ({error}). {_AGAIN}") from error
    embedder = open_backbone(name, weights=weights)
    if told.get("weights_sha256") not in {None, embedder.describe().get("weights_sha256")}:
        raise CatalogueError(f"{path} was made with other weights of {name} than lie here. {_AGAIN}")
    return Look(embedder, projection, isolator)


def _manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CatalogueError(
            f"{path} is no catalogue: its manifest.json cannot be read ({error}). "
            "Action: name a directory that `trendloom catalogue build` made."
        ) from error
    if not isinstance(manifest, dict):
        raise CatalogueError(f"{path / 'manifest.json'} holds no catalogue's manifest. {_AGAIN}")
    return manifest
