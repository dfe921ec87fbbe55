"""Drawn photos of three classes in folders, and a small head for them that needs no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.unit.trendloom.catalogue.wardrobe import SeededEmbedder
from trendloom.classifier.head import Classifier, fit_standardisation
from trendloom.classifier.labelled import photos_by_path
from trendloom.classifier.seeing import look_at

CLASSES = ("dress", "hat", "shoe")


def draw_photo(kind: int, rng: np.random.Generator, width: int = 48, height: int = 64) -> Image.Image:
    """Return a noisy photo; the bright third (top, middle, bottom) tells the class."""
    pixels = rng.integers(0, 90, (height, width, 3), dtype=np.uint8)
    third = height // 3
    pixels[kind * third : (kind + 1) * third] += np.uint8(150)
    return Image.fromarray(pixels)


def fill_folders(place: Path, each: int = 12, seed: int = 3) -> Path:
    """Write ``each`` photos of every class, named alike in every folder; return the place."""
    rng = np.random.default_rng(seed)
    for kind, name in enumerate(CLASSES):
        (place / name).mkdir(parents=True)
        for number in range(each):
            draw_photo(kind, rng).save(place / name / f"item_{number // 2:02d}_{number % 2}.png")
    return place


def nearest_mean_head(place: Path) -> Classifier:
    """Return a linear head whose classes are the means of the photos in the folders of ``place``."""
    source, embedder = photos_by_path(place), SeededEmbedder()
    seen = look_at(source, sorted(source.names), embedder)
    features = seen.views["plain"]
    standardisation = fit_standardisation(features)
    seen_features = standardisation.apply(features)
    kinds = np.array([CLASSES.index(name.partition("/")[0]) for name in seen.names])
    means: npt.NDArray[np.float32] = np.stack([seen_features[kinds == kind].mean(axis=0) for kind in range(3)])
    bias = -(means**2).sum(axis=1) / 2
    return Classifier(
        CLASSES, standardisation, ((means.T.copy(), bias),), backbone=embedder.describe(), provenance={"seed": 3}
    )
