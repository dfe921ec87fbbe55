"""A catalogue of coloured squares with thumbnails, and a look at photos that sees their colour: no network needed."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from trendloom.catalogue.garment import Catalogue
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.catalogue.thumbnails import Thumbnails
from trendloom.similar import Similar

__all__ = ["ColourLook", "FixedLabels", "Squares", "square", "squares_catalogue", "squares_search"]


class ColourLook:
    """The mean colour of a photo, centred and of length 1."""

    def __init__(self) -> None:
        self.asked = 0

    def embed(self, photos: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        self.asked += 1
        colours = np.array([np.asarray(photo.resize((1, 1)), np.float32).reshape(3) for photo in photos])
        rows = colours - 127.4
        unit: npt.NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


class FixedLabels:
    """The same probabilities for every photo."""

    def __init__(self, labels: Sequence[str], probabilities: Sequence[float]) -> None:
        self.labels = tuple(labels)
        self._row = np.asarray(probabilities, np.float32)

    def probabilities(self, photos: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        return np.tile(self._row, (len(photos), 1))


class Squares(Thumbnails):
    """A thumbnail of every colour but the last."""

    def __init__(self, colours: Sequence[tuple[int, int, int]]) -> None:
        super().__init__({})
        self._colours = colours

    def get(self, row: int) -> bytes | None:
        return square(self._colours[row], "WEBP") if row < len(self._colours) - 1 else None


def square(colour: tuple[int, int, int], kind: str = "PNG", side: int = 48) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(sink, kind)
    return sink.getvalue()


def squares_catalogue(count: int = 40) -> Catalogue:
    """Items of random colours, in random order of their photos; the category is "dark" or "light"."""
    rng = np.random.default_rng(7)
    colours = [(int(r), int(g), int(b)) for r, g, b in rng.integers(0, 256, size=(count, 3))]
    photo_row = rng.permutation(count).astype(np.int32)
    rows = ColourLook().embed([Image.new("RGB", (8, 8), colour) for colour in colours])
    embeddings = np.empty_like(rows, dtype=np.float16)
    embeddings[photo_row] = rows
    return dataclasses.replace(
        random_catalogue(count, rng),
        category=np.array([sum(colour) > 381 for colour in colours], np.int16),
        category_names=("Dark", "Light"),
        photo_row=photo_row,
        photo_embeddings=embeddings,
        thumbnails=Squares(colours),
        manifest={"name": "squares", "credit": "nobody"},
    )


def squares_search(labels: FixedLabels | None = None, count: int = 40) -> Similar:
    found = labels or FixedLabels(["light", "dark"], [0.5, 0.5])
    return Similar(squares_catalogue(count), open_look=ColourLook, open_labels=lambda: found)
