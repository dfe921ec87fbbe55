from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.unit.trendloom.catalogue.hostile import hostile_files, write_hostile
from tests.unit.trendloom.catalogue.wardrobe import SeededEmbedder
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.columns import Columns
from trendloom.catalogue.directory import load_catalogue
from trendloom.catalogue.photos import UnusablePhoto, decode_bytes

OPTIONS = BuildOptions(neighbours=4, lowest=2, photo_dims=6)
#: What decoding one photo after the other may add to the memory of a process, in MB: a few large decoded photos.
_MOST_MB = 450
_MEMORY = """
import resource, sys, zlib, struct
from pathlib import Path
import numpy as np
import tests.unit.trendloom.catalogue.hostile as hostile
from trendloom.catalogue.photos import UnusablePhoto, decode_bytes
from PIL import Image
large = hostile.encoded(Image.new("RGB", (7600, 7600), (9, 90, 200)), "JPEG")
clear = hostile.encoded(Image.new("RGBA", (5000, 5000)), "PNG")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
decoded = decode_bytes(large)
assert decoded.size == (950, 950), decoded.size
camera = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _, content, _ in hostile.hostile_files():
    try:
        decode_bytes(content)
    except UnusablePhoto:
        pass
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((camera - before) / 1024, (after - before) / 1024)
"""


def test_forty_hostile_files_in_one_folder_are_listed_each_with_its_reason(tmp_path: Path) -> None:
    expected = write_hostile(tmp_path / "photos")
    assert len(expected) == 40
    (tmp_path / "photos" / "notes.txt").write_text("no photo by its name")
    report = build_catalogue(
        None, tmp_path / "out", Columns(), OPTIONS, photos=tmp_path / "photos", embedder=SeededEmbedder()
    )
    left_out = dict(report.left_out)
    for name, reason in expected.items():
        assert (name in left_out) == bool(reason), (name, left_out.get(name))
        if reason:
            assert re.search(reason, left_out[name]), (name, left_out[name])
    assert [path for path, _ in report.passed_over] == ["notes.txt"]
    catalogue = load_catalogue(tmp_path / "out")
    usable = sorted(name for name, reason in expected.items() if not reason)
    shown = [*catalogue.item_ids, *(other for _, other in report.duplicates)]
    assert sorted(Path(item_id).stem for item_id in shown) == sorted(Path(name).stem for name in usable)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert dict(manifest["photos_left_out"]) == left_out
    assert manifest["counts"]["photos_left_out"] == sum(1 for reason in expected.values() if reason)


@pytest.mark.parametrize("name", [name for name, _, reason in hostile_files() if not reason])
def test_unusual_photos_look_like_what_they_show(name: str) -> None:
    content = {name: content for name, content, _ in hostile_files()}
    shown = decode_bytes(content[name])
    assert shown.mode == "RGB"
    others = {"turned.jpg": (120, 100), "sixteen bits.png": (120, 80), "mostly missing.png": (700, 700)}
    assert shown.size == others.get(name, (100, 120))
    if name == "sixteen bits.png":  # dark to bright, not all white
        assert np.ptp(np.asarray(shown.convert("L"), np.int64)) > 150


def test_memory_stays_bounded_whatever_files_claim() -> None:
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", _MEMORY], check=True, capture_output=True, text=True, timeout=50)
    camera_mb, all_mb = map(float, done.stdout.split())
    assert camera_mb < 60  # 58 million pixels, of which an eighth a side is decoded
    assert all_mb < _MOST_MB


def test_more_bytes_than_any_photo_has_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trendloom.catalogue import photos

    (tmp_path / "long.jpg").write_bytes(bytes(2_000))
    monkeypatch.setattr(photos, "MOST_BYTES", 1_000)
    with pytest.raises(UnusablePhoto, match="too large: more than"):
        photos.decode_photo(photos.open_photos(tmp_path), "long")
