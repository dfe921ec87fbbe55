"""Turns what somebody hands over into a photo to search with, or refuses it quickly with a sentence.

What a file claims to be is looked at before anything is unpacked: a picture that would fill the memory is refused by
its header. Never writes, never trusts a file's name. Read next: :mod:`trendloom.catalogue.photos`, which decodes.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from trendloom.catalogue.photos import DECODER_ERRORS, UnusablePhoto, decode_bytes, plain_photo, read_bounded
from trendloom.errors import PhotoRefused

__all__ = ["MOST_PIXELS", "Photo", "read_photo", "take_photo"]

#: A photo that somebody hands over: a picture in memory, a file, or a file's content.
Photo = Image.Image | Path | str | bytes

#: 36 million pixels, decoded, are 108 MB; a decoder holds a few such copies for a moment.
MOST_PIXELS = 36_000_000
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
_KNOWN = "JPEG, PNG, WebP, GIF or BMP"


def take_photo(photo: Photo) -> Image.Image:
    """Return an upright RGB picture of whatever is a photo; raises :class:`PhotoRefused`.

    A path is read; a picture in memory is turned upright, as its EXIF says, and stands on white where it is clear.
    """
    if isinstance(photo, bytes):
        return read_photo(photo)
    if isinstance(photo, Image.Image):
        try:
            photo.load()  # so that it is not opened smaller behind its owner's back
            return plain_photo(photo)
        except DECODER_ERRORS as error:
            raise _broken("The picture", error) from error
    try:
        content = read_bounded(Path(photo))
    except UnusablePhoto as error:
        raise PhotoRefused("too_many_bytes", f"{photo} is {error}. Action: name the file of a photo.") from error
    except OSError as error:
        why = (error.strerror or "it cannot be opened").lower()
        raise PhotoRefused(
            "unreadable", f"{photo} cannot be read ({why}). Action: name the file of a photo."
        ) from error
    return read_photo(content, name=str(photo))


def read_photo(content: bytes, *, most_pixels: int = MOST_PIXELS, name: str = "The photo") -> Image.Image:
    """Return the picture in a file's ``content``, upright and RGB; of an animation the first frame.

    Raises :class:`PhotoRefused` with one of the reasons ``empty``, ``not_a_picture``, ``too_many_pixels``,
    ``too_small`` and ``broken``; the first three within milliseconds, as nothing is unpacked for them.

    >>> sink = io.BytesIO()
    >>> Image.new("L", (40, 50)).save(sink, "PNG")
    >>> read_photo(sink.getvalue()).size
    (40, 50)
    """
    if not content:
        raise PhotoRefused("empty", f"{name} is empty. Action: send the file of a photo ({_KNOWN}).")
    Image.init()  # named formats must have been registered
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
            with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
                width, height = opened.size
    except UnidentifiedImageError:
        raise PhotoRefused(
            "not_a_picture", f"{name} is no picture that can be read. Action: send a photo as {_KNOWN}."
        ) from None
    except Image.DecompressionBombError:
        raise _too_large(name, "far too many", most_pixels) from None
    except DECODER_ERRORS as error:
        raise _broken(name, error) from error
    if width * height > most_pixels:
        raise _too_large(name, f"{width} x {height}", most_pixels)
    try:
        return decode_bytes(content)
    except UnusablePhoto as error:
        if "too small" in str(error):
            raise PhotoRefused("too_small", f"{name} is {error}. Action: send a larger one.") from error
        raise _broken(name, error) from error


def _too_large(name: str, size: str, most_pixels: int) -> PhotoRefused:
    return PhotoRefused(
        "too_many_pixels",
        f"{name} has {size} pixels, more than {most_pixels // 1_000_000} million. "
        "Action: make it smaller; 1,000 pixels a side are plenty.",
    )


def _broken(name: str, error: Exception) -> PhotoRefused:
    why = str(error).removeprefix("broken: ")
    return PhotoRefused(
        "broken",
        f"{name} cannot be decoded ({why}). Action: open it in a picture viewer, save it again and send that.",
    )
