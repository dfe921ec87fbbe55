from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.trendloom.catalogue.wardrobe import COLUMNS, SeededEmbedder, Wardrobe, draw
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.changing import add_items, remove_items
from trendloom.catalogue.columns import Columns
from trendloom.catalogue.directory import load_catalogue
from trendloom.catalogue.garment import Catalogue
from trendloom.catalogue.neighbours import find_item_extremes
from trendloom.errors import CatalogueError

OPTIONS = BuildOptions(neighbours=5, lowest=3, photo_dims=12)
KINDS = ("dress", "hat", "shirt", "shoe")


def fill(folder: Path, numbers: range, seed: int) -> Path:
    """Draw garments into folders by kind."""
    rng = np.random.default_rng(seed)
    for number in numbers:
        path = folder / KINDS[number % 4] / f"g{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(number, rng).save(path, compress_level=1)
    return folder


def build(photos: Path, out: Path) -> Catalogue:
    options = BuildOptions(**{**OPTIONS.__dict__, "store_ids": ("north", "south")})
    build_catalogue(None, out, Columns(), options, photos=photos, embedder=SeededEmbedder())
    return load_catalogue(out)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A catalogue of forty garments, made of folders of photos."""
    build(fill(tmp_path / "photos", range(40), 1), tmp_path / "shop")
    return tmp_path / "shop"


def check_neighbours(catalogue: Catalogue) -> None:
    """They must be those of a whole search over what the catalogue holds."""
    whole = find_item_extremes(
        catalogue.photo_row, catalogue.photo_embeddings, catalogue.table_embeddings, nearest=5, farthest=3
    ).extremes
    assert catalogue.neighbour_similarity == pytest.approx(whole.nearest_similarity, abs=2e-6)
    assert catalogue.lowest_similarity == pytest.approx(whole.farthest_similarity, abs=2e-6)
    assert (catalogue.neighbours == whole.nearest).mean() > 0.98  # equals may be swapped by the last bit of a sum
    assert (catalogue.lowest == whole.farthest).mean() > 0.98


def test_what_is_added_stands_behind_what_was_there(shop: Path, tmp_path: Path) -> None:
    before = load_catalogue(shop)
    more = fill(tmp_path / "more", range(40, 47), 2)
    scarf = more / "scarf" / "s1.png"
    scarf.parent.mkdir()
    Image.effect_noise((90, 90), 80).convert("RGB").save(scarf)
    report = add_items(shop, Columns(), SeededEmbedder(), photos=more)
    after = load_catalogue(shop)
    assert report.added == ("g040", "g044", "g041", "g045", "s1", "g042", "g046", "g043")
    assert (report.version, report.items, after.manifest["version"]) == (2, 48, 2)
    assert report.fingerprint == after.fingerprint != before.fingerprint
    assert after.item_ids == [*before.item_ids, *report.added]
    assert (after.photo_embeddings[:40] == before.photo_embeddings).all()
    assert after.category_names == (*before.category_names, "scarf")
    assert (after.category[:40] == before.category).all()
    assert after.category_names[after.category[after.row("g045")]] == "hat"
    assert [after.thumbnails.get(row) for row in range(40)] == [before.thumbnails.get(row) for row in range(40)]
    assert after.thumbnails.get(47)
    assert after.category_names[after.category[after.row("s1")]] == "scarf"
    assert set(after.store[40:].tolist()) == {0, 1}
    check_neighbours(after)
    # a new garment is a neighbour of the old ones of its kind
    assert any(after.row("g040") in after.neighbours[row] for row in range(40))


def test_the_embedding_of_an_added_photo_is_that_of_a_build_with_the_same_projection(
    shop: Path, tmp_path: Path
) -> None:
    known = load_catalogue(shop)
    again = tmp_path / "again" / "hat"
    again.mkdir(parents=True)
    (tmp_path / "photos" / "hat" / "g001.png").rename(again / "new.png")
    remove_items(shop, ["g001"])
    add_items(shop, Columns(), SeededEmbedder(), photos=tmp_path / "again")
    after = load_catalogue(shop)
    assert (after.photo_embeddings[-1] == known.photo_embeddings[known.row("g001")]).all()


def test_a_catalogue_that_is_read_meanwhile_keeps_its_own_pictures(shop: Path) -> None:
    before = load_catalogue(shop)
    pictures = [before.thumbnails.get(row) for row in range(40)]
    remove_items(shop, before.item_ids[:20])
    assert [before.thumbnails.get(row) for row in range(40)] == pictures
    assert load_catalogue(shop).thumbnails.get(0) == pictures[20]


def test_what_is_removed_is_gone_from_every_list(shop: Path) -> None:
    before = load_catalogue(shop)
    gone = ["g003", "g010", "g011", "g038"]
    report = remove_items(shop, gone)
    after = load_catalogue(shop)
    assert sorted(report.removed) == gone
    assert after.item_ids == [item_id for item_id in before.item_ids if item_id not in gone]
    assert after.photo_row.tolist() == list(range(36))
    rows = [before.row(item_id) for item_id in after.item_ids]
    assert (after.photo_embeddings == before.photo_embeddings[rows]).all()
    assert [after.thumbnails.get(row) for row in range(36)] == [before.thumbnails.get(row) for row in rows]
    assert [after.category_names[code] for code in after.category] == [
        before.category_names[code] for code in before.category[rows]
    ]
    check_neighbours(after)


def test_items_without_photos_stay_and_are_compared_as_before(without_photo: Wardrobe, tmp_path: Path) -> None:
    out = tmp_path / "mixed"
    build_catalogue(without_photo.table, out, COLUMNS, OPTIONS, photos=without_photo.photos, embedder=SeededEmbedder())
    before = load_catalogue(out)
    add_items(out, Columns(), SeededEmbedder(), photos=fill(tmp_path / "more", range(60, 64), 3))
    added = load_catalogue(out)
    bare = np.flatnonzero(before.photo_row < 0)
    assert (added.neighbours[bare] == before.neighbours[bare]).all()
    assert added.product[:48].tolist() == before.product.tolist()
    assert added.product[48:].tolist() == [-1] * 4
    remove_items(out, ["0000", "0001", "g060"])
    after = load_catalogue(out)
    assert len(after) == 49
    for row in np.flatnonzero(after.photo_row < 0).tolist():
        near = [after.item_ids[other] for other in after.neighbours[row] if other >= 0]
        assert len(near) == 5
        assert not {"0000", "0001", "g060", "g061", "g062", "g063"} & set(near)


def test_products_of_a_table_are_known_again(wardrobe: Wardrobe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build_catalogue(wardrobe.table, out, COLUMNS, OPTIONS, photos=wardrobe.photos, embedder=SeededEmbedder())
    before = load_catalogue(out)
    more = fill(tmp_path / "more", range(50, 52), 4)
    (tmp_path / "more.csv").write_text(
        "sku,name,type,for,model\n0005,Known,hat,men,5\ng050,Red shirt,shirt,men,7\ng051,New shoe,shoe,men,new\n"
    )
    report = add_items(out, COLUMNS, SeededEmbedder(), photos=more, table=tmp_path / "more.csv")
    after = load_catalogue(out)
    assert report.added == ("g050", "g051")
    assert dict(report.left_out)["0005"].startswith("the catalogue has it already")
    assert after.product[48] == before.product[before.row("0007")]
    assert after.product[49] == before.product.max() + 1
    assert after.titles[48] == "Red shirt"


def test_what_cannot_be_added_is_said(shop: Path, tmp_path: Path) -> None:
    more = tmp_path / "more" / "hat"
    more.mkdir(parents=True)
    (more / "copy.png").write_bytes((tmp_path / "photos" / "hat" / "g001.png").read_bytes())
    (more / "g005.png").write_bytes((tmp_path / "photos" / "hat" / "g009.png").read_bytes())
    (more / "broken.png").write_bytes(b"no picture")
    (more / "notes.txt").write_text("words")
    before = load_catalogue(shop).fingerprint
    with pytest.raises(CatalogueError, match="nothing to add.*broken.png: not a picture.*Action: "):
        add_items(shop, Columns(), SeededEmbedder(), photos=tmp_path / "more")
    assert load_catalogue(shop).fingerprint == before
    draw(77, np.random.default_rng(7)).save(more / "new.png")
    report = add_items(shop, Columns(), SeededEmbedder(), photos=tmp_path / "more")
    assert report.added == ("new",)
    reasons = dict(report.left_out)
    assert reasons["copy"] == "the same picture as g001"
    assert "already" in reasons["g005"]
    assert reasons["hat/broken.png"] == "not a picture"
    assert ".txt" in reasons["hat/notes.txt"]


def test_another_network_is_refused(shop: Path, tmp_path: Path) -> None:
    class Other(SeededEmbedder):
        def describe(self) -> dict[str, str | int]:
            return {"name": "other", "dim": self.dim}

    with pytest.raises(CatalogueError, match="another backbone .name 'other' instead of 'seeded'.*Action: "):
        add_items(shop, Columns(), Other(), photos=tmp_path / "photos")


def test_a_catalogue_without_photos_takes_none(wardrobe: Wardrobe, tmp_path: Path) -> None:
    wardrobe.build(tmp_path / "bare", photos=False)
    with pytest.raises(CatalogueError, match="made without photos.*Action: "):
        add_items(tmp_path / "bare", COLUMNS, SeededEmbedder(), photos=wardrobe.photos, table=wardrobe.table)
    remove_items(tmp_path / "bare", ["0000"])
    assert len(load_catalogue(tmp_path / "bare")) == 47


@pytest.mark.parametrize(("gone", "says"), [(["nobody"], "has no item 'nobody'"), ([], "0 of 40"), (None, "40 of 40")])
def test_what_cannot_be_removed_leaves_the_catalogue_alone(shop: Path, gone: list[str] | None, says: str) -> None:
    before = (shop / "manifest.json").read_bytes()
    with pytest.raises(CatalogueError, match=f"{says}.*Action: "):
        remove_items(shop, load_catalogue(shop).item_ids if gone is None else gone)
    assert (shop / "manifest.json").read_bytes() == before


def test_a_change_keeps_what_the_manifest_said(shop: Path) -> None:
    before = json.loads((shop / "manifest.json").read_text())
    remove_items(shop, ["g001"])
    after = json.loads((shop / "manifest.json").read_text())
    for name in ("backbone", "options", "credit", "isolation", "layout", "made_with"):
        assert after[name] == before[name]
    assert after["counts"] == {**before["counts"], "items": 39, "photos": 39}
