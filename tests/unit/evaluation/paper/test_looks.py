from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.paper.looks import look_at, masks_digest
from tests.unit.evaluation.paper.small_street import networks, street
from trendloom.catalogue.isolation import open_isolator
from trendloom.catalogue.photos import open_photos
from trendloom.errors import CatalogueError


def test_every_network_sees_every_garment_as_unit_rows(tmp_path: Path) -> None:
    looks = look_at(street(tmp_path, products=12), networks())
    assert sorted(looks.rows) == ["one", "two"]
    for rows in looks.rows.values():
        assert rows.shape == (12, 24)
        assert np.allclose(np.linalg.norm(rows.astype(np.float32), axis=1), 1.0, atol=2e-3)
    assert not np.array_equal(looks.rows["one"], looks.rows["two"])


def test_a_broken_photo_is_left_out_with_its_reason_for_all_networks(tmp_path: Path) -> None:
    garments = street(tmp_path, products=12)
    (tmp_path / garments.source.paths[garments.items.photos[3]]).write_bytes(b"no picture")
    looks = look_at(garments, networks())
    assert len(looks.garments) == 11
    assert {len(rows) for rows in looks.rows.values()} == {11}
    assert looks.left_out[0][1] == "not a picture"
    assert garments.items.item_ids[3] not in looks.garments.items.item_ids


def test_what_was_seen_is_kept_until_something_else_decides(tmp_path: Path) -> None:
    garments = street(tmp_path / "photos", products=12)
    first, second, third = networks()[0], networks()[0], networks()[0]
    whole = look_at(garments, [first], keep_in=tmp_path / "kept")
    again = look_at(garments, [second], keep_in=tmp_path / "kept")
    assert first.batches
    assert not second.batches
    assert np.array_equal(whole.rows["one"], again.rows["one"])
    look_at(garments, [third], keep_in=tmp_path / "kept", masks="others")
    assert third.batches == first.batches


def test_a_mask_that_was_redrawn_is_another_look(tmp_path: Path) -> None:
    garments = street(tmp_path / "photos", products=4)
    masks = tmp_path / "masks"
    masks.mkdir()

    def draw_masks(left: int) -> None:
        for name in garments.items.photos:
            with Image.open(tmp_path / "photos" / garments.source.paths[name]) as photo:
                mask = Image.new("RGB", photo.size, (0, 0, 0))  # background
            mask.paste((70, 70, 70), (left, 8, left + 20, 56))  # a garment
            mask.save(masks / f"{Path(name).stem}_segm.png")

    digests, rows = [], []
    for left in (0, 20):
        draw_masks(left)
        source = open_photos(masks)
        digests.append(masks_digest(source))
        looks = look_at(
            garments,
            networks()[:1],
            isolator=open_isolator("colour-mask", source),
            masks=digests[-1],
            keep_in=tmp_path / "kept",
        )
        rows.append(looks.rows["one"])
    assert digests[0] != digests[1]
    assert not np.allclose(rows[0], rows[1])


def test_a_network_named_twice_and_no_photo_at_all(tmp_path: Path) -> None:
    garments = street(tmp_path, products=4)
    with pytest.raises(CatalogueError, match="named twice"):
        look_at(garments, [networks()[0], networks()[0]])
    for name in garments.items.photos:
        (tmp_path / garments.source.paths[name]).write_bytes(b"no picture")
    with pytest.raises(CatalogueError, match="No photo can be used"):
        look_at(garments, networks())
