"""One walk over the photos of a build: decode, thumbnail, colour and features, small batches in threads.

Holds what the walk brings back and never writes. Read next: :mod:`trendloom.catalogue.projection`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.embedding import Embedder
from trendloom.catalogue.photo_colour import colour_name
from trendloom.catalogue.photos import PhotoSource, UnusablePhoto, decode_photo, thumbnail_of
from trendloom.catalogue.table import ItemTable

__all__ = ["PhotoStage", "look_at_photos"]

#: Photos a thread looks at together: small enough that the network's layers stay in the cache.
_BATCH = 8


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


class _Seen:
    """What one photo told; its features come with those of its batch."""

    def __init__(self, prepared: npt.NDArray[np.uint8], thumbnail: bytes, colour: str) -> None:
        self.prepared = prepared
        self.thumbnail = thumbnail
        self.colour = colour
        self.features = np.zeros(0, np.float32)


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
    features: list[npt.NDArray[np.float32]] = []

    def see(rows: list[int]) -> list[_Seen | str]:
        seen = [_see(row) for row in rows]
        good = [photo for photo in seen if not isinstance(photo, str)]
        if good:
            vectors = embedder.embed(np.stack([photo.prepared for photo in good]))
            for photo, vector in zip(good, vectors, strict=True):
                photo.features = vector
        return seen

    def _see(row: int) -> _Seen | str:
        try:
            photo = decode_photo(source, items.photos[row])
        except UnusablePhoto as error:
            return str(error)
        colour = items.colours[row] or colour_name(photo)
        return _Seen(embedder.prepare(photo), thumbnail_of(photo, side_px, quality), colour)

    batches = [wanted[start : start + _BATCH] for start in range(0, len(wanted), _BATCH)]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        done = 0
        for rows, seen in zip(batches, pool.map(see, batches), strict=True):
            for row, photo in zip(rows, seen, strict=True):
                if isinstance(photo, str):
                    left_out.append((items.item_ids[row], photo))
                    continue
                photo_row[row], thumbnails[row], colours[row] = len(features), photo.thumbnail, photo.colour
                features.append(photo.features)
            done += len(rows)
            progress("embed", done, len(wanted))
    stacked = np.stack(features) if features else np.zeros((0, embedder.dim), np.float32)
    return PhotoStage(photo_row, stacked, thumbnails, colours, tuple(left_out))
