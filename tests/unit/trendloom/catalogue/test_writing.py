from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from trendloom.catalogue import writing
from trendloom.catalogue.directory import FORMAT_VERSION, fingerprint_of
from trendloom.catalogue.writing import parquet_bytes, tensor_bytes, write_directory
from trendloom.errors import CatalogueError

ABOUT = {"category_names": ["hat"], "transition_group_names": ["hat"], "store_ids": []}


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_manifest_tells_every_file(tmp_path: Path) -> None:
    fingerprint = write_directory(tmp_path / "deep" / "out", {"b": b"bb", "a": b""}, ABOUT)
    manifest = json.loads((tmp_path / "deep" / "out" / "manifest.json").read_text())
    assert manifest["format_version"] == FORMAT_VERSION
    assert manifest["fingerprint"] == fingerprint == fingerprint_of(manifest)
    assert manifest["files"] == {
        "a": {"bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()},
        "b": {"bytes": 2, "sha256": hashlib.sha256(b"bb").hexdigest()},
    }
    assert names_in(tmp_path / "deep") == ["out"]


def test_a_catalogue_that_stands_there_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_directory(out, {"old": b"1", "both": b"1"}, ABOUT)
    write_directory(out, {"new": b"2", "both": b"2"}, ABOUT)
    assert names_in(out) == ["both", "manifest.json", "new"]
    assert (out / "both").read_bytes() == b"2"
    assert names_in(tmp_path) == ["out"]


def test_an_empty_directory_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_directory(tmp_path / "out", {}, ABOUT)
    assert names_in(tmp_path / "out") == ["manifest.json"]


def test_what_is_no_catalogue_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "only copy").write_text("years")
    (tmp_path / "file").write_text("text")
    for out in (tmp_path / "thesis", tmp_path / "file"):
        with pytest.raises(CatalogueError, match="is no catalogue"):
            write_directory(out, {"a": b""}, ABOUT)
    assert (tmp_path / "thesis" / "only copy").read_text() == "years"
    assert (tmp_path / "file").read_text() == "text"


@pytest.mark.parametrize("broken", ["write", "first rename", "second rename"])
def test_a_disk_that_fails_leaves_the_old_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    out = tmp_path / "out"
    write_directory(out, {"a": b"old"}, ABOUT)
    before = (out / "manifest.json").read_bytes()
    whole, rename = Path.write_bytes, Path.rename
    renames: list[Path] = []

    def full(path: Path, content: bytes) -> int:
        if path.name == "b":
            raise OSError(28, "No space left on device")
        return whole(path, content)

    def failing(path: Path, target: Path) -> Path:
        renames.append(path)
        if len(renames) == (1 if broken == "first rename" else 2):
            raise OSError(5, "Input/output error")
        return rename(path, target)

    if broken == "write":
        monkeypatch.setattr(Path, "write_bytes", full)
    else:
        monkeypatch.setattr(writing, "_exchange", lambda one, other: False)
        monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(CatalogueError, match=r"cannot be written \(.+\).*Action: "):
        write_directory(out, {"a": b"new", "b": b"new"}, ABOUT)
    monkeypatch.undo()
    assert (out / "manifest.json").read_bytes() == before
    assert (out / "a").read_bytes() == b"old"
    assert names_in(tmp_path) == ["out"]


def test_the_order_in_which_things_are_named_changes_nothing() -> None:
    a, b = np.arange(3), np.ones(2, np.float16)
    assert tensor_bytes({"a": a, "b": b}) == tensor_bytes({"b": b, "a": a})
    assert tensor_bytes({"a": a, "b": b}) != tensor_bytes({"a": a, "b": 2 * b})
    assert parquet_bytes({"a": ["x", "y"]}) == parquet_bytes({"a": ["x", "y"]})
