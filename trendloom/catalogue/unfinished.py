"""What a build has seen of the photos so far, on disk beside its target, so that a build that was killed continues.

Photos are known by the SHA-256 of their bytes: a photo that was changed is looked at anew, one that was renamed is
not. Chunks are only ever added, each whole or not at all; nothing here is needed once the catalogue stands.
Read next: :mod:`trendloom.catalogue.photo_stage`, which asks and fills it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from trendloom.errors import CatalogueError

__all__ = ["CHUNK_PHOTOS", "SeenPhoto", "Unfinished"]

#: Photos a chunk: what a killed build has to look at again at most, a few seconds' worth.
CHUNK_PHOTOS = 128


@dataclass(frozen=True)
class SeenPhoto:
    """What one photo told; ``reason`` says why it cannot be used, then the rest is empty and nobody keeps it."""

    #: SHA-256 of the file's bytes (with isolation: and of its name) and of the decoded pixels, hexadecimal.
    content: str
    pixels: str
    features: npt.NDArray[np.float32]
    thumbnail: bytes
    colour: str
    reason: str = ""


class Unfinished:
    """The photos that an unfinished build has seen: ask with ``get``, add with ``keep``, drop all with ``finish``.

    ``made_with`` is whatever decides what a photo tells (network, weights, isolation, thumbnails): what was kept under
    something else is dropped. Nothing is written before the first ``keep``. Only one build at a time may fill a place;
    a second one raises :class:`CatalogueError`.

    >>> from tempfile import TemporaryDirectory
    >>> seen = SeenPhoto("c0ffee", "beef", np.ones(3, np.float32), b"webp", "Red")
    >>> with TemporaryDirectory() as folder:
    ...     with Unfinished(Path(folder) / ".shop.unfinished", {"name": "seeded"}) as kept:
    ...         kept.keep(seen)
    ...     with Unfinished(Path(folder) / ".shop.unfinished", {"name": "seeded"}) as again:
    ...         again.get("c0ffee").colour
    'Red'
    """

    def __init__(self, place: Path, made_with: Mapping[str, Any]) -> None:
        self._place = place
        self._key = hashlib.sha256(json.dumps(made_with, sort_keys=True).encode()).hexdigest()
        self._known: dict[str, SeenPhoto] = {}
        self._kept: set[str] = set()
        self._waiting: list[SeenPhoto] = []
        self._chunks = 0
        self._lock: IO[str] | None = None
        if place.is_dir():
            self._take_lock()
            self._read()

    def __len__(self) -> int:
        """Return how many photos were seen before this build began."""
        return len(self._known)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, content: str) -> SeenPhoto | None:
        """Return what a photo told an earlier build, by the SHA-256 of its bytes; None if it was not seen."""
        return self._known.get(content)

    def keep(self, seen: SeenPhoto) -> None:
        """Keep what a photo told; it is on disk when its chunk is full, or at ``close``."""
        if seen.content in self._known or seen.content in self._kept:
            return
        self._kept.add(seen.content)
        self._waiting.append(seen)
        if len(self._waiting) >= CHUNK_PHOTOS:
            self._write()

    def close(self) -> None:
        """Write what waits and let go of the place."""
        if self._waiting:
            self._write()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def finish(self) -> None:
        """Drop everything: the catalogue stands."""
        self._waiting.clear()
        self.close()
        shutil.rmtree(self._place, ignore_errors=True)

    def _take_lock(self) -> None:
        self._lock = (self._place / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            raise CatalogueError(
                f"Another build is at work in {self._place}. Action: wait for it, or give another --out."
            ) from None

    def _read(self) -> None:
        for path in sorted(self._place.glob("chunk-*.safetensors")):
            self._chunks = max(self._chunks, int(path.stem.removeprefix("chunk-")) + 1)
            found = _read_chunk(path, self._key)
            if found is None:
                path.unlink()  # made with something else, or damaged: its photos are looked at anew
                continue
            for seen in found:
                self._known[seen.content] = seen

    def _write(self) -> None:
        try:
            if self._lock is None:
                self._place.mkdir(parents=True, exist_ok=True)
                self._take_lock()
            path = self._place / f"chunk-{self._chunks:06d}.safetensors"
            beside = path.with_suffix(".part")
            with beside.open("wb") as file:
                file.write(_chunk_bytes(self._waiting, self._key))
                file.flush()
                os.fsync(file.fileno())
            beside.rename(path)
        except OSError as error:
            raise CatalogueError(
                f"{self._place} cannot be written ({error.strerror}). Action: check the disk and the rights there, and "
                "run the same command again: it continues."
            ) from error
        self._chunks += 1
        self._waiting = []


def _chunk_bytes(seen: list[SeenPhoto], key: str) -> bytes:
    journal = [[photo.content, photo.pixels, photo.colour, len(photo.features)] for photo in seen]
    content: bytes = save(
        {
            "features": np.concatenate([photo.features for photo in seen] or [np.zeros(0, np.float32)]),
            "thumbnails": np.frombuffer(b"".join(photo.thumbnail for photo in seen), np.uint8),
            "lengths": np.array([len(photo.thumbnail) for photo in seen], np.int64),
        },
        metadata={"made_with": key, "journal": json.dumps(journal)},
    )
    return content


def _read_chunk(path: Path, key: str) -> list[SeenPhoto] | None:
    """Return the photos of a chunk, or None when it was made with something else or cannot be read."""
    try:
        with safe_open(path, framework="np") as tensors:
            told = tensors.metadata()
            if told["made_with"] != key:
                return None
            journal = json.loads(told["journal"])
            features, lengths = tensors.get_tensor("features"), tensors.get_tensor("lengths")
            thumbnails = tensors.get_tensor("thumbnails").tobytes()
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    found, at, picture = [], 0, 0
    for (content, pixels, colour, width), length in zip(journal, lengths.tolist(), strict=True):
        row, thumbnail = features[at : at + width], thumbnails[picture : picture + length]
        found.append(SeenPhoto(content, pixels, row, thumbnail, colour))
        at, picture = at + width, picture + length
    return found
