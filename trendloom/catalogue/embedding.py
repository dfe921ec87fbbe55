"""What the build asks of a backbone, and the adapters that give it some of :mod:`models.backbones` and the colours.

torch is imported here only when a backbone is opened, never by whoever loads a catalogue. Read next:
:mod:`trendloom.catalogue.facets`, which turns features into an embedding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from PIL import Image

from trendloom.catalogue.facets import COLOURS
from trendloom.catalogue.photo_colour import HISTOGRAM_BINS, colour_histogram
from trendloom.errors import CatalogueError, MissingExtra

if TYPE_CHECKING:
    from models.backbones import LoadedBackbone

__all__ = ["FLIPS", "BackboneEmbedder", "Embedder", "GarmentEmbedder", "Parts", "open_backbone", "parts_of"]

#: What features consist of, in order: the name and the length of each part.
Parts = tuple[tuple[str, int], ...]
#: Word in a backbone's name: what the mirrored photo shows counts as well, at twice the cost.
FLIPS = "flips"


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

    @property
    def parts(self) -> Parts:
        """The layers that the features come from."""
        return self._backbone.spec.parts

    def describe(self) -> dict[str, str | int]:
        """Return name, weights, transform and versions, for the manifest."""
        return self._backbone.describe()

    def prepare(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        """Return (side, side, 3) pixels."""
        return self._backbone.spec.transform.pixels(photo)

    def embed(self, prepared: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return (B, F) features."""
        return self._backbone.features(prepared)


class GarmentEmbedder:
    """An :class:`Embedder` of several parts: features of one or more backbones, and the garment's colours.

    What a photo is prepared to is one row of bytes: the pixels for each backbone, then the colour histogram.
    """

    def __init__(self, backbones: Sequence[Embedder], *, colours: bool, flips: bool) -> None:
        self._backbones = tuple(backbones)
        self._colours = colours
        self._flips = flips
        blank = Image.new("RGB", (64, 64))
        self._shapes = tuple(backbone.prepare(blank).shape for backbone in self._backbones)

    @property
    def parts(self) -> Parts:
        """The parts of each backbone, under its name where there are several, and the colours."""
        told = [(str(backbone.describe()["name"]), parts_of(backbone)) for backbone in self._backbones]
        named = [(f"{name} {part}" if len(told) > 1 else part, size) for name, parts in told for part, size in parts]
        return (*named, *([(COLOURS, HISTOGRAM_BINS)] if self._colours else []))

    @property
    def dim(self) -> int:
        """F, the length of a feature vector."""
        return sum(length for _, length in self.parts)

    def describe(self) -> dict[str, str | int]:
        """Return what the backbones tell, joined; the name opens the same again."""
        told = [backbone.describe() for backbone in self._backbones]
        joined: dict[str, str | int] = {
            key: "; ".join(dict.fromkeys(str(one[key]) for one in told if key in one))
            for key in dict.fromkeys(key for one in told for key in one)
        }
        words = [str(one["name"]) for one in told] + [FLIPS] * self._flips + [COLOURS] * self._colours
        joined |= {"name": "+".join(words), "dim": self.dim}
        digests = [str(one["weights_sha256"]) for one in told if "weights_sha256" in one]
        if len(digests) > 1:
            joined["weights_sha256"] = hashlib.sha256("".join(digests).encode()).hexdigest()
        return joined

    def prepare(self, photo: Image.Image, mask: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.uint8]:
        """Return a row of bytes; ``mask`` (h, w) says which pixels are the garment, if that is known."""
        rows = [backbone.prepare(photo).reshape(-1) for backbone in self._backbones]
        if self._colours:
            rows.append(colour_histogram(photo, mask).view(np.uint8))
        return np.concatenate(rows)

    def embed(self, prepared: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return (B, F) features."""
        begin, found = 0, []
        for backbone, shape in zip(self._backbones, self._shapes, strict=True):
            end = begin + int(np.prod(shape))
            pixels = prepared[:, begin:end].reshape(len(prepared), *shape)
            seen = backbone.embed(pixels)
            found.append((seen + backbone.embed(pixels[:, :, ::-1])) / 2 if self._flips else seen)
            begin = end
        if self._colours:
            found.append(np.ascontiguousarray(prepared[:, begin:]).view(np.float32))
        return np.concatenate(found, axis=1)


@runtime_checkable
class _InParts(Protocol):
    @property
    def parts(self) -> Parts:
        """What the features consist of."""


def parts_of(embedder: Embedder) -> Parts:
    """Return the parts that an embedder's features consist of; one, where it tells none."""
    return embedder.parts if isinstance(embedder, _InParts) else (("features", embedder.dim),)


def open_backbone(name: str = "efficientnet_lite0", *, weights: str = "") -> Embedder:
    """Return an embedder over a registered backbone; ``weights`` names a file where the backbone's own is absent.

    Names joined by ``+`` give an embedder of several parts, for instance ``efficientnet_lite0_taps+colours``:
    backbones, ``colours`` for the histogram of the garment's colours, ``flips`` for the mirrored photo as well.
    Raises :class:`MissingExtra` when torch or the backbone's package is not installed, and :class:`CatalogueError`
    for an unknown name or weights that cannot be used.
    """
    words = name.split("+")
    nets = [word for word in words if word not in {COLOURS, FLIPS}]
    if len(words) == 1:
        return _open_one(name, weights)
    if len(set(words)) < len(words) or not nets or (weights and len(nets) > 1):
        raise CatalogueError(
            f"{name!r} cannot be opened{' with one file of weights' if weights else ''}. "
            f"Action: join different backbones, {COLOURS} and {FLIPS} by +, and name weights only for one backbone."
        )
    opened = [_open_one(word, weights) for word in nets]
    return GarmentEmbedder(opened, colours=COLOURS in words, flips=FLIPS in words)


def _open_one(name: str, weights: str) -> BackboneEmbedder:
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
