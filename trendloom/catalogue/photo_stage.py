"""One walk over the photos of a build: decode, isolate, thumbnail, colour and features, small batches in threads.

Decoding overlaps with computing, what was seen is kept as it comes, and what an earlier walk has seen is not looked at
again. Holds what the walk brings back and decides nothing. Read next: :mod:`trendloom.catalogue.unfinished`.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from trendloom.catalogue.embedding import Embedder
from trendloom.catalogue.photo_colour import colour_name
from trendloom.catalogue.photos import (
    PhotoSource,
    UnusablePhoto,
    decode_bytes,
    read_photo,
    readable,
    thumbnail_of,
)
from trendloom.catalogue.table import ItemTable
from trendloom.catalogue.unfinished import SeenPhoto, Unfinished

__all__ = ["PhotoIsolator", "PhotoStage", "look_at_photos"]

#: Photos a thread looks at together: with 8, the widest layer of EfficientNet-Lite0 (38 MB) is so large that the system
#: is asked for fresh memory each time, which took a quarter of the time.
_BATCH = 4
_NOTHING = np.zeros(0, np.float32)


class _Cut(Protocol):
    @property
    def photo(self) -> Image.Image:
        """The garment."""


class PhotoIsolator(Protocol):
    """What cuts the garment out of a photo; called from several threads."""

    def describe(self) -> dict[str, str | int | float]:
        """Return kind and settings, for the manifest."""

    def isolate(self, photo: Image.Image, name: str) -> _Cut:
        """Return the garment of an RGB photo; raises UnusablePhoto with the reason."""


@dataclass(frozen=True)
class PhotoStage:
    """What the photos of N items told; P of them have one that could be used."""

    #: (N,) row in ``features``; -1 = no photo.
    photo_row: npt.NDArray[np.int32]
    #: (P, F) backbone features; of an item with several photos the mean of their unit features.
    features: npt.NDArray[np.float32]
    thumbnails: list[bytes | None]
    seen_colours: list[str]
    #: (item id, reason) of each photo that could not be used; with layouts, the photo's path instead of an id.
    left_out: tuple[tuple[str, str], ...]
    #: (N,) SHA-256 of the decoded pixels of the photo that stands for the item; "" = no photo.
    pixels: list[str]

    def colours(self, told: Sequence[str]) -> list[str]:
        """Return the colours that the table tells, and where it tells none, those that the photos show."""
        return [said or seen for said, seen in zip(told, self.seen_colours, strict=True)]

    def take(self, rows: Sequence[int]) -> PhotoStage:
        """Return what the photos of these items told, in this order; features stand in the order of the items."""
        kept = self.photo_row[np.asarray(rows, np.int64)]
        photo_row = np.full(len(rows), -1, np.int32)
        photo_row[kept >= 0] = np.arange(int((kept >= 0).sum()))
        return replace(
            self,
            photo_row=photo_row,
            features=self.features[kept[kept >= 0]],
            thumbnails=[self.thumbnails[row] for row in rows],
            seen_colours=[self.seen_colours[row] for row in rows],
            pixels=[self.pixels[row] for row in rows],
        )


def look_at_photos(
    items: ItemTable,
    source: PhotoSource,
    embedder: Embedder,
    *,
    side_px: int,
    quality: int,
    progress: Callable[[str, int, int], None],
    isolator: PhotoIsolator | None = None,
    unfinished: Unfinished | None = None,
    named_by_path: bool = False,
) -> PhotoStage:
    """Return what the photos of ``items`` tell; items whose photo the source lacks are simply without a photo.

    A photo that is there and cannot be used is listed in ``left_out`` with its reason, ``named_by_path`` or by its
    item. What ``unfinished`` knows is not looked at again, and what is seen is added to it.
    """
    wanted = [(row, name) for row in range(len(items)) for name in items.photos_of(row) if name in source.names]
    look = _Look(source, embedder, isolator, unfinished, side_px=side_px, quality=quality)
    told: list[list[SeenPhoto]] = [[] for _ in range(len(items))]
    left_out: list[tuple[str, str]] = []
    batches = [wanted[start : start + _BATCH] for start in range(0, len(wanted), _BATCH)]
    done = 0
    for batch, seen in zip(batches, look.walk([(name, not items.colours[row]) for row, name in wanted]), strict=True):
        for (row, name), photo in zip(batch, seen, strict=True):
            if photo.reason:
                left_out.append((readable(name) if named_by_path else items.item_ids[row], photo.reason))
            elif all(photo.pixels != other.pixels for other in told[row]):
                told[row].append(photo)
            if unfinished is not None and not photo.reason:
                unfinished.keep(photo)  # what could not be used is asked again: a mask may be there by then
        done += len(batch)
        progress("embed", done, len(wanted))
    photographed = [row for row, photos in enumerate(told) if photos]
    photo_row = np.full(len(items), -1, np.int32)
    photo_row[photographed] = np.arange(len(photographed))
    features = [_mean([photo.features for photo in told[row]]) for row in photographed]
    return PhotoStage(
        photo_row,
        np.stack(features) if features else np.zeros((0, embedder.dim), np.float32),
        [photos[0].thumbnail if photos else None for photos in told],
        [items.colours[row] or (photos[0].colour if photos else "") for row, photos in enumerate(told)],
        tuple(left_out),
        [photos[0].pixels if photos else "" for photos in told],
    )


def _mean(features: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Return the features of an item: those of its one photo, or the mean of its photos' unit features."""
    if len(features) == 1:
        return features[0]
    rows = np.stack(features)
    mean: npt.NDArray[np.float32] = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)).mean(axis=0)
    return mean


