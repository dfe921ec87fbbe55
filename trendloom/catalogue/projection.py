"""Shortens backbone features: principal components, mildly whitened, unit length, float16.

The projection is kept with the catalogue, so that a photo taken later can be compared with its garments.
Never chooses the number of components by itself: that is a setting, justified by ``docs/catalogue.md``. Read next:
:mod:`trendloom.catalogue.facets`, which weighs several projections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.neighbours import find_extremes

__all__ = ["PhotoProjection", "Projection", "fit_projection", "type_at_5"]


class PhotoProjection(Protocol):
    """How features of photos become a catalogue's embeddings; it travels in the catalogue."""

    def apply(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
        """Return (P, D) unit rows for (P, F) features."""

    def tensors(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """Return the content of ``projection.safetensors``."""


@dataclass(frozen=True)
class Projection:
    """``mean`` (F,) and ``components`` (F, D): features of a photo -> its embedding."""

    mean: npt.NDArray[np.float32]
    components: npt.NDArray[np.float32]

    def apply(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
        """Return (P, D) unit rows for (P, F) features."""
        short = (_unit(features) - self.mean) @ self.components
        return _unit(short.astype(np.float32)).astype(np.float16)

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the content of ``projection.safetensors``."""
        return {"mean": self.mean, "components": self.components}


def fit_projection(features: npt.NDArray[np.float32], *, dims: int, whitening: float) -> Projection:
    """Return the projection of (P, F) features onto their first D = min(dims, P - 1, F) principal components.

    Component i is divided by its standard deviation to the power ``whitening``: 0 is plain PCA, 1 is full whitening.
    The sign of each component is chosen so that its largest entry is positive: the same photos, the same embeddings.

    >>> features = np.random.default_rng(0).normal(size=(30, 12)).astype(np.float32)
    >>> fit_projection(features, dims=4, whitening=0.5).apply(features).shape
    (30, 4)
    """
    unit = _unit(features)
    mean = unit.mean(axis=0, dtype=np.float64)
    centred = unit - mean
    values, vectors = np.linalg.eigh(centred.T @ centred / max(len(unit), 1))
    keep = max(1, min(dims, len(features) - 1, features.shape[1]))
    variances, kept = values[::-1][:keep], vectors[:, ::-1][:, :keep]
    largest = kept[np.abs(kept).argmax(axis=0), np.arange(keep)]
    deviations = np.sqrt(np.maximum(variances, max(float(variances[0]), 1e-30) * 1e-9))
    scaled = kept * np.where(largest < 0, -1.0, 1.0) / deviations**whitening
    return Projection(mean.astype(np.float32), scaled.astype(np.float32))


def type_at_5(
    vectors: npt.NDArray[np.float16] | npt.NDArray[np.float32],
    labels: npt.NDArray[np.integer],
    products: npt.NDArray[np.integer] | None = None,
) -> float:
    """Return the share, in [0, 1], of the 5 nearest rows that have the row's own label.

    With ``products``, rows of the same product (>= 0) are passed over: another colour of the same garment is easy.

    >>> vectors = np.repeat(np.eye(2, dtype=np.float32), 6, axis=0)
    >>> type_at_5(vectors, np.repeat([3, 4], 6))
    1.0
    """
    found = find_extremes(vectors, nearest=5 if products is None else 40, farthest=0).nearest
    usable = found >= 0
    if products is not None:
        usable &= (products[found] != products[:, None]) | (products[:, None] < 0)
    usable &= np.cumsum(usable, axis=1) <= 5
    agree = (labels[found] == labels[:, None]) & usable
    return float(agree.sum() / max(int(usable.sum()), 1))


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)
    lengths[lengths == 0] = 1.0
    unit: npt.NDArray[np.float32] = rows / lengths
    return unit
