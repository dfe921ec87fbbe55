from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.trendloom.catalogue.hostile import many_scans
from trendloom.errors import PhotoRefused
from trendloom.similar.photo import read_photo, take_photo


def content(picture: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, kind, **how)
    return sink.getvalue()


def bomb(side: int) -> bytes:
    """A PNG of a few hundred bytes that claims to be ``side`` x ``side`` pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 9999))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGB", "JPEG"),
        ("L", "PNG"),
        ("CMYK", "JPEG"),
        ("P", "PNG"),
        ("RGBA", "PNG"),
        ("P", "GIF"),
        ("RGB", "WEBP"),
        ("RGB", "BMP"),
        ("I;16", "PNG"),
        ("1", "PNG"),
        ("LA", "PNG"),
    ],
)
def test_whatever_a_camera_or_a_shop_saves_becomes_rgb(mode: str, kind: str) -> None:
    photo = read_photo(content(Image.new(mode, (50, 40)), kind))
    assert (photo.mode, photo.size) == ("RGB", (50, 40))


def test_a_photo_that_was_held_sideways_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_photo(content(Image.new("RGB", (80, 40)), "JPEG", exif=exif)).size == (40, 80)
    turned = Image.open(io.BytesIO(content(Image.new("RGB", (80, 40)), "JPEG", exif=exif)))
    assert take_photo(turned).size == (40, 80)


def test_a_picture_in_memory_is_taken_as_its_file_would_be() -> None:
    clear = Image.new("RGBA", (60, 40), (9, 9, 9, 0))
    assert take_photo(clear).getpixel((5, 5)) == read_photo(content(clear)).getpixel((5, 5)) == (255, 255, 255)
    large = Image.open(io.BytesIO(content(Image.new("RGB", (1400, 1400)), "JPEG")))
    assert take_photo(large).size == (700, 700)
    assert large.size == (1400, 1400)
    with pytest.raises(PhotoRefused, match="The picture cannot be decoded"):
        take_photo(Image.open(io.BytesIO(GOOD[: len(GOOD) // 2])))


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    photo = read_photo(content(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert photo.getpixel((5, 5)) == pytest.approx((255, 0, 0), abs=3)


GOOD = content(Image.effect_noise((300, 300), 60).convert("RGB"), "JPEG")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (b"", "empty"),
        (b"hello", "not_a_picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_a_picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not_a_picture"),
        (content(Image.new("RGB", (40, 40)), "TIFF"), "not_a_picture"),
        (GOOD[: len(GOOD) // 2], "broken"),
        (content(Image.new("RGB", (40, 40)))[:60], "broken"),
        (bomb(100), "broken"),
        (bomb(20_000), "too_many_pixels"),
        (bomb(2_000_000), "too_many_pixels"),
        (content(Image.new("RGB", (20, 400))), "too_small"),
        (many_scans(content(Image.new("L", (4000, 4000)), "JPEG", progressive=True), 9_000), "broken"),
    ],
)
def test_what_is_no_photo_is_refused_at_once_and_says_what_to_do(given: bytes, reason: str) -> None:
    tracemalloc.start()
    began_s = time.monotonic()
    try:
        with pytest.raises(PhotoRefused) as refused:
            read_photo(given)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.value.reason == reason
    assert "Action: " in str(refused.value)
    assert time.monotonic() - began_s < 1.0
    assert peak_bytes < 5_000_000


def test_the_limit_of_pixels_is_the_callers() -> None:
    photo = content(Image.new("RGB", (100, 50)))
    assert read_photo(photo, most_pixels=5000).size == (100, 50)
    with pytest.raises(PhotoRefused, match="has 100 x 50 pixels"):
        read_photo(photo, most_pixels=4999)


def test_a_file_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.jpg"
    path.write_bytes(GOOD)
    assert take_photo(path).size == take_photo(str(path)).size == take_photo(GOOD).size == (300, 300)
    path.write_bytes(b"no")
    with pytest.raises(PhotoRefused, match="mine.jpg is no picture"):
        take_photo(path)
    for nothing in (tmp_path / "gone.jpg", tmp_path):
        with pytest.raises(PhotoRefused, match="cannot be read") as refused:
            take_photo(nothing)
        assert refused.value.reason == "unreadable"
