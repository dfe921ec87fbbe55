from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from trendloom.detector.boxes import Box
from trendloom.detector.detect import Detector, crops_of, load_detector
from trendloom.errors import CatalogueError


class Drawn(Detector):
    """Finds what it was told to find, without a network."""

    def __init__(self, *boxes: Box) -> None:
        self.labels = tuple(sorted({box.label for box in boxes}))
        self._boxes = boxes

    def detect(self, photo: Image.Image, *, least_score: float = 0.3, most: int = 50) -> list[Box]:
        return [box for box in self._boxes if box.score >= least_score][:most]


PHOTO = Image.new("RGB", (100, 200))


def test_a_garment_that_two_classes_claim_is_cut_out_once() -> None:
    found = crops_of(
        PHOTO,
        Drawn(
            Box("outer", 0.9, 20, 20, 80, 100),
            Box("top", 0.8, 22, 20, 80, 98),
            Box("shoes", 0.5, 40, 170, 70, 200),
            Box("bag", 0.1, 0, 0, 50, 50),
        ),
    )
    assert [crop.box.label for crop in found] == ["outer", "shoes"]
    assert found[0].photo.size == (66, 86)  # 4 % of 80 around it, rounded
    assert found[1].photo.size == (32, 31)  # the photo ends at its feet


def test_as_many_crops_as_wanted_and_none_of_specks() -> None:
    boxes = [Box("bag", 0.9, 0, 20 * number, 40, 20 * number + 18) for number in range(8)]
    assert len(crops_of(PHOTO, Drawn(*boxes), most=3)) == 3
    assert crops_of(PHOTO, Drawn(Box("bag", 0.9, 10, 10, 16, 60))) == []


def test_a_detector_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="There is no detector at .*Action: name ccp or a file"):
        load_detector(str(tmp_path / "none"))
