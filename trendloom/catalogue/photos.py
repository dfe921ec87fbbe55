"""Reads photos from a folder or a zip file by name, and says why one cannot be used instead of failing.

A file is looked at with suspicion: how many bytes it has before it is read, how many pixels it claims before they are
decoded, which format it is before a decoder sees it. Never writes, never follows a name out of its folder.
Read next: :mod:`trendloom.catalogue.embedding`.
"""

from __future__ import annotations

import io
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from trendloom.catalogue.jpeg_scans import MOST_SCANS, has_too_many_scans
from trendloom.errors import CatalogueError

__all__ = [
    "DECODER_ERRORS",
    "LEAST_SIDE_PX",
    "MOST_BYTES",
    "MOST_PIXELS",
    "MOST_STRETCH",
    "WORKING_SIDE_PX",
    "PhotoSource",
    "UnusablePhoto",
    "decode_bytes",
    "decode_photo",
    "open_photos",
    "plain_photo",
    "read_bounded",
    "read_photo",
    "readable",
    "thumbnail_of",
    "upright_size",
]

#: Photos with a shorter side are refused: a backbone would see little but interpolation.
LEAST_SIDE_PX = 32
#: Photos that are longer than so many times their short side are refused: no garment is, and of one that is a million
#: pixels long a backbone that looks at the middle of photos would make a picture of gigabytes.
MOST_STRETCH = 20
#: Files with more bytes are refused before they are read: the largest camera JPEGs have some 40 MB.
MOST_BYTES = 64_000_000
#: Photos that claim more pixels are refused before they are decoded: the largest phone cameras have 50 million that
#: people use, and decoded they take up to 4 bytes each.
MOST_PIXELS = 60_000_000
#: A photo whose short side is at least twice this is decoded or reduced to a whole fraction of its size, never below
#: this: no backbone looks at more than 300 pixels a side.
WORKING_SIDE_PX = 640
#: Photos above this many pixels are decoded one at a time, so that memory does not grow with the number of threads.
_LARGE_PIXELS = 8_000_000

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}
#: The only decoders that see a file, whatever its name says; the others were not made for files from strangers.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
_JPEG = {"JPEG", "MPO"}
#: What Pillow's decoders raise on broken files.
DECODER_ERRORS = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    ZeroDivisionError,
    NotImplementedError,
    struct.error,
    zlib.error,
)

_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
}

_one_large = threading.Lock()


class UnusablePhoto(Exception):
    """A photo cannot be used; the text is the reason, for the list in the manifest."""


@dataclass(frozen=True)
class PhotoSource:
    """Where photos lie: ``names`` are what photos are asked for by, ``read`` gives a file's bytes.

    ``paths`` has for each name the file's path within the source, ``passed_over`` the paths of files that lie there,
    too, and are no photos by their names, with the reason.
    """

    names: frozenset[str]
    read: Callable[[str], bytes]
    paths: Mapping[str, str] = field(default_factory=dict)
    passed_over: tuple[tuple[str, str], ...] = ()


def open_photos(path: Path, *, by: Literal["stem", "path"] = "stem") -> PhotoSource:
    """Return the photos in a folder (searched to any depth) or a zip file.

    They are named ``by`` file name without folder and ending ("stem"; of two files with one name the alphabetically
    first path counts), or by whole relative path. Hidden files and folders are passed over, and so are catalogues that
    were built there. Raises :class:`CatalogueError` when there is nothing at ``path`` or it is neither a folder nor a
    zip file.
    """
    if path.is_dir():
        # pictures of catalogues that were built in here are nobody's photos
        built = {
            sheet.parent for sheet in path.rglob("contact-sheet.jpg") if (sheet.parent / "items.parquet").is_file()
        }
        there = (file for file in path.rglob("*") if file.is_file() and built.isdisjoint(file.parents))
        files = sorted(file.relative_to(path).as_posix() for file in there)
        found, passed_over = _named(files, by)
        return PhotoSource(frozenset(found), lambda name: read_bounded(path / found[name]), found, passed_over)
    if not path.is_file():
        raise CatalogueError(f"There are no photos at {path}. Action: name a folder or a zip file with --photos.")
    try:
        # open as long as the source is in use; reads from several threads are serialised by zipfile itself
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise CatalogueError(f"{path} is no zip file. Action: name a folder or a zip file with --photos.") from None
    members, passed_over = _named(sorted(name for name in archive.namelist() if not name.endswith("/")), by)
    return PhotoSource(frozenset(members), lambda name: _read_member(archive, members[name]), members, passed_over)


