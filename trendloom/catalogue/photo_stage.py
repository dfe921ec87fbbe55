"""One walk over the photos of a build: decode, thumbnail and colour in threads, features in batches.

Holds what the walk brings back and never writes. Read next: :mod:`trendloom.catalogue.projection`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from trendloom.catalogue.embedding import Embedder
from trendloom.catalogue.photo_colour import colour_name
from trendloom.catalogue.photos import PhotoSource, UnusablePhoto, decode_photo, thumbnail_of
from trendloom.catalogue.table import ItemTable

__all__ = ["PhotoStage", "look_at_photos"]

_BATCH = 64


@dataclass(frozen=True)
class PhotoStage:
    """What the photos of N items told; P of them could be used."""

    #: (N,) row in ``features``; -1 = no photo.
    photo_row: npt.NDArray[np.int32]
    #: (P, F) backbone features.
    features: npt.NDArray[np.float32]
    thumbnails: list[bytes | None]
    seen_colours: list[str]
    left_out: tuple[tuple[str, str], ...]

    def colours(self, told: Sequence[str]) -> list[str]:
        """Return the colours that the table tells, and where it tells none, those that the photos show."""
        return [said or seen for said, seen in zip(told, self.seen_colours, strict=True)]


@dataclass(frozen=True)
class _Seen:
    prepared: npt.NDArray[np.uint8]
    thumbnail: bytes
    colour: str


def look_at_photos(
    items: ItemTable,
    source: PhotoSource,
    embedder: Embedder,
    *,
    side_px: int,
    quality: int,
    progress: Callable[[str, int, int], None],
) -> PhotoStage:
    """Return what the photos of ``items`` tell; items whose photo the source lacks are simply without a photo.

    A photo that is there and cannot be used is listed in ``left_out`` with its reason.
    """
    wanted = [row for row, name in enumerate(items.photos) if name in source.names]
    photo_row = np.full(len(items), -1, np.int32)
    thumbnails: list[bytes | None] = [None] * len(items)
    colours = [""] * len(items)
    left_out: list[tuple[str, str]] = []
    features = [np.zeros((0, embedder.dim), np.float32)]
    used = 0

    def see(row: int) -> _Seen | str:
        try:
            photo = decode_photo(source, items.photos[row])
        except UnusablePhoto as error:
            return str(error)
        colour = items.colours[row] or _colour(photo)
        return _Seen(embedder.prepare(photo), thumbnail_of(photo, side_px, quality), colour)

    with ThreadPoolExecutor(max_workers=2) as pool:
        upcoming = pool.map(see, wanted[:_BATCH])
        for start in range(0, len(wanted), _BATCH):
            rows, seen = wanted[start : start + _BATCH], list(upcoming)
            # the next batch is decoded while this one is looked at
            upcoming = pool.map(see, wanted[start + _BATCH : start + 2 * _BATCH])
            good = []
            for row, photo in zip(rows, seen, strict=True):
                if isinstance(photo, str):
                    left_out.append((items.item_ids[row], photo))
                    continue
                photo_row[row], thumbnails[row], colours[row] = used + len(good), photo.thumbnail, photo.colour
                good.append(photo.prepared)
            if good:
                features.append(embedder.embed(np.stack(good)))
                used += len(good)
            progress("embed", start + len(rows), len(wanted))
    return PhotoStage(photo_row, np.concatenate(features), thumbnails, colours, tuple(left_out))


def _colour(photo: Image.Image) -> str:
    return colour_name(photo)
