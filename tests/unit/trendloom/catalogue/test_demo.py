"""The catalogue that ships: is it whole, small, and do its neighbours look alike?"""

from __future__ import annotations

import io
import tomllib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import config
from trendloom.catalogue.build import BuildOptions
from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.catalogue.garment import Catalogue
from trendloom.catalogue.neighbours import find_extremes


@pytest.fixture(scope="module")
def demo() -> Catalogue:
    """The catalogue that ships, its hashes verified."""
    return load_catalogue(demo_catalogue_path(), verify=True)


def test_it_is_small() -> None:
    sizes = {path.name: path.stat().st_size for path in demo_catalogue_path().iterdir()}
    assert sum(sizes.values()) < 30_000_000
    assert {name for name, size in sizes.items() if size > 5_000_000} == set()


def test_the_manifest_tells_every_file_and_only_those() -> None:
    demo = load_catalogue(demo_catalogue_path())
    listed = demo.manifest["files"]
    assert isinstance(listed, dict)
    assert {path.name for path in demo_catalogue_path().iterdir()} == {*listed, "manifest.json"}


def test_it_holds_2000_photographed_garments_and_says_from_whom(demo: Catalogue) -> None:
    assert len(demo) == len(demo.photo_embeddings) == len(demo.row_of) == 2000
    assert (demo.photo_row == np.arange(2000)).all()
    assert "CC0" in str(demo.manifest["credit"])
    assert "Grigorev" in str(demo.manifest["credit"])
    assert not {"Not sure", "Other", "Skip"} & set(demo.category_names)


def test_it_was_made_with_the_options_that_are_the_defaults(demo: Catalogue) -> None:
    expected = asdict(BuildOptions(name="demo", items=2000)) | {"store_ids": [], "tune": ["auto"]}
    told = demo.manifest["options"]
    assert isinstance(told, dict)
    assert told == {name: value for name, value in expected.items() if name in told}


def test_types_are_balanced(demo: Catalogue) -> None:
    counts = np.bincount(demo.category)
    assert len(counts) == len(demo.category_names) == 17
    # the rare ones give all they have, the others the same
    assert counts.max() <= 142
    assert np.median(counts) >= 140


def test_its_stores_are_those_that_have_a_place(demo: Catalogue) -> None:
    places = tomllib.loads((Path(config.__file__).parent / "stores.toml").read_text(encoding="utf-8"))
    assert set(demo.store_ids) <= {store["id"] for store in places["store"]}
    assert np.bincount(demo.store).tolist() == [400] * 5


def test_every_garment_has_a_picture_and_a_title(demo: Catalogue) -> None:
    for row in range(0, 2000, 50):
        picture = demo.thumbnails.get(row)
        assert picture is not None
        with Image.open(io.BytesIO(picture)) as thumbnail:
            assert thumbnail.format == "WEBP"
            assert max(thumbnail.size) <= 160
            thumbnail.load()
    assert all(demo.thumbnails.get(row) for row in range(2000))
    for row, title in enumerate(demo.titles):
        assert title == f"{demo.colours[row]} {demo.product_types[row]}"


def test_neighbours_are_of_the_same_type_far_more_often_than_chance(demo: Catalogue) -> None:
    shares = np.bincount(demo.category) / len(demo)
    chance = float((shares**2).sum())
    agree = demo.category[demo.neighbours[:, :5]] == demo.category[:, None]
    assert chance < 0.08
    assert agree.mean() > 0.55
    # and what looks least alike is of the same type less often than chance
    assert (demo.category[demo.lowest[:, :5]] == demo.category[:, None]).mean() < chance


def test_shortened_vectors_keep_what_the_full_ones_tell(demo: Catalogue) -> None:
    quality = demo.manifest["quality"]
    assert isinstance(quality, dict)
    assert quality["type_at_5"] >= 0.99 * quality["type_at_5_full"]


def test_its_neighbours_are_those_of_its_embeddings(demo: Catalogue) -> None:
    """The neighbours follow from the embeddings wherever they are computed again, not only where they were made."""
    rows = np.arange(0, 2000, 20)
    found = find_extremes(demo.photo_embeddings, nearest=64, farthest=32, queries=rows)
    assert (found.nearest == demo.neighbours[rows]).all()
    assert (found.farthest == demo.lowest[rows]).all()
    assert np.abs(found.nearest_similarity - demo.neighbour_similarity[rows]).max() < 1e-5
    lengths = np.linalg.norm(demo.photo_embeddings.astype(np.float32), axis=1)
    assert np.abs(lengths - 1).max() < 2e-3
