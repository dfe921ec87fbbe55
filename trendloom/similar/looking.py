"""What a search asks of whoever looks at photos: an embedding like the catalogue's own, and how likely each label is.

Both are opened when the first photo comes, because torch takes seconds to load; searching by an item never needs them.
Read next: :mod:`trendloom.similar.search`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image
from safetensors import SafetensorError

from trendloom.catalogue.embedding import Embedder, open_backbone
from trendloom.catalogue.projection import Projection
from trendloom.catalogue.tensors import map_tensors
from trendloom.errors import CatalogueError

__all__ = [
    "Embeds",
    "Labels",
    "OnceOpened",
    "ProjectedLook",
    "isolation_for_queries",
    "open_projected_look",
    "open_query_look",
]

_Opened = TypeVar("_Opened")


class Embeds(Protocol):
    """Embeds photos exactly as the catalogue's own rows were made."""

    def embed(self, photos: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        """Return (B, D) unit rows for B upright RGB photos."""


class Labels(Protocol):
    """Says what garments are: calibrated probabilities over named labels."""

    @property
    def labels(self) -> Sequence[str]:
        """The C labels."""

    def probabilities(self, photos: Sequence[Image.Image]) -> npt.NDArray[np.floating]:
        """Return (B, C) probabilities for B upright RGB photos."""


class OnceOpened(Generic[_Opened]):
    """Something that is opened at its first use, once, whichever thread comes first."""

    def __init__(self, open_it: Callable[[], _Opened]) -> None:
        self._open_it = open_it
        self._lock = Lock()
        self._opened: _Opened | None = None

    def get(self) -> _Opened:
        """Return it; what opening raises is raised, and the next call tries again."""
        with self._lock:
            if self._opened is None:
                self._opened = self._open_it()
            return self._opened


class ProjectedLook:
    """Backbone features through the catalogue's projection."""

    def __init__(self, embedder: Embedder, projection: Projection) -> None:
        self._embedder = embedder
        self._projection = projection

    def embed(self, photos: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        """Return (B, D) unit rows for B upright RGB photos."""
        features = self._embedder.embed(np.stack([self._embedder.prepare(photo) for photo in photos]))
        return self._projection.apply(features).astype(np.float32)


def open_query_look(directory: Path, manifest: Mapping[str, object]) -> Embeds:
    """Return how a catalogue looks at photos to search with; raises as :func:`open_projected_look`.

    Where this Trendloom holds :mod:`trendloom.catalogue.look`, that decides: it knows every kind of projection.
    """
    if find_spec("trendloom.catalogue.look") is None:
        return open_projected_look(directory, manifest)
    kind = isolation_for_queries(manifest)
    isolator = None if kind == "none" else import_module("trendloom.catalogue.isolation").open_isolator(kind)
    look: Embeds = import_module("trendloom.catalogue.look").open_look(directory, isolator=isolator)
    return look


def isolation_for_queries(manifest: Mapping[str, object]) -> str:
    """Return the kind of isolation for photos to search with: the catalogue's, or one that needs no masks beside them.

    >>> isolation_for_queries({}), isolation_for_queries({"isolation": {"kind": "saliency"}})
    ('none', 'saliency')
    >>> isolation_for_queries({"isolation": {"kind": "colour-mask"}})
    'near-white'
    """
    told = manifest.get("isolation")
    kind = str(told.get("kind", "none")) if isinstance(told, Mapping) else "none"
    return "near-white" if kind in {"colour-mask", "label-map"} else kind


def open_projected_look(directory: Path, manifest: Mapping[str, object]) -> ProjectedLook:
    """Return how a catalogue looks at photos, from its manifest and its ``projection.safetensors``.

    Raises :class:`CatalogueError` where the catalogue does not hold it or other weights lie here than it was made
    with, and :class:`~trendloom.errors.MissingExtra` without torch.
    """
    told = manifest.get("backbone")
    name = told.get("name") if isinstance(told, dict) else None
    path = directory / "projection.safetensors"
    again = "Action: build the catalogue again from its photos with `trendloom catalogue build --photos`."
    if not isinstance(name, str) or not path.is_file():
        raise CatalogueError(f"{directory} does not say how a new photo becomes an embedding. {again}")
    try:
        tensors = map_tensors(path)
        projection = Projection(tensors["mean"], tensors["components"])
    except (KeyError, OSError, SafetensorError) as error:
        raise CatalogueError(f"{path} cannot be read ({error}). {again}") from error
    embedder = open_backbone(name)
    here = embedder.describe()["weights_sha256"]
    if isinstance(told, dict) and told.get("weights_sha256") not in {None, here}:
        raise CatalogueError(f"{directory} was made with other weights of {name} than lie here. {again}")
    return ProjectedLook(embedder, projection)
