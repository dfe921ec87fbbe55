"""An embedding made of facets (type, colour, look): each maps some features to a unit vector, each has a weight.

The dot product of two embeddings is then the weighted mean of the facets' cosines, so that weights say what "similar"
means. Plain numpy: it applies what :mod:`trendloom.catalogue.tuning` has learnt, and mixes facets where nothing was
learnt. Never trains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.projection import PhotoProjection, Projection, fit_projection
from trendloom.errors import CatalogueError

__all__ = ["COLOURS", "Facet", "FacetProjection", "mix_parts", "read_projection", "split_parts"]

#: Name of the part of the features that holds the colour histogram; the others come from networks.
COLOURS = "colours"
_MIX_COLOUR_DIMS = 64


@dataclass(frozen=True)
class Facet:
    """One facet: F' selected features -> D numbers, straight or through one hidden layer of rectified values."""

    name: str
    #: Share of the facet in a similarity; the weights of all facets add up to 1.
    weight: float
    #: Which parts of the features it looks at, by position.
    parts: tuple[int, ...]
    #: (F',) taken off first.
    mean: npt.NDArray[np.float32]
    #: [(F', D)] or [(F', H), (H, D)].
    layers: tuple[npt.NDArray[np.float32], ...]
    #: (H,) and (D,) added after a layer; as many as layers.
    biases: tuple[npt.NDArray[np.float32], ...]

    def apply(self, parts: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """Return (P, D) unit rows for the parts of the features of P photos."""
        values = np.concatenate([parts[at] for at in self.parts], axis=1) - self.mean
        for number, (layer, bias) in enumerate(zip(self.layers, self.biases, strict=True)):
            values = (np.maximum(values, 0.0) if number else values) @ layer + bias
        return _unit(values)


@dataclass(frozen=True)
class FacetProjection:
    """Features in parts -> embedding: z = [sqrt(w_1) z_1, sqrt(w_2) z_2, ...], |z_i| = 1, sum w_i = 1."""

    #: Lengths of the parts that features consist of, in order.
    lengths: tuple[int, ...]
    facets: tuple[Facet, ...]

    def apply(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
        """Return (P, D) unit rows for (P, F) features."""
        parts = split_parts(features, self.lengths)
        rows = [np.sqrt(np.float32(facet.weight)) * facet.apply(parts) for facet in self.facets if facet.weight > 0]
        return _unit(np.concatenate(rows, axis=1)).astype(np.float16)

    @property
    def learnt_from(self) -> tuple[str, ...]:
        """The labels that facets were learnt from; principal components learn from none."""
        return tuple(facet.name for facet in self.facets if len(facet.layers) > 1)

    def weighted(self, weights: Mapping[str, float]) -> FacetProjection:
        """Return the projection with other weights for its facets: nothing has to be learnt again.

        Raises :class:`CatalogueError` when the weights name other facets or add up to nothing.
        """
        names = {facet.name for facet in self.facets}
        total = sum(weights.values())
        if set(weights) != names or min(weights.values()) < 0 or total <= 0:
            raise CatalogueError(
                f"Weights for {', '.join(sorted(weights))} do not fit an embedding of {', '.join(sorted(names))}. "
                "Action: give each of these a weight of at least 0, and one of them more."
            )
        return replace(self, facets=tuple(replace(facet, weight=weights[facet.name] / total) for facet in self.facets))

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the content of ``projection.safetensors``; :func:`read_projection` is the way back."""
        found: dict[str, npt.NDArray[np.generic]] = {"lengths": np.array(self.lengths, np.int64)}
        for number, facet in enumerate(self.facets):
            start = f"facet.{number}.{facet.name}."
            found[start + "weight"] = np.array([facet.weight], np.float64)
            found[start + "parts"] = np.array(facet.parts, np.int64)
            found[start + "mean"] = facet.mean
            for at, (layer, bias) in enumerate(zip(facet.layers, facet.biases, strict=True)):
                found[f"{start}layer.{at}"], found[f"{start}bias.{at}"] = layer, bias
        return found


def read_projection(tensors: Mapping[str, npt.NDArray[np.generic]]) -> PhotoProjection:
    """Return the projection that a catalogue's ``projection.safetensors`` holds; raises KeyError when it holds none.

    >>> plain = fit_projection(np.eye(6, dtype=np.float32), dims=3, whitening=0.0)
    >>> type(read_projection(plain.tensors())).__name__
    'Projection'
    """
    if "lengths" not in tensors:
        return Projection(tensors["mean"].astype(np.float32), tensors["components"].astype(np.float32))
    starts = sorted({".".join(key.split(".")[:3]) for key in tensors if key.startswith("facet.")}, key=_number)
    facets = []
    for start in starts:
        depth = sum(key.startswith(f"{start}.layer.") for key in tensors)
        facets.append(
            Facet(
                name=start.split(".")[2],
                weight=float(tensors[f"{start}.weight"].astype(np.float64)[0]),
                parts=tuple(tensors[f"{start}.parts"].tolist()),
                mean=tensors[f"{start}.mean"].astype(np.float32),
                layers=tuple(tensors[f"{start}.layer.{at}"].astype(np.float32) for at in range(depth)),
                biases=tuple(tensors[f"{start}.bias.{at}"].astype(np.float32) for at in range(depth)),
            )
        )
    return FacetProjection(tuple(tensors["lengths"].tolist()), tuple(facets))


def mix_parts(
    features: npt.NDArray[np.float32],
    parts: Sequence[tuple[str, int]],
    *,
    dims: int,
    whitening: float,
    colour_weight: float,
) -> FacetProjection:
    """Return the plain weighted mix for photos without labels: principal components of networks and of colours.

    ``parts`` names the parts of the (P, F) features with their lengths; those that networks gave become the facet
    ``look``, shortened together, and the colour histogram the facet ``colour`` with the share ``colour_weight``.
    """
    lengths = tuple(length for _, length in parts)
    split = split_parts(features, lengths)
    deep = tuple(at for at, (name, _) in enumerate(parts) if name != COLOURS)
    colours = tuple(at for at, (name, _) in enumerate(parts) if name == COLOURS)
    weight = colour_weight if colours and deep else float(not deep)
    facets = []
    if deep:
        facets.append(components_facet("look", 1 - weight, deep, split, dims=dims, whitening=whitening))
    if colours:
        facets.append(components_facet("colour", weight, colours, split, dims=_MIX_COLOUR_DIMS, whitening=0.0))
    return FacetProjection(lengths, tuple(facets))


def components_facet(
    name: str,
    weight: float,
    parts: tuple[int, ...],
    split: Sequence[npt.NDArray[np.float32]],
    *,
    dims: int,
    whitening: float,
) -> Facet:
    """Return a facet of the first ``dims`` principal components of some parts, whitened as in ``fit_projection``."""
    found = fit_projection(np.concatenate([split[at] for at in parts], axis=1), dims=dims, whitening=whitening)
    # fit_projection has brought rows of n unit parts to length 1: they are sqrt(n) longer here
    mean = found.mean * np.float32(np.sqrt(len(parts)))
    return Facet(name, weight, parts, mean, (found.components,), (np.zeros(found.components.shape[1], np.float32),))


def split_parts(features: npt.NDArray[np.float32], lengths: Sequence[int]) -> list[npt.NDArray[np.float32]]:
    """Return the parts of (P, F) features, each row of each brought to length 1.

    >>> [part.tolist() for part in split_parts(np.array([[3.0, 4.0, 2.0]], np.float32), (2, 1))]
    [[[0.6..., 0.8...]], [[1.0]]]
    """
    if features.shape[1] != sum(lengths):
        raise CatalogueError(
            f"Features of length {features.shape[1]} do not fit a projection of {sum(lengths)}. "
            "Action: open the backbone that the catalogue was made with."
        )
    return [_unit(part) for part in np.split(features, np.cumsum(lengths)[:-1], axis=1)]


def _number(start: str) -> int:
    return int(start.split(".")[1])


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    unit: npt.NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit.astype(np.float32, copy=False)
