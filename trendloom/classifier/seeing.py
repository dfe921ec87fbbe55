"""Looks at photos through a frozen backbone, once, in one or several ways, and keeps the features in a file.

A photo that cannot be used is listed with its reason and never stops the others. Knows no labels. Read next:
:mod:`trendloom.classifier.training`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from trendloom.catalogue.embedding import Embedder
from trendloom.catalogue.photos import PhotoSource, UnusablePhoto, decode_photo
from trendloom.errors import ClassifierError

__all__ = ["VIEWS", "SeenPhotos", "keep_seen", "look_at", "look_once", "seen_before"]

#: Photos a thread looks at together: small enough that the network's layers stay in the cache.
_BATCH = 8
#: Shares of the sides that a crop keeps, least and most.
_CROP = (0.8, 0.95)


@dataclass(frozen=True)
class SeenPhotos:
    """What P usable photos of those asked for look like, in V ways."""

    names: tuple[str, ...]
    #: (P, F) features for each way of seeing, by its name.
    views: dict[str, npt.NDArray[np.float32]]
    #: First 8 bytes of the SHA-256 of the pixels that the network saw, as hexadecimal: equal for equal pictures.
    digests: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def _crop(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return a crop of .8 to .95 of the sides somewhere in the photo, mirrored every other time."""
    share = rng.uniform(*_CROP)
    width, height = max(1, int(photo.width * share)), max(1, int(photo.height * share))
    left, top = int(rng.integers(photo.width - width + 1)), int(rng.integers(photo.height - height + 1))
    cropped = photo.crop((left, top, left + width, top + height))
    return ImageOps.mirror(cropped) if rng.random() < 0.5 else cropped


#: Ways of seeing a photo; "plain" is as it is.
VIEWS: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "plain": lambda photo, rng: photo,
    "mirror": lambda photo, rng: ImageOps.mirror(photo),
    "crop": _crop,
}


def look_at(
    source: PhotoSource,
    names: Sequence[str],
    embedder: Embedder,
    *,
    views: Sequence[str] = ("plain",),
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SeenPhotos:
    """Return the features of the usable photos among ``names``, in their order; "plain" must be one of ``views``.

    Crops depend on ``seed`` and the photo's name alone, not on threads or neighbours.
    """
    batches = [names[start : start + _BATCH] for start in range(0, len(names), _BATCH)]
    found: dict[str, list[npt.NDArray[np.float32]]] = {view: [] for view in views}
    usable: list[str] = []
    digests: list[str] = []
    left_out: list[tuple[str, str]] = []

    def prepare(name: str) -> dict[str, npt.NDArray[np.uint8]] | str:
        try:
            photo = decode_photo(source, name)
        except UnusablePhoto as error:
            return str(error)
        rng = np.random.default_rng(
            [seed, int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], "little")]
        )
        return {view: embedder.prepare(VIEWS[view](photo, rng)) for view in views}

    def see(batch: Sequence[str]) -> list[tuple[dict[str, npt.NDArray[np.float32]], str] | str]:
        prepared = [prepare(name) for name in batch]
        good = [photo for photo in prepared if not isinstance(photo, str)]
        seen = {view: embedder.embed(np.stack([photo[view] for photo in good])) for view in views if good}
        rows = iter(range(len(good)))
        results: list[tuple[dict[str, npt.NDArray[np.float32]], str] | str] = []
        for photo in prepared:
            if isinstance(photo, str):
                results.append(photo)
                continue
            row = next(rows)
            digest = hashlib.sha256(photo["plain"].tobytes()).hexdigest()[:16]
            results.append(({view: seen[view][row] for view in views}, digest))
        return results

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        done = 0
        for batch, results in zip(batches, pool.map(see, batches), strict=True):
            for name, result in zip(batch, results, strict=True):
                if isinstance(result, str):
                    left_out.append((name, result))
                    continue
                usable.append(name)
                digests.append(result[1])
                for view in views:
                    found[view].append(result[0][view])
            done += len(batch)
            progress(done, len(names))
    stacked = {
        view: np.stack(rows) if rows else np.zeros((0, embedder.dim), np.float32) for view, rows in found.items()
    }
    return SeenPhotos(tuple(usable), stacked, tuple(digests), tuple(left_out))


def look_once(
    source: PhotoSource,
    names: Sequence[str],
    embedder: Embedder,
    *,
    views: Sequence[str],
    seed: int,
    kept: Path | None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SeenPhotos:
    """Return what :func:`look_at` returns, from the file ``kept`` when it was made of the same; else write it there.

    Raises :class:`ClassifierError` for a view that does not exist, and as :func:`seen_before`.
    """
    if unknown := sorted(set(views) - set(VIEWS)):
        raise ClassifierError(f"There is no view {unknown[0]}. Action: name {', '.join(sorted(VIEWS))}.")
    asked = json.dumps([list(names), embedder.describe(), list(views), seed], sort_keys=True)
    key = hashlib.sha256(asked.encode()).hexdigest()
    before = seen_before(kept, key) if kept is not None else None
    if before is not None:
        # a file has an order of its own; training draws views by their place
        return replace(before, views={view: before.views[view] for view in views})
    seen = look_at(source, names, embedder, views=views, seed=seed, progress=progress)
    if kept is not None:
        keep_seen(seen, kept, key)
    return seen


def keep_seen(seen: SeenPhotos, path: Path, key: str) -> None:
    """Write what was seen to a safetensors file; ``key`` says of which photos through which backbone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {
        "key": key,
        "names": json.dumps(seen.names),
        "digests": json.dumps(seen.digests),
        "left_out": json.dumps(seen.left_out),
    }
    unfinished = path.with_name(path.name + ".unfinished")
    save_file(seen.views, unfinished, told)
    unfinished.replace(path)


def seen_before(path: Path, key: str) -> SeenPhotos | None:
    """Return what :func:`keep_seen` wrote under this ``key``, or None when there is no file or it has another key.

    Raises :class:`ClassifierError` for a file of something else, which is not overwritten either.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="np") as file:
            told: dict[str, str] = file.metadata() or {}
            if told.get("key") != key:
                return None
            views = {view: file.get_tensor(view) for view in file.keys()}  # noqa: SIM118
            left_out = tuple((str(name), str(reason)) for name, reason in json.loads(told["left_out"]))
            return SeenPhotos(tuple(json.loads(told["names"])), views, tuple(json.loads(told["digests"])), left_out)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ClassifierError(
            f"{path} holds no features of photos: {error}. Action: name another file, or delete it."
        ) from error
