from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from launch.cli import app
from trendloom.catalogue.directory import load_catalogue
from trendloom.errors import CatalogueError, MissingExtra, TrendloomError

ROWS = "sku,kind,hue,words\n" + "\n".join(
    f"{number:03d},{('dress', 'hat')[number % 2]},{('red', 'blue', 'grey')[number % 3]},soft item"
    for number in range(30)
)
MAPPING = ["--map", "item_id=sku", "--map", "category=kind", "--map", "colour=hue", "--map", "attributes=kind:2,hue"]


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["catalogue", *map(str, arguments)], env={"COLUMNS": "80"})


def told(*arguments: str | Path) -> Any:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "items.csv"
    path.write_text(ROWS)
    return path


def test_build_and_show_a_table_of_ones_own(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    built = told("build", "--table", table, "--out", out, *MAPPING, "--stores", "3", "--name", "mine")
    assert (built["items"], built["photos"], built["photos_left_out"]) == (30, 0, [])
    assert built["bytes"] == sum(file.stat().st_size for file in out.iterdir())
    catalogue = load_catalogue(out)
    assert catalogue.fingerprint == built["fingerprint"]
    assert catalogue.store_ids == ("store-1", "store-2", "store-3")

    shown = told("show", out, "--limit", "4")
    assert (shown["name"], shown["items"], shown["photos"]) == ("mine", 30, 0)
    assert shown["categories"] == {"dress": 15, "hat": 15}
    assert len(shown["some_items"]) == 4
    assert shown["backbone"] is None

    one = told("show", out, "--item", "007", "--limit", "5")
    assert (one["item_id"], one["colour"], one["compared_by"]) == ("007", "blue", "table")
    assert [(near["category"], near["colour"]) for near in one["neighbours"][:4]] == [("hat", "blue")] * 4
    assert [near["similarity"] for near in one["neighbours"]] == sorted(
        (near["similarity"] for near in one["neighbours"]), reverse=True
    )


def test_for_people_it_says_sizes_and_never_shortens_an_id(table: Path, tmp_path: Path) -> None:
    result = call("build", "--table", table, "--out", tmp_path / "out", *MAPPING)
    assert result.exit_code == 0, result.output
    size = sum(file.stat().st_size for file in (tmp_path / "out").iterdir())
    assert f"30 items, 0 with photos, {size / 1000:.0f} kB" in result.stdout
    page = call("show", tmp_path / "out").stdout
    assert "dress 15, hat 15" in page
    assert "quality" not in page  # nothing is said of what there is not
    assert "store" not in page
    assert "None" not in page

    item_ids = [near["item_id"] for near in told("show", "--item", "dress-4c1acd5c")["neighbours"]]
    page = call("show", "--item", "dress-4c1acd5c").stdout
    assert len(item_ids) == 10
    assert [item_id for item_id in item_ids if item_id not in page] == []
    assert max(map(len, page.splitlines())) <= 80


def test_without_a_directory_it_shows_the_one_that_ships() -> None:
    shown = told("show")
    assert (shown["name"], shown["items"], shown["photos_left_out"]) == ("demo", 2000, 0)
    assert shown["stores"] == [f"store-{number}" for number in range(1, 6)]
    page = call("show").stdout
    assert "8.6 MB" in page
    assert "{" not in page
    assert "[" not in page
    assert "CC0" in page


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--preset", "h&m"], "no preset 'h&m'"),
        (["--map", "item_id"], "--map item_id names no column"),
        (["--map", "size=sku"], "'size' is no meaning"),
        (["--map", "item_id=SKU"], "no column SKU"),
        ([], "item id"),
        ([*MAPPING, "--items", "5"], "--photos"),
        ([*MAPPING, "--photos", "nowhere.zip", "--backbone", "resnet999"], "no backbone"),
    ],
)
def test_what_cannot_be_built_is_said_in_a_sentence(
    table: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    result = call("build", "--table", table, "--out", tmp_path / "out", *arguments)
    assert isinstance(result.exception, CatalogueError)
    assert says in str(result.exception)
    assert "Action: " in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["items.csv"]


class FlatEmbedder:
    """The mean colour of a photo, in place of a network."""

    dim = 3

    def describe(self) -> dict[str, str | int]:
        return {"name": "flat"}

    def prepare(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        return np.asarray(photo.resize((1, 1)), np.uint8).reshape(3)

    def embed(self, prepared: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return prepared.astype(np.float32) + 1


def test_photos_that_are_left_out_are_named_a_few_of_many(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trendloom.catalogue.embedding.open_backbone", lambda name, *, weights: FlatEmbedder())
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(30):
        if number < 25:
            (photos / f"{number:03d}.jpg").write_bytes(b"no picture")
        else:
            Image.new("RGB", (40, 40), (8 * number, 20, 90)).save(photos / f"{number:03d}.png")
    build: list[str | Path] = ["build", "--table", table, "--out", tmp_path / "out", *MAPPING, "--photos", photos]
    result = call(*build)
    assert result.exit_code == 0, result.output
    assert "30 items, 5 with photos" in result.stdout
    assert result.stderr.count("photo left out: ") == 20
    assert "photo left out: 003: not a picture" in result.stderr
    assert "photos left out: 25 in all" in result.stderr
    built = told(*build)
    assert built["photos_left_out"][24] == {"item_id": "024", "reason": "not a picture"}
    assert told("show", tmp_path / "out")["backbone"] == "flat"
    assert told("show", tmp_path / "out", "--item", "029")["compared_by"] == "photo"


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_photos_without_torch_name_the_extra(table: Path, tmp_path: Path) -> None:
    result = call("build", "--table", table, "--out", tmp_path / "out", *MAPPING, "--photos", tmp_path)
    assert isinstance(result.exception, MissingExtra)
    assert "pip install 'trendloom[vision]'" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "says"), [(["--item", "no-such"], "no item 'no-such'"), (["nowhere"], "is no catalogue")]
)
def test_what_is_not_there_cannot_be_shown(arguments: list[str], says: str) -> None:
    result = call("show", *arguments)
    assert isinstance(result.exception, TrendloomError)
    assert says in str(result.exception)


@pytest.fixture
def wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of twelve photos in two folders, two of them the same picture, and one file that is none."""
    monkeypatch.setattr("trendloom.catalogue.embedding.open_backbone", lambda name, *, weights: FlatEmbedder())
    for number in range(12):
        path = tmp_path / "wall" / ("dresses", "hats")[number % 2] / f"g{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (20 * (number % 11), 20, 240 - 20 * (number % 11))).save(path)
    (tmp_path / "wall" / "hats" / "notes.txt").write_text("words")
    return tmp_path / "wall"


def test_a_folder_of_photos_becomes_a_catalogue_that_grows_and_shrinks(wall: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    built = told("build", "--photos", wall, "--out", out)
    assert (built["layout"], built["items"], built["photos"]) == ("folders", 11, 11)
    assert built["duplicates"] == [{"kept": "g00", "other": "g11"}]
    assert [each["path"] for each in built["files_passed_over"]] == ["hats/notes.txt"]
    assert told("show", out)["categories"] == {"dresses": 6, "hats": 5}
    said = call("build", "--photos", wall, "--out", out)
    assert "1 items with the very picture of another were merged" in said.stdout
    assert str(out / "contact-sheet.jpg") in said.stdout
    assert "photo left out: hats/notes.txt: its name ends in .txt" in said.stderr

    more = tmp_path / "more" / "scarves"
    more.mkdir(parents=True)
    Image.new("RGB", (50, 50), (1, 250, 1)).save(more / "s1.png")
    (more / "s2.png").write_bytes(b"")
    added = told("add", out, "--photos", more.parent, "--layout", "folders")
    assert (added["version"], added["items"], added["added"]) == (2, 12, ["s1"])
    assert added["left_out"] == [{"item_id": "scarves/s2.png", "reason": "empty: the file holds no bytes"}]
    assert load_catalogue(out).fingerprint == added["fingerprint"]
    removed = call("remove", out, "g03", "s1")
    assert removed.exit_code == 0, removed.output
    assert "version 3, 10 items, 0 added, 2 removed" in removed.stdout
    assert "s1" not in load_catalogue(out).row_of


def test_garments_may_be_cut_out_of_their_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trendloom.catalogue.embedding.open_backbone", lambda name, *, weights: FlatEmbedder())
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for number in range(6):
        photo = Image.new("RGB", (90, 90), "white")
        photo.paste((20 * number, 90, 140), (20, 10, 70, 80))
        photo.save(photos / f"g{number}.png")
    told("build", "--photos", photos, "--out", out, "--layout", "plain", "--isolation", "near-white")
    manifest = load_catalogue(out).manifest
    assert "near-white" in str(manifest["isolation"])
    more = tmp_path / "more"
    more.mkdir()
    photo.rotate(90).save(more / "new.png")
    refused = call("add", out, "--photos", more, "--layout", "plain", "--isolation", "none")
    assert isinstance(refused.exception, CatalogueError)
    assert "isolation" in str(refused.exception)
    added = told("add", out, "--photos", more, "--layout", "plain")  # as the catalogue says
    assert added["added"] == ["new"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["build", "--out", "x", "--photos", ".", "--isolation", "scissors"], "no way 'scissors'"),
        (["build", "--out", "x", "--photos", ".", "--isolation", "label-map"], "needs masks"),
        (["build", "--out", "x"], "neither items nor photos"),
        (["build", "--out", "x", "--photos", "nowhere"], "no photos at nowhere"),
        (["build", "--out", "x", "--photos", ".", "--layout", "heaps"], "no layout 'heaps'"),
        (["add", "nowhere", "--photos", "."], "is no catalogue"),
        (["remove", "nowhere", "a"], "is no catalogue"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.setattr("trendloom.catalogue.embedding.open_backbone", lambda name, *, weights: FlatEmbedder())
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert isinstance(result.exception, CatalogueError)
    assert says in str(result.exception)
    assert "Action: " in str(result.exception)
    assert list(tmp_path.iterdir()) == []
