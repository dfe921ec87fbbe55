from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from trendloom.catalogue.photos import PhotoSource, UnusablePhoto, decode_photo, open_photos, thumbnail_of
from trendloom.errors import CatalogueError


def encoded(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, kind, **options)
    return sink.getvalue()


PLAIN = Image.effect_noise((64, 48), 50).convert("RGB")


def holding(content: bytes) -> PhotoSource:
    return PhotoSource(frozenset({"it"}), lambda name: content)


def test_folders_and_zip_files_are_searched_to_any_depth(tmp_path: Path) -> None:
    content = encoded(PLAIN)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("a/b/0001.jpg", "0002.JPEG", "a/.hidden.jpg", "a/readme.txt", "b/0001.png"):
            archive.writestr(name, content if name.startswith("a") else encoded(PLAIN, "PNG"))
            (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "folder" / name).write_bytes(archive.read(name))
    for source in (open_photos(tmp_path / "photos.zip"), open_photos(tmp_path / "folder")):
        assert source.names == {"0001", "0002"}
        assert source.read("0001") == content  # of two, the alphabetically first


def test_what_was_built_among_the_photos_and_what_is_hidden_is_no_photo(tmp_path: Path) -> None:
    built = ("mine/contact-sheet.jpg", "mine/items.parquet", ".mine.unfinished/1.jpg")
    for name in ("hat/1.jpg", "contact-sheet.jpg", *built):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded(PLAIN))
    source = open_photos(tmp_path, by="path")
    assert source.names == {"hat/1.jpg", "contact-sheet.jpg"}  # this one lies in no catalogue
    assert source.passed_over == ()


def test_what_is_no_source_of_photos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_text("not a zip file")
    for path in (tmp_path / "photos.zip", tmp_path / "nothing"):
        with pytest.raises(CatalogueError, match="Action: name a folder or a zip file"):
            open_photos(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"no picture", "not a picture"),
        (b"GIF89a but not really", "broken|not a picture"),
        (encoded(PLAIN)[:600], "broken"),
        (encoded(PLAIN, "PNG")[:900], "broken"),
        (encoded(Image.new("RGB", (31, 400))), "too small: 31x400"),
        (encoded(Image.new("L", (200_000, 40)), "PNG"), "too small: 200000x40 is more than 20 times"),
    ],
)
def test_a_photo_that_cannot_be_used_has_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(UnusablePhoto, match=reason):
        decode_photo(holding(content), "it")


def test_a_photo_that_is_not_there_has_a_reason() -> None:
    with pytest.raises(UnusablePhoto, match="no such photo"):
        decode_photo(holding(b""), "another")


def test_a_picture_that_claims_to_be_enormous_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnusablePhoto, match="too large"):
        decode_photo(holding(encoded(PLAIN)), "it")


@pytest.mark.parametrize("at", range(40, 1400, 97))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_any_damage_gives_a_picture_or_a_reason(kind: str, at: int) -> None:
    content = bytearray(encoded(PLAIN, kind))
    content[at % len(content)] ^= 0xFF
    content[(at * 7) % len(content)] ^= 0x55
    with suppress(UnusablePhoto):
        assert decode_photo(holding(bytes(content)), "it").mode == "RGB"


@pytest.mark.parametrize("at", [40, 60, 200, 500])
def test_a_damaged_member_of_a_zip_file_has_a_reason(tmp_path: Path, at: int) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("it.bmp", encoded(PLAIN, "BMP"))
    content = bytearray((tmp_path / "photos.zip").read_bytes())
    content[at : at + 8] = b"\xff" * 8
    (tmp_path / "photos.zip").write_bytes(content)
    with pytest.raises(UnusablePhoto, match="cannot be read"):
        decode_photo(open_photos(tmp_path / "photos.zip"), "it")


def test_a_member_behind_a_password_has_a_reason(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("it.jpg", encoded(PLAIN))
    content = (tmp_path / "photos.zip").read_bytes()
    # bit 0 of the flags says "encrypted": in the local header (offset 6) and in the central directory (offset 8)
    central = content.index(b"PK\x01\x02")
    locked = bytearray(content)
    locked[6] |= 1
    locked[central + 8] |= 1
    (tmp_path / "photos.zip").write_bytes(locked)
    with pytest.raises(UnusablePhoto, match="cannot be read"):
        decode_photo(open_photos(tmp_path / "photos.zip"), "it")


def test_photos_stand_upright_and_on_white() -> None:
    turned = Image.new("RGB", (80, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    assert decode_photo(holding(encoded(turned, exif=exif)), "it").size == (40, 80)
    clear = Image.new("RGBA", (40, 40), (10, 20, 30, 0))
    assert decode_photo(holding(encoded(clear, "PNG")), "it").getpixel((5, 5)) == (255, 255, 255)
    grey = Image.new("L", (40, 40), 9)
    assert decode_photo(holding(encoded(grey, "PNG")), "it").getpixel((5, 5)) == (9, 9, 9)


def test_thumbnails_keep_the_shape_and_never_grow() -> None:
    for size, expected in (((400, 300), (160, 120)), ((50, 40), (50, 40))):
        small = Image.open(io.BytesIO(thumbnail_of(Image.new("RGB", size), 160, 70)))
        assert (small.format, small.size) == ("WEBP", expected)
