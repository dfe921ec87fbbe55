from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.unit.trendloom.catalogue.wardrobe import SeededEmbedder, Wardrobe, draw, fill_wardrobe


@pytest.fixture
def embedder() -> SeededEmbedder:
    """The network that is no network."""
    return SeededEmbedder()


@pytest.fixture(scope="session")
def photographed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photos of all 48 garments in a zip file, which no test changes."""
    rng = np.random.default_rng(11)
    path = tmp_path_factory.mktemp("wardrobe") / "wardrobe.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(48):
            sink = io.BytesIO()
            draw(number, rng).save(sink, "PNG", compress_level=1)
            archive.writestr(f"photos/{number // 10}/{number:04d}.png", sink.getvalue())
    return path


@pytest.fixture
def wardrobe(photographed: Path, tmp_path: Path) -> Wardrobe:
    """A table (CSV) and a zip file of photos, its own; every garment has one."""
    return fill_wardrobe(tmp_path, photographed)


@pytest.fixture
def without_photo(photographed: Path, tmp_path: Path) -> Wardrobe:
    """The wardrobe, where every third garment has no photo."""
    return fill_wardrobe(tmp_path, photographed, photo=lambda number: number % 3 > 0)
