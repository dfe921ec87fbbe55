"""Reads photos from a folder or a zip file by name, and says why one cannot be used instead of failing.

Never writes, never follows a name out of its folder. Read next: :mod:`trendloom.catalogue.embedding`.
"""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image, ImageOps, UnidentifiedImageError

from trendloom.errors import CatalogueError

__all__ = ["LEAST_SIDE_PX", "PhotoSource", "UnusablePhoto", "decode_photo", "open_photos", "thumbnail_of"]

#: Photos with a shorter side are refused: a backbone would see little but interpolation.
LEAST_SIDE_PX = 32
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}


class UnusablePhoto(Exception):
    """A photo cannot be used; the text is the reason, for the list in the manifest."""


@dataclass(frozen=True)
class PhotoSource:
    """Where photos lie: ``names`` are file names without folder and extension, ``read`` gives a file's bytes."""

    names: frozenset[str]
    read: Callable[[str], bytes]


def open_photos(path: Path) -> PhotoSource:
    """Return the photos in a folder (searched to any depth) or a zip file.

    Of two files with one name the alphabetically first path counts. Raises :class:`CatalogueError` when there is
    nothing at ``path`` or it is neither a folder nor a zip file.
    """
    if path.is_dir():
        found = _by_stem([file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()])
        return PhotoSource(frozenset(found), lambda name: (path / found[name]).read_bytes())
    if not path.is_file():
        raise CatalogueError(f"There are no photos at {path}. Action: name a folder or a zip file with --photos.")
    try:
        # open as long as the source is in use; reads from several threads are serialised by zipfile itself
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise CatalogueError(f"{path} is no zip file. Action: name a folder or a zip file with --photos.") from None
    members = _by_stem(archive.namelist())
    return PhotoSource(frozenset(members), lambda name: archive.read(members[name]))


def _by_stem(paths: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(paths):
        pure = PurePosixPath(path)
        if pure.suffix.lower() in _SUFFIXES and not pure.name.startswith("."):
            found.setdefault(pure.stem, path)
    return found


def decode_photo(source: PhotoSource, name: str) -> Image.Image:
    """Return a photo as an upright RGB picture; raises :class:`UnusablePhoto` with the reason when it cannot be."""
    if name not in source.names:
        raise UnusablePhoto("no such photo")
    try:
        content = source.read(name)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        # RuntimeError: a password is needed, or (as NotImplementedError) a compression that Python cannot undo
        raise UnusablePhoto(f"cannot be read: {error}") from error
    try:
        with warnings.catch_warnings():
            # a picture that claims to be enormous is refused, not decoded
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture: Image.Image = Image.open(io.BytesIO(content))
            picture.load()
            picture = ImageOps.exif_transpose(picture)
            if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
                rgba = picture.convert("RGBA")
                white = Image.new("RGBA", rgba.size, "white")
                picture = Image.alpha_composite(white, rgba)
            picture = picture.convert("RGB")
    except UnidentifiedImageError:
        raise UnusablePhoto("not a picture") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusablePhoto(f"too large: {error}") from error
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow's decoders raise on broken files
        raise UnusablePhoto(f"broken: {error}") from error
    if min(picture.size) < LEAST_SIDE_PX:
        raise UnusablePhoto(f"too small: {picture.width}x{picture.height}, at least {LEAST_SIDE_PX} a side")
    return picture


def thumbnail_of(photo: Image.Image, side_px: int, quality: int) -> bytes:
    """Return a WebP picture whose long side is at most ``side_px``."""
    small = photo.copy()
    small.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    small.save(sink, "WEBP", quality=quality, method=4)
    return sink.getvalue()
