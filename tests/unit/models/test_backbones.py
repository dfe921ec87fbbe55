from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.backbones import BACKBONES, Transform, WeightsError, load_backbone


def test_every_entry_is_registered_under_its_name() -> None:
    assert {name: entry.name for name, entry in BACKBONES.items()} == {name: name for name in BACKBONES}
    assert {name: entry.dim for name, entry in BACKBONES.items()} == {
        "densenet121": 1024,
        "efficientnet_lite0": 1280,
        "efficientnet_lite0_taps": 1712,
        "efficientnet_lite1": 1280,
        "efficientnet_lite1_taps": 1712,
        "efficientnet_lite2": 1280,
        "efficientnet_lite2_taps": 1752,
        "resnet50": 2048,
        "vgg16": 4096,
    }


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_the_layers_make_up_the_features(name: str) -> None:
    parts = BACKBONES[name].parts
    assert sum(length for _, length in parts) == BACKBONES[name].dim
    assert parts[0][0] == "head"
    assert len({part for part, _ in parts}) == len(parts)


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_weights_bring_their_own_transform(name: str) -> None:
    transform = BACKBONES[name].transform
    assert transform.side_px == {"lite1": 240, "lite2": 260}.get(name.removesuffix("_taps")[-5:], 224)
    if name.startswith("efficientnet_lite"):  # its authors map 0 .. 255 to about -1 .. 1
        low, high = ((value / 255 - transform.mean[0]) / transform.std[0] for value in (0, 255))
        assert (low, high) == pytest.approx((-127 / 128, 1.0))
    else:  # torchvision's means and deviations of ImageNet
        assert (transform.mean, transform.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        assert (transform.fit, transform.resize_px) == ("crop", 256)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(BACKBONES)), st.integers(1, 400), st.integers(1, 400))
def test_photos_of_any_shape_become_squares(name: str, width: int, height: int) -> None:
    pixels = BACKBONES[name].transform.pixels(Image.new("RGB", (width, height), (200, 10, 30)))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (BACKBONES[name].transform.side_px,) * 2 + (3,)
    assert (pixels == (200, 10, 30)).all()  # padding continues the border


def test_padding_keeps_the_whole_garment_and_cropping_keeps_the_middle() -> None:
    photo = Image.new("RGB", (100, 300), "white")
    photo.paste((0, 0, 0), (0, 0, 100, 40))  # something at the very top
    padded = Transform(60, "pad", 60, (0.5,) * 3, (0.5,) * 3).pixels(photo)
    cropped = Transform(60, "crop", 60, (0.5,) * 3, (0.5,) * 3).pixels(photo)
    assert padded[0, 30].max() == 0
    assert (padded[:, 0] == 255).all()
    assert cropped.min() == 255


def test_the_registry_can_be_read_without_torch() -> None:
    script = "import sys, models.backbones; print('torch' in sys.modules, 'torchvision' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_weights_that_are_nowhere_are_said_with_what_to_do(name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights at .*absent.pth. Action: .*--weights"):
        load_backbone(name, weights=str(tmp_path / "absent.pth"))
    with pytest.raises(KeyError):
        load_backbone(name + "x")
