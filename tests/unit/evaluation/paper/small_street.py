"""A folder of drawn photos under the names of the source's data set, as garments and as two networks see them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from evaluation.paper.garments import Garments, garments_of_folder
from evaluation.paper.looks import Looks, look_at
from tests.unit.trendloom.catalogue.wardrobe import SeededEmbedder

CATEGORIES = ("Denim", "Dresses", "Shorts", "Tees_Tanks")
STORES = {"north": (0.0, 0.0), "south": (-0.9, 0.4)}


class NamedEmbedder(SeededEmbedder):
    """A seeded network with a name of its own."""

    def __init__(self, name: str, seed: int) -> None:
        super().__init__(seed)
        self._name = name

    def describe(self) -> dict[str, str | int]:
        return {"name": self._name, "dim": self.dim}


def networks() -> list[NamedEmbedder]:
    return [NamedEmbedder("one", 1), NamedEmbedder("two", 2)]


def draw_street(folder: Path, *, products: int = 40, views: int = 1) -> Path:
    """Draw so many products for women and men in turn, each with so many views; those of a category share a pattern."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    for number in range(products):
        category = CATEGORIES[number // 2 % len(CATEGORIES)]
        pattern = np.random.default_rng(number // 2 % len(CATEGORIES)).random((4, 3, 3))
        gender = ("WOMEN", "MEN")[number % 2]
        own = rng.random((1, 1, 3))
        for view in range(1, views + 1):
            pixels = np.kron(0.7 * pattern + 0.25 * own + 0.05 * rng.random((4, 3, 3)), np.ones((16, 16, 1)))
            photo = Image.fromarray((pixels * 255).astype(np.uint8))
            photo.save(folder / f"{gender}-{category}-id_{number:08d}-01_{view}_front.png")
    return folder


def street(folder: Path, *, products: int = 40, views: int = 1) -> Garments:
    return garments_of_folder(draw_street(folder, products=products, views=views), stores=len(STORES), seed=1)


def seen(folder: Path) -> Looks:
    return look_at(street(folder), networks())


def rows_of(looks: Looks, name: str = "one") -> npt.NDArray[np.float16]:
    return looks.rows[name]
