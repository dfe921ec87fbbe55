from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from launch.cli import app
from tests.unit.trendloom.similar.shop import FixedLabels, square, squares_search
from trendloom.detector.boxes import Box
from trendloom.errors import CatalogueError, InputError, PhotoRefused
from trendloom.similar import Similar


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["similar", *map(str, arguments)])


def told(*arguments: str | Path) -> list[dict[str, Any]]:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


@pytest.fixture
def squares(monkeypatch: pytest.MonkeyPatch) -> Similar:
    similar = squares_search(FixedLabels(["light", "dark"], [0.75, 0.25]))
    monkeypatch.setattr("trendloom.similar.Similar.open", lambda catalogue, *, classifier, weights: similar)
    return similar


def test_a_photo_is_answered_with_ids_and_percents(squares: Similar, tmp_path: Path) -> None:
    photo = tmp_path / "mine.png"
    photo.write_bytes(square((180, 30, 40)))
    result = call(photo, "-k", "3")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"like {photo}:"
    wanted = squares.search(photo, 3).matches
    assert [line.split()[2] for line in lines[1:]] == [match.item_id for match in wanted]
    assert [line.split()[0] for line in lines[1:]] == [str(round(100 * match.similarity)) for match in wanted]


def test_labels_are_minded_and_told(squares: Similar, tmp_path: Path) -> None:
    photo = tmp_path / "mine.png"
    photo.write_bytes(square((128, 128, 140)))
    assert f"like {photo} (light, 75% sure):" in call(photo, "--label-aware").stdout
    (row,) = told(photo, "--label-aware", "-k", "40")
    assert (row["label"], row["label_probability"], len(row["matches"])) == ("light", 0.75, 40)
    assert [match["score"] for match in row["matches"]] == sorted(
        (match["score"] for match in row["matches"]), reverse=True
    )


class FixedBoxes:
    """Finds the same garments in every photo."""

    def __init__(self, *boxes: Box) -> None:
        self.boxes = list(boxes)

    def detect(self, photo: Image.Image, *, least_score: float) -> list[Box]:
        return [box for box in self.boxes if box.score >= least_score]


def test_each_garment_that_is_found_in_a_photo_is_searched_for(
    squares: Similar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = Image.new("RGB", (200, 100), (180, 30, 40))
    wide.paste((20, 40, 200), (100, 0, 200, 100))
    photo = tmp_path / "two.png"
    wide.save(photo)
    found = FixedBoxes(Box("top", 0.75, 0, 0, 80, 100), Box("shoes", 0.5, 120, 0, 200, 100))
    monkeypatch.setattr("trendloom.detector.detect.load_detector", {"mine.safetensors": found}.__getitem__)
    rows = told(photo, "--detect", "-k", "2", "--detector", "mine.safetensors")
    assert [row["query"] for row in rows] == [f"{photo}, top (75%)", f"{photo}, shoes (50%)"]
    left = squares.search(wide.crop((0, 0, 100, 100)), 2).matches
    assert [match["item_id"] for match in rows[0]["matches"]] == [match.item_id for match in left]
    found.boxes = []
    result = call(photo, "--detect", "--detector", "mine.safetensors")
    assert isinstance(result.exception, InputError)
    assert "No garment was found" in str(result.exception)


def test_several_photos_are_several_rows_in_one_picture(squares: Similar, tmp_path: Path) -> None:
    photos = [tmp_path / f"{number}.png" for number in range(3)]
    for number, photo in enumerate(photos):
        photo.write_bytes(square((100 * number, 90, 30)))
    rows = told(*photos, "--out", tmp_path / "grid.png")
    assert [row["query"] for row in rows] == [str(photo) for photo in photos]
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.format == "PNG"
        assert grid.height > 3 * 192
        assert grid.width > 6 * 192
    assert "picture: " in call(photos[0], "--out", tmp_path / "one.jpg").stdout


def test_without_a_photo_a_random_garment_of_the_demo_asks(tmp_path: Path) -> None:
    first, again, other = (told("--seed", seed)[0] for seed in ("1", "1", "2"))
    assert first == again
    assert first["query"] != other["query"]
    assert len(first["matches"]) == 5
    assert first["query"] not in {match["item_id"] for match in first["matches"]}
    assert len({told()[0]["query"] for _ in range(3)}) > 1
    assert call("--seed", "1", "--out", tmp_path / "grid.webp").exit_code == 0
    with Image.open(tmp_path / "grid.webp") as grid:
        assert grid.width > 1000


def test_a_garment_of_the_catalogue_asks_with_its_category() -> None:
    (row,) = told("--item", "dress-4c1acd5c", "--label-aware", "-k", "9")
    assert (row["label"], row["label_probability"]) == ("Dress", None)
    assert len(row["matches"]) == 9
    assert "like dress-4c1acd5c (Dress):" in call("--item", "dress-4c1acd5c", "--label-aware").stdout


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        (["--item", "nothing"], CatalogueError, "no item 'nothing'"),
        (["nowhere.jpg"], PhotoRefused, "nowhere.jpg cannot be read"),
        (["some.jpg", "--item", "dress-4c1acd5c"], InputError, "name one of the two"),
        (["--detect"], InputError, "looks for garments in photos"),
        (["--out", "grid.txt"], InputError, "does not end like a picture's name"),
        (["--out", "nowhere/grid.png"], InputError, "no folder nowhere"),
        (["--catalogue", "nowhere"], CatalogueError, "is no catalogue"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    arguments: list[str], kind: type[Exception], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert isinstance(result.exception, kind)
    assert says in str(result.exception)
    assert "Action: " in str(result.exception)
    assert list(tmp_path.iterdir()) == []