def readable(path: str) -> str:
    """Return a path as text that can be written anywhere: bytes that are no UTF-8 become question marks."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _named(paths: list[str], by: Literal["stem", "path"]) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    found: dict[str, str] = {}
    passed_over: list[tuple[str, str]] = []
    for path in paths:
        pure = PurePosixPath(path)
        if "__MACOSX" in pure.parts or any(part.startswith(".") for part in pure.parts):
            continue
        if pure.suffix.lower() not in _SUFFIXES:
            passed_over.append(
                (readable(path), f"its name ends in {pure.suffix or 'nothing'}, which is no photo's ending")
            )
        else:
            found.setdefault(pure.stem if by == "stem" else path, path)
    return found, tuple(passed_over)


def read_bounded(path: Path) -> bytes:
    """Return the bytes of a file; raises :class:`UnusablePhoto` when it has more than any photo, and OSError."""
    with path.open("rb") as file:
        return _bounded(file.read(MOST_BYTES + 1))


def _read_member(archive: zipfile.ZipFile, member: str) -> bytes:
    with archive.open(member) as file:  # what it claims to hold may be a lie: no more than so much is unpacked
        return _bounded(file.read(MOST_BYTES + 1))


def _bounded(content: bytes) -> bytes:
    if len(content) > MOST_BYTES:
        raise UnusablePhoto(f"too large: more than {MOST_BYTES // 1_000_000} MB")
    return content


def decode_photo(source: PhotoSource, name: str) -> Image.Image:
    """Return a photo as an upright RGB picture; raises :class:`UnusablePhoto` with the reason when it cannot be."""
    return decode_bytes(read_photo(source, name))


def read_photo(source: PhotoSource, name: str) -> bytes:
    """Return the bytes of a photo's file; raises :class:`UnusablePhoto` with the reason when it cannot be read."""
    if name not in source.names:
        raise UnusablePhoto("no such photo")
    try:
        return source.read(name)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        # RuntimeError: a password is needed, or (as NotImplementedError) a compression that Python cannot undo
        raise UnusablePhoto(f"cannot be read: {error}") from error


def decode_bytes(content: bytes) -> Image.Image:
    """Return the picture in a file's bytes, upright, RGB, on white where it is clear, of an animation the first frame.

    Memory is bounded whatever the file claims: large photos are reduced while they are decoded where the format
    allows it, and one at a time. Raises :class:`UnusablePhoto` with the reason when there is none.

    >>> sink = io.BytesIO()
    >>> Image.new("L", (40, 50), 9).save(sink, "PNG")
    >>> decode_bytes(sink.getvalue()).getpixel((5, 5))
    (9, 9, 9)
    """
    if not content:
        raise UnusablePhoto("empty: the file holds no bytes")
    try:
        picture: Image.Image = Image.open(io.BytesIO(content), formats=_FORMATS)
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise UnusablePhoto(f"too large: {width}x{height} is more than {MOST_PIXELS // 1_000_000} million pixels")
        if min(width, height) < LEAST_SIDE_PX:
            raise UnusablePhoto(f"too small: {width}x{height}, at least {LEAST_SIDE_PX} a side")
        if max(width, height) > MOST_STRETCH * min(width, height):
            raise UnusablePhoto(f"too small: {width}x{height} is more than {MOST_STRETCH} times as long as wide")
        if picture.format in _JPEG and has_too_many_scans(content):
            raise UnusablePhoto(f"too much work: more than {MOST_SCANS} scans, which no camera or program makes")
        with _one_large if width * height > _LARGE_PIXELS else nullcontext():
            return plain_photo(picture)
    except UnidentifiedImageError:
        raise UnusablePhoto("not a picture") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusablePhoto(f"too large: {error}") from error
    except MemoryError:
        raise UnusablePhoto("too large: it does not fit in memory") from None
    except DECODER_ERRORS as error:
        raise UnusablePhoto(f"broken: {error}") from error


def plain_photo(picture: Image.Image) -> Image.Image:
    """Return the pixels of an open picture as RGB on white, of a working size, the right way up; it stays as it is."""
    if picture.format in _JPEG:
        picture.draft(None, (WORKING_SIDE_PX, WORKING_SIDE_PX))  # decodes a half, a quarter or an eighth at once
    picture.load()
    turn = _turn(picture)
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _eight_bits(picture)
    if picture.mode in {"RGBA", "LA", "La", "RGBa", "PA"} or "transparency" in picture.info:
        # premultiplied while it is reduced: clear pixels have no colour to mix in
        rgba = _reduced(picture.convert("RGBA").convert("RGBa")).convert("RGBA")
        plain = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    else:
        plain = _reduced(picture.convert("RGB"))
    return plain if turn is None else plain.transpose(turn)


def _reduced(picture: Image.Image) -> Image.Image:
    factor = min(picture.size) // WORKING_SIDE_PX
    return picture.reduce(factor) if factor > 1 else picture


def upright_size(content: bytes) -> tuple[int, int]:
    """Return width and height of the picture in a file's bytes, as it stands upright: what people count pixels in.

    :func:`decode_bytes` gives large photos smaller. Raises what Pillow raises where it gives none.

    >>> sink = io.BytesIO()
    >>> Image.new("L", (4000, 3000)).save(sink, "PNG")
    >>> upright_size(sink.getvalue()), decode_bytes(sink.getvalue()).size
    ((4000, 3000), (1000, 750))
    """
    with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
        width, height = picture.size
        turned = _turn(picture) in _SIDEWAYS
    return (height, width) if turned else (width, height)


def _turn(picture: Image.Image) -> Image.Transpose | None:
    """Return how a picture is to be turned by what it says of itself; what cannot be understood says nothing."""
    try:
        return _TURNS.get(picture.getexif().get(_ORIENTATION, 1))
    except DECODER_ERRORS:
        return None


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Return a grey picture of more than 8 bits a pixel as one of 8: integers by their 8 high bits, others by range."""
    values = np.asarray(picture, np.float32)
    low, high = (0.0, 65_535.0 if values.max() > 255 else 255.0)
    if picture.mode == "F":
        low, high = float(values.min()), float(values.max())
    scaled = np.clip((values - low) * (255.0 / max(high - low, 1e-9)), 0.0, 255.0)
    return Image.fromarray(scaled.astype(np.uint8))


def thumbnail_of(photo: Image.Image, side_px: int, quality: int) -> bytes:
    """Return a WebP picture whose long side is at most ``side_px``."""
    small = photo.copy()
    small.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    small.save(sink, "WEBP", quality=quality, method=4)
    return sink.getvalue()
