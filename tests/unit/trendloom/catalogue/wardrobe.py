"""A wardrobe of drawn photos, its table, and a network that is no network: for tests of the build."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from trendloom.catalogue.build import BuildOptions, BuildReport, build_catalogue
from trendloom.catalogue.columns import Columns
from trendloom.catalogue.looking import Progress

COLUMNS = Columns(
    item_id="sku",
    title="name",
    category="type",
    gender=("for",),
    product="model",
    attributes={"type": 1.0, "for": 0.5},
    words=("name",),
    store_ids=("north", "south"),
)
TYPES = ("dress", "hat", "shirt", "shoe")


class SeededEmbedder:
    """A linear map of an 8 x 8 picture: looks like a backbone, needs no torch."""

    dim = 24

    def __init__(self, seed: int = 5) -> None:
        self._weights = np.random.default_rng(seed).normal(size=(8 * 8 * 3, self.dim))
        #: How many pictures each call was given.
        self.batches: list[int] = []

    def describe(self) -> dict[str, str | int]:
        return {"name": "seeded", "dim": self.dim}

    def prepare(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        return np.asarray(photo.resize((8, 8), Image.Resampling.BOX), np.uint8)

    def embed(self, prepared: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self.batches.append(len(prepared))
        pixels = prepared.reshape(len(prepared), -1) / 255.0 - 0.5
        return (pixels @ self._weights).astype(np.float32)


@dataclass(frozen=True)
class Wardrobe:
    """48 garments, 12 of each type; the photos of a type share a pattern."""

    table: Path
    photos: Path

    def build(
        self,
        out: Path,
        *,
        photos: bool = True,
        options: BuildOptions | None = None,
        progress: Progress | None = None,
    ) -> BuildReport:
        """Build its catalogue with the seeded network."""
        return build_catalogue(
            self.table,
            out,
            COLUMNS,
            options or BuildOptions(neighbours=6, lowest=4, photo_dims=12),
            photos=self.photos if photos else None,
            embedder=SeededEmbedder() if photos else None,
            progress=progress,
        )


def draw(number: int, rng: np.random.Generator, size: tuple[int, int] = (120, 160)) -> Image.Image:
    """Return a photo of garment ``number``: the type's pattern, the garment's own colour, a little noise."""
    width, height = size
    patterns = np.random.default_rng(number % len(TYPES)).random((4, 3, 3))
    coarse = 0.8 * patterns + 0.2 * rng.random((1, 1, 3))
    pixels = np.kron(coarse, np.ones((height // 4, width // 3, 1)))[:height, :width]
    noisy = np.clip(pixels + 0.02 * rng.random(pixels.shape), 0, 1)
    return Image.fromarray((noisy * 255).astype(np.uint8))


def fill_wardrobe(place: Path, photographed: Path, photo: Callable[[int], bool] = lambda number: True) -> Wardrobe:
    """Write a wardrobe's table and its photos, taken from the zip file ``photographed``, of the garments that ``photo``
    names.
    """
    table, photos = place / "wardrobe.csv", place / "photos.zip"
    with zipfile.ZipFile(photographed) as archive, zipfile.ZipFile(photos, "w") as kept:
        for name in archive.namelist():
            if photo(int(Path(name).stem)):
                kept.writestr(name, archive.read(name))
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sku", "name", "type", "for", "model"])
        for number in range(48):
            kind = TYPES[number % 4]
            rows.writerow([f"{number:04d}", f"Fine {kind} {number}", kind, ("ladies", "men")[number // 4 % 2], number])
    return Wardrobe(table, photos)
