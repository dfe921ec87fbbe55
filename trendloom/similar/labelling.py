"""How likely each label is for a photo: a classifier's head on its backbone, as label-aware search asks for it.

Trains nothing and decides nothing. Read next: :mod:`trendloom.similar.agreement`, which weighs the probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from trendloom.catalogue.embedding import Embedder, open_backbone
from trendloom.classifier.checkpoint import load_classifier

__all__ = ["Head", "PhotoLabels", "open_photo_labels"]


#: Photos that go through a network together: small enough that its layers stay in the cache.
_BATCH = 8


class Head(Protocol):
    """What is asked of a classifier: features of its backbone in, calibrated probabilities out."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The C labels."""

    @property
    def mirrored(self) -> bool:
        """Whether features are the mean over a photo and its mirror image."""

    @property
    def backbone(self) -> Mapping[str, str | int]:
        """What the backbone that it was trained on said of itself."""

    def probabilities(self, features: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Return (B, C) probabilities for (B, F) features."""

    def check_backbone(self, described: Mapping[str, str | int]) -> None:
        """Raise an error when the head was trained on another backbone."""


class PhotoLabels:
    """A head with the backbone that it was trained on; raises what the head's ``check_backbone`` raises."""

    def __init__(self, head: Head, embedder: Embedder) -> None:
        head.check_backbone(embedder.describe())
        self._head = head
        self._embedder = embedder

    @property
    def labels(self) -> Sequence[str]:
        """The C labels."""
        return self._head.labels

    def probabilities(self, photos: Sequence[Image.Image]) -> npt.NDArray[np.floating]:
        """Return (B, C) probabilities for B upright RGB photos."""
        features = self._features(photos)
        if self._head.mirrored:
            features += self._features([ImageOps.mirror(photo) for photo in photos])
            features /= 2
        return self._head.probabilities(features)

    def _features(self, photos: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        prepared = [self._embedder.prepare(photo) for photo in photos]
        seen = [self._embedder.embed(np.stack(prepared[at : at + _BATCH])) for at in range(0, len(prepared), _BATCH)]
        return np.concatenate(seen)


def open_photo_labels(classifier: str) -> PhotoLabels:
    """Return the labels of a checkpoint, or of one that ships (``cc0``).

    Raises :class:`~trendloom.errors.MissingExtra` without torch, and what loading the checkpoint raises.
    """
    head: Head = load_classifier(classifier)
    return PhotoLabels(head, open_backbone(str(head.backbone.get("name", ""))))
