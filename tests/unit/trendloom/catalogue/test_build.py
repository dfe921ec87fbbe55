from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.unit.trendloom.catalogue.wardrobe import COLUMNS, TYPES, SeededEmbedder, Wardrobe, draw
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.changing import remove_items
from trendloom.catalogue.columns import Columns, map_columns
from trendloom.catalogue.directory import load_catalogue
from trendloom.catalogue.garment import GENDERS
from trendloom.errors import CatalogueError


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def test_the_same_input_gives_the_same_bytes(without_photo: Wardrobe, tmp_path: Path) -> None:
    one, two = without_photo.build(tmp_path / "one"), without_photo.build(tmp_path / "two")
    assert one == two
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    # and another seed deals other stores, so that it is another catalogue
    other = BuildOptions(neighbours=6, lowest=4, photo_dims=12, seed=43)
    assert without_photo.build(tmp_path / "three", options=other).fingerprint != one.fingerprint


def test_every_garment_with_a_photo(wardrobe: Wardrobe, tmp_path: Path) -> None:
    report = wardrobe.build(tmp_path / "out")
    catalogue = load_catalogue(tmp_path / "out")
    assert (report.items, report.photos, report.left_out) == (48, 48, ())
    assert report.fingerprint == catalogue.fingerprint
    assert catalogue.item_ids == [f"{number:04d}" for number in range(48)]
    assert catalogue.titles[5] == "Fine hat 5"
    assert catalogue.category_names == TYPES
    assert catalogue.category.tolist() == [0, 1, 2, 3] * 12
    assert {GENDERS[code] for code in catalogue.gender} == {"women", "men"}
    assert len(set(catalogue.product.tolist())) == 48
    assert (catalogue.view_group == -1).all()
    assert catalogue.store_ids == ("north", "south")
    assert np.bincount(catalogue.store).tolist() == [24, 24]
    assert catalogue.table_embeddings is None
    assert (catalogue.neighbour_source == 0).all()
    assert all(catalogue.thumbnails.get(row) for row in range(48))
    # photos of a type share a pattern, so neighbours share the type
    near = catalogue.category[catalogue.neighbours] == catalogue.category[:, None]
    far = catalogue.category[catalogue.lowest] == catalogue.category[:, None]
    assert near.mean() > 0.9
    assert far.mean() < 0.1
    assert report.type_at_5 is not None
    assert report.type_at_5 > 0.9


def test_garments_without_a_photo_have_neighbours_from_the_table_marked_so(
    without_photo: Wardrobe, tmp_path: Path
) -> None:
    report = without_photo.build(tmp_path / "out")
    catalogue = load_catalogue(tmp_path / "out")
    assert (report.items, report.photos) == (48, 32)
    bare = np.arange(0, 48, 3)
    assert np.flatnonzero(catalogue.photo_row < 0).tolist() == bare.tolist()
    assert np.flatnonzero(catalogue.neighbour_source == 1).tolist() == bare.tolist()
    photographed = np.flatnonzero(catalogue.photo_row >= 0)
    assert np.isin(catalogue.neighbours[photographed], photographed).all()
    assert (catalogue.category[catalogue.neighbours[bare]] == catalogue.category[bare][:, None]).all()
    assert catalogue.thumbnails.get(0) is None
    assert catalogue.thumbnails.get(1)


def test_a_table_without_photos(wardrobe: Wardrobe, tmp_path: Path) -> None:
    report = wardrobe.build(tmp_path / "out", photos=False)
    catalogue = load_catalogue(tmp_path / "out")
    assert (report.photos, report.type_at_5, report.type_at_5_full) == (0, None, None)
    assert len(catalogue.photo_embeddings) == 0
    assert (catalogue.neighbour_source == 1).all()
    assert sorted(contents(tmp_path / "out")) == [
        "embeddings.safetensors",
        "items.parquet",
        "manifest.json",
        "neighbours.safetensors",
    ]


