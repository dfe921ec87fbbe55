from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.trendloom.catalogue.wardrobe import SeededEmbedder
from tests.unit.trendloom.classifier.drawn import fill_folders, nearest_mean_head
from trendloom.classifier.labelled import photos_by_path
from trendloom.classifier.predicting import PhotoClassifier
from trendloom.errors import CatalogueError, ClassifierError


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill_folders(tmp_path_factory.mktemp("drawn") / "photos")


def test_photos_are_taken_for_what_they_are(place: Path, tmp_path: Path) -> None:
    asked = PhotoClassifier(nearest_mean_head(place), SeededEmbedder())
    new = fill_folders(tmp_path / "new", each=5, seed=99)
    Image.new("L", (64, 64), 80).save(new / "grey.png")
    (new / "text.jpg").write_text("no picture")
    source = photos_by_path(new)
    found = asked.predict(source, sorted(source.names), runners_up=1)
    right = [
        prediction.label == name.partition("/")[0]
        for name, prediction in zip(found.names, found.predictions, strict=True)
        if "/" in name
    ]
    assert sum(right) >= 14
    assert found.left_out == (("text.jpg", "not a picture"),)
    assert found.probabilities.shape == (16, 3)
    assert all(len(prediction.others) == 1 for prediction in found.predictions)


def test_a_head_may_look_at_the_mirror_image_too(place: Path) -> None:
    head = nearest_mean_head(place)
    source = photos_by_path(place)
    names = sorted(source.names)[:4]
    plain = PhotoClassifier(head, SeededEmbedder()).predict(source, names)
    both = PhotoClassifier(replace(head, mirrored=True), SeededEmbedder()).predict(source, names)
    assert (plain.probabilities != both.probabilities).any()
    assert plain.digests == both.digests


def test_a_head_of_another_backbone_is_refused(place: Path) -> None:
    head = nearest_mean_head(place)
    with pytest.raises(ClassifierError, match="does not fit this backbone"):
        PhotoClassifier(replace(head, backbone={"name": "seeded", "dim": 24, "weights_sha256": "0"}), SeededEmbedder())
    with pytest.raises(CatalogueError, match="no backbone 'seeded'"):
        PhotoClassifier(head)
