"""Asks a classifier about photos: which label, how sure, and which photos could not be looked at and why.

Joins a head (numpy) with its backbone (torch, through an embedder). Never changes a photo. Read next:
:mod:`trendloom.classifier.counting`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.embedding import Embedder, open_backbone
from trendloom.catalogue.photos import PhotoSource
from trendloom.classifier.head import Classifier, Prediction
from trendloom.classifier.seeing import look_at

__all__ = ["PhotoClassifier", "Predicted"]


@dataclass(frozen=True)
class Predicted:
    """Photos by name with what they were taken for, in the order asked; ``left_out`` with the reason."""

    names: tuple[str, ...]
    predictions: tuple[Prediction, ...]
    #: (B, C) calibrated probabilities.
    probabilities: npt.NDArray[np.float32]
    left_out: tuple[tuple[str, str], ...]
    #: Equal for equal pictures.
    digests: tuple[str, ...]


class PhotoClassifier:
    """A classifier with the backbone that it was trained on, opened when nobody hands one over.

    Raises :class:`trendloom.errors.ClassifierError` when the backbone is another one, and what
    :func:`trendloom.catalogue.embedding.open_backbone` raises.
    """

    def __init__(self, classifier: Classifier, embedder: Embedder | None = None, *, weights: str = "") -> None:
        self.classifier = classifier
        self._embedder = embedder or open_backbone(str(classifier.backbone.get("name", "")), weights=weights)
        classifier.check_backbone(self._embedder.describe())

    def predict(
        self,
        source: PhotoSource,
        names: Sequence[str],
        *,
        runners_up: int = 2,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Predicted:
        """Return what the photos ``names`` of a source show; unusable ones are listed, the others go on."""
        views = ("plain", "mirror") if self.classifier.mirrored else ("plain",)
        seen = look_at(source, names, self._embedder, views=views, progress=progress)
        features = np.mean([seen.views[view] for view in views], axis=0)
        return Predicted(
            seen.names,
            tuple(self.classifier.predict(features, runners_up=runners_up)),
            self.classifier.probabilities(features),
            seen.left_out,
            seen.digests,
        )
