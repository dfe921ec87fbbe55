from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.unit.trendloom.catalogue.wardrobe import TYPES, SeededEmbedder, Wardrobe, draw


@pytest.fixture
def embedder() -> SeededEmbedder:
    """The network that is no network."""
    return SeededEmbedder()


@pytest.fixture
def wardrobe(tmp_path: Path) -> Wardrobe:
    """A table (CSV) and a zip file of photos; every garment has one."""
    rng = np.random.default_rng(11)
    table, photos = tmp_path / "wardrobe.csv", tmp_path / "wardrobe.zip"
    with table.open("w", newline="") as file, zipfile.ZipFile(photos, "w") as archive:
        rows = csv.writer(file)
        rows.writerow(["sku", "name", "type", "for", "model"])
        for number in range(48):
            kind = TYPES[number % 4]
            rows.writerow([f"{number:04d}", f"Fine {kind} {number}", kind, ("ladies", "men")[number // 4 % 2], number])
            sink = io.BytesIO()
            draw(number, rng).save(sink, "PNG")
            archive.writestr(f"photos/{number // 10}/{number:04d}.png", sink.getvalue())
    return Wardrobe(table, photos)


@pytest.fixture
def without_photo(wardrobe: Wardrobe) -> Wardrobe:
    """The wardrobe, where every third garment has no photo."""
    with zipfile.ZipFile(wardrobe.photos) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if int(Path(name).stem) % 3}
    with zipfile.ZipFile(wardrobe.photos, "w") as archive:
        for name, content in kept.items():
            archive.writestr(name, content)
    return wardrobe