class _Look:
    """Looks at batches of photos in as many threads as there are cores."""

    def __init__(
        self,
        source: PhotoSource,
        embedder: Embedder,
        isolator: PhotoIsolator | None,
        unfinished: Unfinished | None,
        *,
        side_px: int,
        quality: int,
    ) -> None:
        self._source = source
        self._embedder = embedder
        self._isolator = isolator
        self._unfinished = unfinished
        self._side_px = side_px
        self._quality = quality

    def walk(self, wanted: list[tuple[str, bool]]) -> Iterator[list[SeenPhoto]]:
        """Yield what the photos (name, whether their colour is wanted) told, batch by batch, in order."""
        workers = os.cpu_count() or 1
        with ThreadPoolExecutor(max_workers=workers) as pool:
            pending: deque[Future[list[SeenPhoto]]] = deque()
            # a few batches ahead of what is asked for, and no more: what waits is in memory
            for start in range(0, len(wanted), _BATCH):
                pending.append(pool.submit(self._batch, wanted[start : start + _BATCH]))
                if len(pending) > 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def _batch(self, wanted: list[tuple[str, bool]]) -> list[SeenPhoto]:
        seen: list[SeenPhoto] = []
        prepared: list[npt.NDArray[np.uint8]] = []
        places: list[int] = []
        for name, with_colour in wanted:
            try:
                content = read_photo(self._source, name)
            except UnusablePhoto as error:
                seen.append(SeenPhoto("", "", _NOTHING, b"", "", str(error)))
                continue
            digest = hashlib.sha256(content).hexdigest()
            if self._isolator is not None:  # a mask is found by the photo's name
                digest = hashlib.sha256(f"{digest} {PurePosixPath(name).stem}".encode("utf-8", "replace")).hexdigest()
            known = self._unfinished.get(digest) if self._unfinished is not None else None
            if known is not None and (known.colour or not with_colour):
                seen.append(known)
                continue
            try:
                photo = decode_bytes(content)
                garment = photo
                if self._isolator is not None:
                    garment = self._isolator.isolate(photo, PurePosixPath(name).stem).photo
                pixels = self._embedder.prepare(garment)
            except UnusablePhoto as error:
                seen.append(SeenPhoto(digest, "", _NOTHING, b"", "", str(error)))
                continue
            places.append(len(seen))
            prepared.append(pixels)
            drawn = hashlib.sha256(f"{photo.width}x{photo.height}:".encode() + photo.tobytes()).hexdigest()
            colour = colour_name(garment) if with_colour else ""
            thumbnail = thumbnail_of(photo, self._side_px, self._quality)
            seen.append(SeenPhoto(digest, drawn, _NOTHING, thumbnail, colour))
        if prepared:
            # always batches of one size: what a photo's features are must not depend on which others are known already
            full = prepared + [prepared[-1]] * (_BATCH - len(prepared))
            vectors = self._embedder.embed(np.stack(full))
            for place, vector in zip(places, vectors, strict=False):
                seen[place] = replace(seen[place], features=np.asarray(vector, np.float32))
        return seen
