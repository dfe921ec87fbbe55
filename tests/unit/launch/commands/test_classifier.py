from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from launch.cli import app
from tests.unit.trendloom.catalogue.wardrobe import SeededEmbedder
from tests.unit.trendloom.classifier.drawn import fill_folders, nearest_mean_head
from trendloom.classifier.checkpoint import load_classifier, save_classifier
from trendloom.errors import ClassifierError


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "80"})


def told(*arguments: str | Path) -> Any:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def size_of(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as opened:
        return opened.size


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backbone is the tests' own, which needs no torch."""
    for place in ("trendloom.catalogue.embedding", "trendloom.classifier.predicting"):
        monkeypatch.setattr(f"{place}.open_backbone", lambda name="", *, weights="": SeededEmbedder())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return fill_folders(tmp_path / "photos")


@pytest.fixture
def head(place: Path, tmp_path: Path) -> Path:
    path = tmp_path / "head.safetensors"
    save_classifier(nearest_mean_head(place), path)
    return path


def test_predict_names_photos_and_what_could_not_be_used(place: Path, head: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 no photo")
    photo = place / "hat" / "item_00_0.png"
    found = told("classifier", "predict", photo, broken, place / "dress", "--head", head, "-k", "2")
    assert len(found["photos"]) == 13
    assert found["photos"][0]["photo"] == str(photo)
    assert [len(one["labels"]) for one in found["photos"]] == [2] * 13
    assert found["photos"][0]["labels"][0]["label"] == "hat"
    assert [one["photo"] for one in found["left_out"]] == [str(broken)]
    shown = call("classifier", "predict", photo, "--head", head)
    assert shown.exit_code == 0
    assert shown.output.startswith(f"{photo}: hat ")


def test_names_that_are_no_text_are_told_with_question_marks(place: Path, head: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    try:
        (odd / os.fsdecode(b"hat \xff.png")).write_bytes((place / "hat" / "item_00_0.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes names that are text alone")
    (odd / os.fsdecode(b"none \xfe.png")).write_bytes(b"no photo")
    found = told("classifier", "predict", odd, "--head", head)
    assert [one["photo"] for one in found["photos"]] == ["hat \ufffd.png"]
    assert [one["photo"] for one in found["left_out"]] == ["none \ufffd.png"]
    assert "hat \ufffd.png: hat" in call("classifier", "predict", odd, "--head", head).output
    assert [one["photo"] for one in told("count", odd, "--head", head)["left_out"]] == ["none \ufffd.png"]


def test_predict_without_a_usable_photo_fails(head: Path, tmp_path: Path) -> None:
    result = call("classifier", "predict", tmp_path / "gone.jpg", "--head", head)
    assert isinstance(result.exception, ClassifierError)
    assert "No photo could be used" in str(result.exception)


def test_evaluate_judges_on_folders_and_draws(place: Path, head: Path, tmp_path: Path) -> None:
    new = fill_folders(tmp_path / "new", each=5, seed=50)
    fill_folders(tmp_path / "cape", each=1, seed=51)
    (tmp_path / "cape" / "hat").rename(new / "cape")
    picture = tmp_path / "matrix.png"
    found = told("classifier", "evaluate", new, "--head", head, "--matrix", picture)
    assert (found["photos"], found["unknown_label"], found["trained_on"]) == (15, 1, 0)
    assert found["accuracy"] > 0.8
    assert size_of(picture)[0] > 100
    assert "macro recall" in call("classifier", "evaluate", new, "--head", head).output


def test_evaluate_leaves_out_what_the_head_was_trained_on(place: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from trendloom.classifier.labelled import photos_by_path
    from trendloom.classifier.seeing import look_at

    source = photos_by_path(place)
    seen = look_at(source, sorted(source.names)[:-2], SeededEmbedder())
    path = tmp_path / "knowing.safetensors"
    save_classifier(replace(nearest_mean_head(place), trained_on=frozenset(seen.digests)), path)
    found = told("classifier", "evaluate", place, "--head", path)
    assert (found["photos"], found["trained_on"]) == (2, 34)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--map", "label=kind"], "there is no table"),
        (["--table", "t.csv", "--map", "photo=file"], "No column is named as label"),
        (["--table", "t.csv", "--map", "colour=c"], "not a meaning"),
        (["--merge", "hat"], "is no pair"),
        (["--drop", "hut"], "No photo has the label hut"),
    ],
)
def test_what_was_meant_otherwise_is_said(place: Path, head: Path, arguments: list[str], said: str) -> None:
    result = call("classifier", "evaluate", place, "--head", head, *arguments)
    assert isinstance(result.exception, ClassifierError)
    assert said in str(result.exception)
    assert "Action: " in str(result.exception)


def test_count_counts_and_draws(place: Path, head: Path, tmp_path: Path) -> None:
    (place / "shoe" / "text.jpg").write_text("no photo")
    grid = tmp_path / "grid.png"
    found = told("count", place, "--head", head, "--out", grid)
    assert found["photos"] == 36
    assert sum(one["photos"] for one in found["categories"]) == 36
    assert sum(one["expected"] for one in found["categories"]) == pytest.approx(36, abs=0.1)
    assert [one["photo"] for one in found["left_out"]] == ["shoe/text.jpg"]
    assert size_of(grid)[0] > 500
    shown = call("count", place, "--head", head, "-k", "1")
    assert shown.output.startswith(f"36 photos of {place}")


def test_count_of_an_empty_folder_is_nothing(head: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert told("count", tmp_path / "empty", "--head", head) == {"photos": 0, "categories": [], "left_out": []}


@pytest.mark.vision
@pytest.mark.timeout(240)
def test_train_judges_writes_and_says_where_the_head_comes_from(place: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch: pip install 'trendloom[vision]'")
    (place / "cape").mkdir()
    Image.new("RGB", (40, 40)).save(place / "cape" / "1.png")
    out, kept, picture = tmp_path / "mine.safetensors", tmp_path / "kept.safetensors", tmp_path / "matrix.png"
    arguments: list[str | Path] = ["classifier", "train", place, "--out", out, "--features", kept, "--epochs", "12"]
    arguments += ["--group-pattern", r"(\w+/item_\d+)", "--augment", "mirror", "--credit", "drawn for a test"]
    found = told(*arguments, "--matrix", picture)
    assert found["labels"] == {"dress": 12, "hat": 12, "shoe": 12}
    assert found["too_rare"] == {"cape": 1}
    assert set(found["held_out"]["baselines"]) == {"majority class", "linear probe"}
    assert size_of(picture)[0] > 100
    head = load_classifier(out)
    assert head.provenance["credit"] == "drawn for a test"
    assert head.provenance["groups"] == 18
    assert head.provenance["views"] == ["plain", "mirror"]
    assert head.backbone["name"] == "seeded"
    assert len(head.trained_on) == 36
    first = out.read_bytes()
    again = call(*arguments)  # from the kept features
    assert again.exit_code == 0, again.output
    assert "held out (1 of 5 parts): accuracy" in again.output
    assert out.read_bytes() == first
    assert not list(tmp_path.glob("*.measured*"))
    # what it was trained on is not judged on
    result = call("classifier", "evaluate", place, "--head", out)
    assert isinstance(result.exception, ClassifierError)
    assert "were trained on" in str(result.exception)
