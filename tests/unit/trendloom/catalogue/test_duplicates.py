from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.unit.trendloom.catalogue.wardrobe import COLUMNS, SeededEmbedder, Wardrobe
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.columns import Columns
from trendloom.catalogue.directory import load_catalogue
from trendloom.catalogue.duplicates import find_duplicates

OPTIONS = BuildOptions(neighbours=3, lowest=2, photo_dims=6)


def test_the_first_of_equals_counts_and_no_picture_equals_none() -> None:
    assert find_duplicates([]) == []
    assert find_duplicates(["", ""]) == []
    assert find_duplicates(["b", "a", "a", "b", "a"]) == [(1, 2), (0, 3), (1, 4)]


def test_photos_of_one_picture_are_one_item_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (40, 40), (40 * number, 9, 9)).save(folder / f"{number}.png")
    Image.new("RGB", (40, 40), (80, 9, 9)).save(folder / "7.bmp")  # the pixels of 2 in another file
    (folder / "a copy.png").write_bytes((folder / "5.png").read_bytes())
    report = build_catalogue(None, tmp_path / "out", Columns(), OPTIONS, photos=folder, embedder=SeededEmbedder())
    catalogue = load_catalogue(tmp_path / "out")
    assert report.duplicates == (("2", "7"), ("5", "a copy"))
    assert catalogue.item_ids == ["0", "1", "2", "3", "4", "5"]
    assert catalogue.photo_row.tolist() == list(range(6))
    assert catalogue.manifest["duplicates"] == [["2", "7"], ["5", "a copy"]]


def test_items_of_a_table_stay_and_are_views_of_each_other(wardrobe: Wardrobe, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(2)
    for number in range(48):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3)).astype(np.uint8)).save(folder / f"{number:04d}.png")
    (folder / "0009.png").write_bytes((folder / "0002.png").read_bytes())
    report = build_catalogue(
        wardrobe.table, tmp_path / "out", COLUMNS, OPTIONS, photos=folder, embedder=SeededEmbedder()
    )
    catalogue = load_catalogue(tmp_path / "out")
    assert report.duplicates == (("0002", "0009"),)
    assert len(catalogue) == 48
    assert catalogue.view_group[2] == catalogue.view_group[9] == 0
    assert (np.delete(catalogue.view_group, [2, 9]) == -1).all()


def test_views_of_a_garment_are_one_item_and_equal_ones_count_once(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(6)
    pictures = [Image.fromarray(rng.integers(0, 256, (40, 40, 3)).astype(np.uint8)) for _ in range(4)]
    for view, picture in (("1_front", 0), ("2_side", 1), ("3_back", 1)):
        pictures[picture].save(folder / f"WOMEN-Dresses-id_00000001-02_{view}.png")
    for number, picture in ((3, 2), (4, 3)):
        pictures[picture].save(folder / f"MEN-Denim-id_0000000{number}-01_1_front.png")
    (folder / "MEN-Denim-id_00000004-01_3_back.png").write_bytes(b"broken")
    embedder = SeededEmbedder()
    report = build_catalogue(None, tmp_path / "out", Columns(), OPTIONS, photos=folder, embedder=embedder)
    assert (report.layout, report.items, report.photos, len(report.left_out)) == ("deepfashion", 3, 3, 1)
    catalogue = load_catalogue(tmp_path / "out")
    assert catalogue.item_ids == ["id_00000001-02", "id_00000003-01", "id_00000004-01"]
    from trendloom.catalogue.tensors import map_tensors

    raw = embedder.embed(np.stack([embedder.prepare(picture) for picture in pictures]))
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    expected = (unit[0] + unit[1]) / 2
    expected /= np.linalg.norm(expected)
    projection = map_tensors(tmp_path / "out" / "projection.safetensors")
    short = (expected - projection["mean"]) @ projection["components"]
    assert np.abs(catalogue.photo_embeddings[0] - short / np.linalg.norm(short)).max() < 2e-3
