"""A trained head in plain numpy: features of a frozen backbone in, calibrated probabilities of classes out.

Never looks at a photo and never needs torch. Read next: :mod:`trendloom.classifier.checkpoint`, which keeps one in a
file, and :mod:`trendloom.classifier.predicting`, which asks it about photos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from trendloom.classifier.quality import softmax
from trendloom.errors import ClassifierError

__all__ = ["Classifier", "Prediction", "Standardisation", "fit_standardisation"]


@dataclass(frozen=True)
class Standardisation:
    """``mean`` (F,) and ``deviation`` (F,): features are seen as (x - mean) / deviation, cut off at ±``bound``."""

    mean: npt.NDArray[np.float32]
    deviation: npt.NDArray[np.float32]
    bound: float = 6.0

    def apply(self, features: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Return (B, F) standardised features: a picture unlike any other cannot drown the rest of its features."""
        seen = (np.asarray(features, np.float32) - self.mean) / self.deviation
        bounded: npt.NDArray[np.float32] = np.clip(seen, -self.bound, self.bound).astype(np.float32)
        return bounded


def fit_standardisation(features: npt.NDArray[np.float32]) -> Standardisation:
    """Return the standardisation of (N, F) features; one that never changes is left as it is.

    >>> fit_standardisation(np.array([[1.0, 5.0], [3.0, 5.0]], np.float32)).apply(np.array([[3.0, 5.0]])).tolist()
    [[1.0, 0.0]]
    """
    deviation = features.std(axis=0, dtype=np.float64)
    return Standardisation(
        features.mean(axis=0, dtype=np.float64).astype(np.float32),
        np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32),
    )


@dataclass(frozen=True)
class Prediction:
    """The most likely label of a photo, how likely it is, and the runners-up with theirs, best first."""

    label: str
    probability: float
    others: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Classifier:
    """A head with its labels, its temperature, and what it was trained with.

    >>> two = Classifier(
    ...     labels=("dress", "hat"),
    ...     standardisation=Standardisation(np.zeros(1, np.float32), np.ones(1, np.float32)),
    ...     layers=((np.array([[0.0, 1.0]], np.float32), np.zeros(2, np.float32)),),
    ... )
    >>> [round(float(one), 3) for one in two.probabilities(np.array([[np.log(4.0)]]))[0]]
    [0.2, 0.8]
    """

    #: C class names, in the order of the probabilities.
    labels: tuple[str, ...]
    standardisation: Standardisation
    #: Weights (in, out) and bias (out,) of each layer; ReLU between them.
    layers: tuple[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]], ...]
    temperature: float = 1.0
    #: Features are the mean over a photo and its mirror image.
    mirrored: bool = False
    #: What the backbone that made the features said of itself.
    backbone: Mapping[str, str | int] = field(default_factory=dict)
    #: Where the head comes from: data, terms, seed, recipe, quality, versions.
    provenance: Mapping[str, Any] = field(default_factory=dict)
    #: Digests of the photos that it was trained on (:class:`trendloom.classifier.seeing.SeenPhotos`), so that nobody
    #: judges it on them.
    trained_on: frozenset[str] = frozenset()

    @property
    def dim(self) -> int:
        """F, the length of the features that the head takes."""
        return len(self.standardisation.mean)

    def logits(self, features: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Return (B, C) values before softmax for (B, F) features.

        Raises :class:`ClassifierError` for features of another length or with values that are no numbers.
        """
        if features.ndim != 2 or features.shape[1] != self.dim:
            raise ClassifierError(
                f"The head takes rows of {self.dim} features, not an array of shape {features.shape}. "
                f"Action: embed the photos with {self.backbone.get('name', 'the backbone that it was trained on')}."
            )
        if not np.isfinite(features).all():
            raise ClassifierError("Some features are no finite numbers. Action: embed these photos again.")
        values = self.standardisation.apply(features)
        for number, (weights, bias) in enumerate(self.layers):
            values = values @ weights + bias  # (B, in) -> (B, out)
            if number < len(self.layers) - 1:
                values = np.maximum(values, 0.0)
        return values

    def probabilities(self, features: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Return (B, C) calibrated probabilities, rows sum to 1, for (B, F) features; raises as :meth:`logits`."""
        return softmax(self.logits(features), self.temperature).astype(np.float32)

    def predict(self, features: npt.NDArray[np.floating], *, runners_up: int = 2) -> list[Prediction]:
        """Return the prediction for each row of (B, F) features; of equal probabilities the first label wins."""
        return [self._told(row, runners_up) for row in self.probabilities(features)]

    def _told(self, row: npt.NDArray[np.float32], runners_up: int) -> Prediction:
        order = np.argsort(-row, kind="stable")
        named = [(self.labels[place], float(row[place])) for place in order[: runners_up + 1]]
        return Prediction(named[0][0], named[0][1], tuple(named[1:]))

    def check_backbone(self, described: Mapping[str, str | int]) -> None:
        """Raise :class:`ClassifierError` when the head was trained on another backbone or other weights."""
        differing: Sequence[str] = [
            key
            for key in ("name", "dim", "weights_sha256")
            if key in self.backbone and self.backbone[key] != described.get(key)
        ]
        if differing:
            told = "; ".join(f"{key} {described.get(key)} instead of {self.backbone[key]}" for key in differing)
            raise ClassifierError(
                f"The head does not fit this backbone: {told}. "
                f"Action: use the backbone {self.backbone.get('name')} with the weights that the head was trained on."
            )
