from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from trendloom.catalogue.isolation import ISOLATIONS, crop_to_mask, open_isolator
from trendloom.catalogue.photos import PhotoSource, UnusablePhoto
from trendloom.errors import CatalogueError

NO_MASKS = PhotoSource(frozenset(), lambda name: b"")


def test_a_photo_left_alone_is_all_garment() -> None:
    photo = Image.effect_noise((40, 60), 50).convert("RGB")
    isolator = open_isolator("none")
    found = isolator.isolate(photo, "any")
    assert found.photo.tobytes() == photo.tobytes()
    assert found.mask.shape == (60, 40)
    assert found.mask.all()
    assert isolator.describe() == {"kind": "none"}


def test_a_crop_is_never_larger_than_its_photo_and_white_around() -> None:
    photo = Image.new("RGB", (60, 50), (10, 20, 30))
    mask = np.zeros((50, 60), np.bool_)
    mask[0:50, 0:59] = True
    found = crop_to_mask(photo, mask, "by hand", margin=0.5)
    assert found.photo.size == (60, 50)
    pixels = np.asarray(found.photo)
    assert (pixels[:, 59] == 255).all()
    assert (pixels[:, :59] == (10, 20, 30)).all()


def test_a_mask_of_nothing_is_a_reason_and_one_of_another_size_a_bug() -> None:
    photo = Image.new("RGB", (60, 50))
    with pytest.raises(UnusablePhoto, match="shows no garment: 0 pixels"):
        crop_to_mask(photo, np.zeros((50, 60), np.bool_), "by hand")
    with pytest.raises(ValueError, match="a mask of"):
        crop_to_mask(photo, np.ones((60, 50), np.bool_), "by hand")


def test_every_kind_but_saliency_opens_and_says_its_name() -> None:
    for kind in ISOLATIONS:
        if kind != "saliency":
            assert open_isolator(kind, NO_MASKS).describe()["kind"] == kind


def test_what_cannot_be_opened_says_what_to_do() -> None:
    with pytest.raises(CatalogueError, match="no way 'magic'.*Action: name one of none, near-white"):
        open_isolator("magic")
    for kind in ("colour-mask", "label-map"):
        with pytest.raises(CatalogueError, match=f"{kind} needs masks.*Action: "):
            open_isolator(kind)
    with pytest.raises(CatalogueError, match="tolerance of 65"):
        open_isolator("colour-mask", NO_MASKS, tolerance=65)
    with pytest.raises(CatalogueError, match="tolerance of -1"):
        open_isolator("near-white", tolerance=-1)
    with pytest.raises(CatalogueError, match="No label is a garment"):
        open_isolator("label-map", NO_MASKS, labels=())