def test_photos_that_cannot_be_used_are_listed_in_the_manifest(wardrobe: Wardrobe, tmp_path: Path) -> None:
    with zipfile.ZipFile(wardrobe.photos, "a") as archive:
        archive.writestr("0000.jpg", b"no picture")  # sorts before photos/, so it is the one that counts
    report = wardrobe.build(tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert report.left_out == (("0000", "not a picture"),)
    assert manifest["photos_left_out"] == [["0000", "not a picture"]]
    assert manifest["counts"] == {
        "items": 48,
        "photos": 47,
        "photos_left_out": 1,
        "duplicates": 0,
        "files_passed_over": 0,
    }
    assert load_catalogue(tmp_path / "out").neighbour_source[0] == 1


def test_the_manifest_says_how_it_was_made_and_nothing_of_where(wardrobe: Wardrobe, tmp_path: Path) -> None:
    wardrobe.build(tmp_path / "out", options=BuildOptions(name="mine", photo_dims=7))
    text = (tmp_path / "out" / "manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest["name"] == "mine"
    assert manifest["backbone"] == SeededEmbedder().describe()
    assert manifest["options"]["photo_dims"] == 7
    assert manifest["made_with"]["numpy"] == np.__version__
    assert str(tmp_path) not in text


def test_titles_are_made_up_where_the_table_has_none(wardrobe: Wardrobe, tmp_path: Path) -> None:
    columns = map_columns(COLUMNS, {"title": ""})
    options = BuildOptions(neighbours=3, lowest=2)
    build_catalogue(
        wardrobe.table, tmp_path / "out", columns, options, photos=wardrobe.photos, embedder=SeededEmbedder()
    )
    catalogue = load_catalogue(tmp_path / "out")
    assert catalogue.titles == [
        f"{colour} {kind}" for colour, kind in zip(catalogue.colours, catalogue.product_types, strict=True)
    ]
    assert all(catalogue.colours)


def test_stores_of_the_table_stand(wardrobe: Wardrobe, tmp_path: Path) -> None:
    columns = map_columns(COLUMNS, {"store": "for"})
    build_catalogue(wardrobe.table, tmp_path / "out", columns, BuildOptions(neighbours=3, lowest=2))
    catalogue = load_catalogue(tmp_path / "out")
    assert catalogue.store_ids == ("ladies", "men")
    assert catalogue.store[:8].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_section_and_pattern_are_kept_where_the_table_says_them(wardrobe: Wardrobe, tmp_path: Path) -> None:
    options = BuildOptions(neighbours=3, lowest=2)
    build_catalogue(wardrobe.table, tmp_path / "plain", COLUMNS, options)
    assert (load_catalogue(tmp_path / "plain").sections, load_catalogue(tmp_path / "plain").patterns) == ((), ())
    build_catalogue(wardrobe.table, tmp_path / "out", map_columns(COLUMNS, {"section": "for"}), options)
    catalogue = load_catalogue(tmp_path / "out")
    assert catalogue.sections[:8] == ["ladies"] * 4 + ["men"] * 4
    assert catalogue.patterns == ()
    remove_items(tmp_path / "out", catalogue.item_ids[:2])
    assert load_catalogue(tmp_path / "out").sections[:3] == ["ladies", "ladies", "men"]


def test_chosen_items_are_balanced(wardrobe: Wardrobe, tmp_path: Path) -> None:
    wardrobe.build(tmp_path / "out", options=BuildOptions(items=20, neighbours=3, lowest=2))
    catalogue = load_catalogue(tmp_path / "out")
    assert len(catalogue) == 20
    assert np.bincount(catalogue.category).tolist() == [5, 5, 5, 5]


def test_one_item_alone_is_a_catalogue(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sku,name,type,for,model\n1,Hat,hat,men,1\n")
    build_catalogue(tmp_path / "t.csv", tmp_path / "out", COLUMNS, BuildOptions(neighbours=3, lowest=2))
    assert load_catalogue(tmp_path / "out").neighbours.tolist() == [[-1, -1, -1]]


def test_progress_of_every_stage_ends_at_its_total(without_photo: Wardrobe, tmp_path: Path) -> None:
    told: dict[str, list[tuple[int, int]]] = {}
    without_photo.build(
        tmp_path / "out", progress=lambda stage, done, total: told.setdefault(stage, []).append((done, total))
    )
    assert list(told) == ["embed", "neighbours", "write"]
    for stage, steps in told.items():
        assert steps == sorted(steps), stage
        assert steps[-1][0] == steps[-1][1], stage


@pytest.mark.parametrize(
    ("photos", "embedder", "options", "says"),
    [
        (True, False, BuildOptions(), "without a backbone"),
        (False, False, BuildOptions(items=5), "chosen by their photos"),
        (True, True, BuildOptions(items=49), "48 have a usable photo"),
    ],
)
def test_what_cannot_be_built_leaves_nothing(
    wardrobe: Wardrobe, tmp_path: Path, photos: bool, embedder: bool, options: BuildOptions, says: str
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(CatalogueError, match=f"{says}.*Action: "):
        build_catalogue(
            wardrobe.table,
            tmp_path / "out",
            COLUMNS,
            options,
            photos=wardrobe.photos if photos else None,
            embedder=SeededEmbedder() if embedder else None,
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_target_that_must_not_be_replaced_is_refused_before_the_work(wardrobe: Wardrobe, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "only copy").write_text("years")
    seen: list[str] = []
    with pytest.raises(CatalogueError, match="exists and is no catalogue"):
        wardrobe.build(tmp_path / "thesis", progress=lambda stage, done, total: seen.append(stage))
    assert seen == []


def test_more_categories_than_a_code_can_count_are_refused(tmp_path: Path) -> None:
    rows = "\n".join(f"{number},kind {number}" for number in range(2**15 + 1))
    (tmp_path / "t.csv").write_text(f"sku,type\n{rows}\n")
    with pytest.raises(CatalogueError, match="32769 different categories are too many"):
        build_catalogue(
            tmp_path / "t.csv", tmp_path / "out", map_columns(COLUMNS, {"item_id": "sku"} | GONE), BuildOptions()
        )


GONE = {"title": "", "gender": "", "product": "", "attributes": "type", "words": ""}


def test_without_types_no_share_of_equal_types_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    for number in range(12):
        draw(number, rng).save(tmp_path / f"{number:02d}.png")
    options = BuildOptions(neighbours=5, lowest=3, photo_dims=8)
    report = build_catalogue(
        None, tmp_path / "out", Columns(), options, photos=tmp_path, embedder=SeededEmbedder(), layout="plain"
    )
    assert (report.photos, report.type_at_5, report.type_at_5_full) == (12, None, None)
    assert load_catalogue(tmp_path / "out").manifest["quality"] is None
