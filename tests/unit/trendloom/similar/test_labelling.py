from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.unit.trendloom.catalogue.wardrobe import SeededEmbedder
from trendloom.errors import CatalogueError
from trendloom.similar.labelling import PhotoLabels


class FlatHead:
    """Two labels; the probability of the first is the share of positive features."""

    labels = ("hat", "shoe")

    def __init__(self, *, mirrored: bool = False, fits: bool = True) -> None:
        self.mirrored = mirrored
        self.backbone: Mapping[str, str | int] = {"name": "seeded"}
        self.seen: list[npt.NDArray[np.floating]] = []
        self._fits = fits

    def probabilities(self, features: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        self.seen.append(features.copy())
        first = (features > 0).mean(axis=1)
        return np.stack([first, 1 - first], axis=1).astype(np.float32)

    def check_backbone(self, described: Mapping[str, str | int]) -> None:
        if not self._fits:
            raise CatalogueError("The head does not fit. Action: use another one.")


def photos() -> list[Image.Image]:
    rng = np.random.default_rng(3)
    return [Image.fromarray(rng.integers(0, 256, size=(40, 40, 3), dtype=np.uint8)) for _ in range(3)]


def test_a_head_is_asked_about_the_features_of_its_backbone() -> None:
    head, embedder = FlatHead(), SeededEmbedder()
    labels = PhotoLabels(head, embedder)
    found = labels.probabilities(photos())
    assert labels.labels == ("hat", "shoe")
    assert found.sum(axis=1) == pytest.approx(np.ones(3))
    wanted = embedder.embed(np.stack([embedder.prepare(photo) for photo in photos()]))
    assert np.array_equal(head.seen[0], wanted)


def test_a_mirrored_head_sees_the_mean_of_both() -> None:
    head = FlatHead(mirrored=True)
    labels = PhotoLabels(head, SeededEmbedder())
    labels.probabilities(photos())
    turned = [photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for photo in photos()]
    labels.probabilities(turned)
    assert np.allclose(head.seen[0], head.seen[1], atol=1e-5)


def test_a_head_of_another_backbone_is_refused() -> None:
    with pytest.raises(CatalogueError, match="does not fit"):
        PhotoLabels(FlatHead(fits=False), SeededEmbedder())
