from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.trendloom.catalogue.killed_build import OPTIONS
from tests.unit.trendloom.catalogue.wardrobe import SeededEmbedder
from trendloom.catalogue import unfinished
from trendloom.catalogue.build import BuildReport, build_catalogue
from trendloom.catalogue.columns import Columns
from trendloom.catalogue.unfinished import CHUNK_PHOTOS, SeenPhoto, Unfinished
from trendloom.errors import CatalogueError

PHOTOS = 2 * CHUNK_PHOTOS + 44
MADE_WITH = {"name": "seeded"}


def seen(name: str, width: int = 3) -> SeenPhoto:
    return SeenPhoto(name, f"pixels of {name}", np.full(width, ord(name[0]), np.float32), name.encode() * 2, "Red")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred little photos in three folders."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(8)
    for number in range(PHOTOS):
        path = folder / ("hats", "shirts", "shoes")[number % 3] / f"{number:04d}.png"
        path.parent.mkdir(exist_ok=True)
        coarse = rng.integers(0, 256, (4, 4, 3)).astype(np.uint8)
        Image.fromarray(np.kron(coarse, np.ones((8, 8, 1), np.uint8))).save(path, compress_level=1)
    return folder


def build(photos: Path, out: Path, embedder: SeededEmbedder) -> BuildReport:
    return build_catalogue(None, out, Columns(), OPTIONS, photos=photos, embedder=embedder)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def test_a_killed_build_continues_and_its_catalogue_is_the_same_byte_for_byte(photos: Path, tmp_path: Path) -> None:
    whole = build(photos, tmp_path / "whole", SeededEmbedder())
    out = tmp_path / "killed"
    doomed = [sys.executable, "-m", "tests.unit.trendloom.catalogue.killed_build", str(photos), str(out)]
    killed = subprocess.run([*doomed, "60"], check=False, timeout=50)
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    kept = sorted(path.name for path in (tmp_path / ".killed.unfinished").glob("chunk-*"))
    assert kept == ["chunk-000000.safetensors"]
    embedder = SeededEmbedder()
    report = build(photos, out, embedder)
    assert report.resumed == CHUNK_PHOTOS
    assert sum(embedder.batches) == -(-(PHOTOS - CHUNK_PHOTOS) // 4) * 4  # the others, in batches of four
    assert report.fingerprint == whole.fingerprint
    assert contents(out) == contents(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "whole"]


def test_a_photo_that_was_changed_meanwhile_is_looked_at_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "CHUNK_PHOTOS", 8)
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(24):
        Image.new("RGB", (40, 40), (10 * number, 90, 9)).save(folder / f"{number:02d}.png")

    class Interrupted(SeededEmbedder):
        def prepare(self, photo: Image.Image) -> np.ndarray:
            if photo.getpixel((0, 0)) == (230, 90, 9):
                raise KeyboardInterrupt
            return super().prepare(photo)

    with pytest.raises(KeyboardInterrupt):
        build(folder, tmp_path / "out", Interrupted())
    Image.new("RGB", (40, 40), (1, 2, 250)).save(folder / "03.png")
    (folder / "04.png").rename(folder / "04 again.png")
    embedder = SeededEmbedder()
    report = build(folder, tmp_path / "out", embedder)
    assert report.resumed == 20
    assert len(embedder.batches) == 2  # that of the changed photo, and the last; a new name is no new photo
    fresh = build(folder, tmp_path / "fresh", SeededEmbedder())
    assert report.fingerprint == fresh.fingerprint
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_what_was_seen_with_something_else_is_dropped(tmp_path: Path) -> None:
    with Unfinished(tmp_path / "kept", MADE_WITH) as kept:
        kept.keep(seen("a"))
        assert kept.get("a") is None  # asked for by the next build only
    with Unfinished(tmp_path / "kept", MADE_WITH) as same:
        found = same.get("a")
        assert found is not None
        assert (found.pixels, found.thumbnail, found.features.tolist()) == ("pixels of a", b"aa", [97.0] * 3)
    with Unfinished(tmp_path / "kept", {"name": "another"}) as other:
        assert len(other) == 0
        other.keep(seen("b"))
    with Unfinished(tmp_path / "kept", MADE_WITH) as first:
        assert len(first) == 0
        first.finish()
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_a_damaged_chunk_costs_its_photos_only(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "CHUNK_PHOTOS", 2)
    with Unfinished(tmp_path / "kept", MADE_WITH) as kept:
        for name in "abcde":
            kept.keep(seen(name))
    chunk = tmp_path / "kept" / "chunk-000001.safetensors"
    content = {"cut": chunk.read_bytes()[:-5], "empty": b"", "other": b"\xff" * 200}[damage]
    chunk.write_bytes(content)
    with Unfinished(tmp_path / "kept", MADE_WITH) as again:
        assert [name for name in "abcde" if again.get(name)] == ["a", "b", "e"]
        again.keep(seen("c"))
    with Unfinished(tmp_path / "kept", MADE_WITH) as again:
        assert [name for name in "abcde" if again.get(name)] == ["a", "b", "c", "e"]


def test_two_builds_never_fill_one_place(tmp_path: Path) -> None:
    with Unfinished(tmp_path / "kept", MADE_WITH) as kept:
        kept.keep(seen("a"))
        kept.close()
        with (
            Unfinished(tmp_path / "kept", MADE_WITH),
            pytest.raises(CatalogueError, match="Another build is at work.*Action: "),
        ):
            Unfinished(tmp_path / "kept", MADE_WITH)


def test_a_disk_that_is_full_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    kept = Unfinished(tmp_path / "file" / "kept", MADE_WITH)
    kept.keep(seen("a"))
    with pytest.raises(CatalogueError, match="cannot be written.*it continues"):
        kept.close()
