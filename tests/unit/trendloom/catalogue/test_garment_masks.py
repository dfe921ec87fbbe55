from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from trendloom.catalogue.garment_masks import (
    CCP_GARMENTS,
    CCP_LABELS,
    NOT_GARMENT_COLOURS,
    ColourMask,
    LabelMap,
    garment_by_colour,
    read_mask,
)
from trendloom.catalogue.isolation import open_isolator
from trendloom.catalogue.photos import PhotoSource, UnusablePhoto, open_photos

#: A shirt of one of DeepFashion's garment colours between hair, face, skin and background.
SHIRT = (250, 235, 215)


def png(picture: Image.Image, kind: str = "PNG") -> bytes:
    sink = io.BytesIO()
    picture.save(sink, kind)
    return sink.getvalue()


def colours(width: int = 80, height: int = 100) -> npt.NDArray[np.uint8]:
    mask = np.zeros((height, width, 3), np.uint8)
    mask[5:15, 30:50] = NOT_GARMENT_COLOURS["hair"]
    mask[15:30, 30:50] = NOT_GARMENT_COLOURS["face"]
    mask[30:40, 20:60] = NOT_GARMENT_COLOURS["skin"]
    mask[40:90, 20:60] = SHIRT
    return mask


def holding(**contents: bytes) -> PhotoSource:
    return PhotoSource(frozenset(contents), contents.__getitem__)


PHOTO = Image.new("RGB", (80, 100), (90, 60, 30))


def test_colour_masks_are_found_beside_their_photos(tmp_path: Path) -> None:
    name = "WOMEN-Dresses-id_00000002-02_1_front"
    Image.fromarray(colours()).save(tmp_path / f"{name}_segm.png")
    found = open_isolator("colour-mask", open_photos(tmp_path)).isolate(PHOTO, name)
    assert found.how == "colour-mask"
    assert found.mask.sum() == 50 * 40
    assert found.photo.size == (42, 52)  # a margin of one pixel
    pixels = np.asarray(found.photo)
    assert (pixels[found.mask] == (90, 60, 30)).all()
    assert (pixels[~found.mask] == 255).all()


@pytest.mark.parametrize("scale", [0.5, 2.0, 3.3])
def test_a_mask_of_another_size_is_resized_without_new_colours(scale: float) -> None:
    size = (round(80 * scale), round(100 * scale))
    mask = Image.fromarray(colours()).resize(size, Image.Resampling.NEAREST)
    found = ColourMask(holding(a_segm=png(mask)), tolerance=0).isolate(PHOTO, "a")
    assert abs(int(found.mask.sum()) - 50 * 40) < 200


def test_colours_that_are_a_little_off_are_met_by_tolerance() -> None:
    noisy = colours().astype(np.int16) + np.random.default_rng(3).integers(-6, 7, (100, 80, 3))
    mask = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    exact = ColourMask(holding(a_segm=png(mask)), tolerance=0).isolate(PHOTO, "a")
    tolerant = ColourMask(holding(a_segm=png(mask))).isolate(PHOTO, "a")
    assert exact.mask.sum() > 3 * 50 * 40  # few pixels have an exact colour, so most would be garment
    assert tolerant.mask.sum() == 50 * 40


def test_palette_and_transparent_masks_are_masks_too() -> None:
    for mode in ("P", "RGBA"):
        mask = Image.fromarray(colours())
        mask = mask.convert("RGBA") if mode == "RGBA" else mask.quantize(8)
        assert ColourMask(holding(a_segm=png(mask))).isolate(PHOTO, "a").mask.sum() == 50 * 40


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no mask a_segm"),
        (b"", "its mask a_segm is not a picture"),
        (b"no picture", "its mask a_segm is not a picture"),
        (png(Image.fromarray(colours()))[:120], "its mask a_segm cannot be read"),
        (png(Image.new("RGB", (80, 100))), "its mask shows no garment: 0 pixels"),
    ],
)
def test_a_mask_that_cannot_be_used_is_a_reason_for_its_photo(content: bytes | None, reason: str) -> None:
    masks = holding() if content is None else holding(a_segm=content)
    with pytest.raises(UnusablePhoto, match=reason):
        ColourMask(masks).isolate(PHOTO, "a")


def test_a_mask_that_claims_to_be_enormous_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnusablePhoto, match="too large"):
        read_mask(holding(a=png(Image.fromarray(colours()))), "a")


def test_exact_colours_and_nothing_else_are_no_garment() -> None:
    for colour in NOT_GARMENT_COLOURS.values():
        pixel = np.array([[colour]], np.uint8)
        assert not garment_by_colour(pixel, 0).any()
        assert garment_by_colour(np.where(pixel > 0, pixel - 1, pixel + 1).astype(np.uint8), 0).all()


def test_the_labels_of_clothing_co_parsing() -> None:
    assert len(CCP_LABELS) == 59
    assert (CCP_LABELS[0], CCP_LABELS[41], CCP_LABELS[58]) == ("null", "skin", "wedges")
    garments = {CCP_LABELS[number] for number in CCP_GARMENTS}
    assert garments >= {"bag", "dress", "shoes", "hat", "t-shirt"}
    assert not garments & {"null", "hair", "skin", "watch", "sunglasses"}


@pytest.mark.parametrize("mode", ["L", "P", "I;16"])
def test_label_maps_tell_garments_by_number(mode: str) -> None:
    values = np.zeros((100, 80), np.uint8)
    values[10:20, 30:50] = 41  # skin
    values[20:60, 20:60] = 54  # top
    values[60:90, 20:60] = 42  # skirt
    mask = Image.fromarray(values)
    if mode == "P":
        mask.putpalette(bytes(768))
    if mode == "I;16":
        mask = Image.fromarray(values.astype(np.uint16))
    masks = holding(a=png(mask))
    assert LabelMap(masks).isolate(PHOTO, "a").mask.sum() == 70 * 40
    assert LabelMap(masks, {42}).isolate(PHOTO, "a").mask.sum() == 30 * 40
    assert LabelMap(masks, {42}).describe()["garment_labels"] == "42"
    with pytest.raises(UnusablePhoto, match="shows no garment"):
        LabelMap(masks, {14}).isolate(PHOTO, "a")


def test_a_coloured_picture_is_no_label_map() -> None:
    with pytest.raises(UnusablePhoto, match="mode RGB, no label map"):
        LabelMap(holding(a=png(Image.fromarray(colours())))).isolate(PHOTO, "a")
