from __future__ import annotations

import zipfile

import numpy as np
import pytest

from tests.unit.trendloom.catalogue.wardrobe import COLUMNS, SeededEmbedder, Wardrobe
from trendloom.catalogue.photo_stage import PhotoStage, look_at_photos
from trendloom.catalogue.photos import open_photos
from trendloom.catalogue.table import read_items


def look(wardrobe: Wardrobe, embedder: SeededEmbedder) -> PhotoStage:
    items = read_items(wardrobe.table, COLUMNS)
    return look_at_photos(
        items, open_photos(wardrobe.photos), embedder, side_px=40, quality=70, progress=lambda *now: None
    )


def replace_photos(wardrobe: Wardrobe, changed: dict[str, bytes | None]) -> None:
    """Replace photos by content, or take them away (None)."""
    with zipfile.ZipFile(wardrobe.photos) as archive:
        photos = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(wardrobe.photos, "w") as archive:
        for name, content in photos.items():
            kept = changed.get(name[-8:-4], content)
            if kept is not None:
                archive.writestr(name, kept)


def test_features_belong_to_their_items_however_batches_fall(wardrobe: Wardrobe, embedder: SeededEmbedder) -> None:
    whole = look(wardrobe, embedder)
    assert whole.photo_row.tolist() == list(range(48))
    assert sum(embedder.batches) == 48
    assert len(embedder.batches) > 1
    replace_photos(wardrobe, {f"{number:04d}": None for number in (0, 1, 2, 17)})
    part = look(wardrobe, SeededEmbedder())
    kept = np.flatnonzero(part.photo_row >= 0)
    assert sorted(set(range(48)) - set(kept.tolist())) == [0, 1, 2, 17]
    # the items moved to other batches; their features moved with them
    assert part.features[part.photo_row[kept]] == pytest.approx(whole.features[kept], abs=1e-4)


def test_broken_photos_are_listed_missing_ones_are_simply_missing(wardrobe: Wardrobe, embedder: SeededEmbedder) -> None:
    replace_photos(wardrobe, {"0003": b"no picture", "0004": None, "0047": b"\x89PNG\r\n\x1a\n broken"})
    stage = look(wardrobe, embedder)
    assert [item_id for item_id, _ in stage.left_out] == ["0003", "0047"]
    assert all(reason for _, reason in stage.left_out)
    for row in (3, 4, 47):
        assert stage.photo_row[row] == -1
        assert stage.thumbnails[row] is None
    assert len(stage.features) == 45


def test_no_photo_at_all_gives_no_features(wardrobe: Wardrobe, embedder: SeededEmbedder) -> None:
    replace_photos(wardrobe, {f"{number:04d}": None for number in range(48)})
    stage = look(wardrobe, embedder)
    assert stage.features.shape == (0, embedder.dim)
    assert (stage.photo_row == -1).all()


def test_what_the_table_says_of_colour_stands() -> None:
    nothing = np.zeros(0, np.int32)
    stage = PhotoStage(nothing, np.zeros((0, 2), np.float32), [], ["Red", "Blue"], (), [])
    assert stage.colours(["Ochre", ""]) == ["Ochre", "Blue"]
