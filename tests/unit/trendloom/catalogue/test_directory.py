from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from tests.unit.trendloom.catalogue.wardrobe import fill_wardrobe
from trendloom.catalogue.directory import FORMAT_VERSION, fingerprint_of, load_catalogue
from trendloom.catalogue.writing import parquet_bytes, tensor_bytes
from trendloom.errors import CatalogueError


@pytest.fixture(scope="module")
def pristine(photographed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of 48 garments of which 32 have photos, which no test changes."""
    place = tmp_path_factory.mktemp("directory")
    wardrobe = fill_wardrobe(place, photographed, photo=lambda number: number % 3 > 0)
    wardrobe.build(place / "built")
    return place / "built"


@pytest.fixture
def built(pristine: Path, tmp_path: Path) -> Path:
    """Its own copy of the catalogue."""
    return Path(shutil.copytree(pristine, tmp_path / "built"))


def rewrite(directory: Path, change: Callable[[dict[str, Any]], object], *, honest: bool = False) -> None:
    """Change the manifest; an ``honest`` one has the right fingerprint again."""
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    if honest:
        manifest["fingerprint"] = fingerprint_of(manifest)
    path.write_text(json.dumps(manifest))


def replace_file(directory: Path, name: str, content: bytes) -> None:
    """Replace a file so that its hash and the fingerprint are right: only what it says can be wrong."""
    (directory / name).write_bytes(content)
    told = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    rewrite(directory, lambda manifest: manifest["files"].update({name: told}), honest=True)


def refused(directory: Path, says: str, *, verify: bool = True) -> None:
    with pytest.raises(CatalogueError, match=f"{says}.*Action: "):
        load_catalogue(directory, verify=verify)


def test_what_was_written_is_what_is_loaded(built: Path) -> None:
    catalogue = load_catalogue(built)
    assert len(catalogue) == 48
    kinds = {
        "category": np.int16,
        "gender": np.int8,
        "product": np.int32,
        "view_group": np.int32,
        "transition_group": np.int16,
        "store": np.int16,
        "photo_row": np.int32,
        "photo_embeddings": np.float16,
        "table_embeddings": np.float16,
        "neighbours": np.int32,
        "neighbour_similarity": np.float32,
        "neighbour_source": np.uint8,
        "lowest": np.int32,
        "lowest_similarity": np.float32,
    }
    for name, kind in kinds.items():
        assert getattr(catalogue, name).dtype == kind, name
    assert catalogue.neighbours.tolist() == load_file(built / "neighbours.safetensors")["nearest"].tolist()
    assert load_catalogue(str(built), verify=False).fingerprint == catalogue.fingerprint


def test_another_format_version_is_refused(built: Path) -> None:
    rewrite(built, lambda manifest: manifest.update(format_version=FORMAT_VERSION + 1))
    refused(built, f"format version {FORMAT_VERSION + 1}, this reader knows {FORMAT_VERSION}")


@pytest.mark.parametrize("key", ["items", "photos"])
def test_wrong_counts_are_refused(built: Path, key: str) -> None:
    rewrite(built, lambda manifest: manifest["counts"].update({key: 47}))
    refused(built, "48 items and 32 photos, the manifest says")


@pytest.mark.parametrize(
    "name", ["items.parquet", "embeddings.safetensors", "neighbours.safetensors", "thumbnails-000000.safetensors"]
)
def test_a_changed_file_is_refused(built: Path, name: str) -> None:
    content = bytearray((built / name).read_bytes())
    content[-1] ^= 1
    (built / name).write_bytes(content)
    refused(built, f"{name} was changed")


@pytest.mark.parametrize("verify", [True, False])
def test_a_file_that_is_gone_or_cut_short_is_refused(built: Path, verify: bool) -> None:
    path = built / "embeddings.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    refused(built, "bytes, the manifest says", verify=verify)
    path.unlink()
    refused(built, "cannot be read", verify=verify)


def test_a_changed_manifest_is_refused(built: Path) -> None:
    rewrite(built, lambda manifest: manifest["category_names"].reverse())
    refused(built, "fingerprint does not match")


def test_pictures_do_not_change_the_fingerprint_everything_else_does(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    for name in manifest["files"]:
        changed = json.loads(json.dumps(manifest))
        changed["files"][name]["sha256"] = "0" * 64
        same = fingerprint_of(changed) == manifest["fingerprint"]
        assert same == name.startswith(("thumbnails-", "contact-sheet.")), name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read"),
        ("[]", "format version None"),
        ("7", "format version None"),
        (f'{{"format_version": {FORMAT_VERSION}}}', "lacks category_names, counts"),
    ],
)
def test_a_manifest_that_is_none_is_refused(built: Path, text: str, says: str) -> None:
    (built / "manifest.json").write_text(text)
    refused(built, says)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(files=[]),
        lambda manifest: manifest.update(counts=None),
        lambda manifest: manifest["files"].update({"items.parquet": {"bytes": 5}}),
        lambda manifest: manifest["files"].update({"items.parquet": "there"}),
        lambda manifest: manifest["files"].pop("neighbours.safetensors"),
        lambda manifest: manifest.update(store_ids="north"),
    ],
)
def test_a_manifest_of_another_shape_is_refused(built: Path, change: Callable[[dict[str, Any]], object]) -> None:
    rewrite(built, change)
    refused(built, "manifest")


def test_a_directory_without_manifest_is_no_catalogue(tmp_path: Path) -> None:
    refused(tmp_path, "is no catalogue")
    refused(tmp_path / "nowhere", "is no catalogue")


@pytest.mark.parametrize(
    ("name", "row", "value", "says"),
    [
        ("nearest", 3, 48, "neighbours outside -1 .. 47"),
        ("nearest", 0, -2, "neighbours outside -1 .. 47"),
        ("lowest", 47, 48, "lowest outside -1 .. 47"),
        ("source", 0, 2, "neighbour_source outside 0 .. 1"),
    ],
)
def test_rows_that_do_not_exist_are_refused(built: Path, name: str, row: int, value: int, says: str) -> None:
    tensors = load_file(built / "neighbours.safetensors")
    tensors[name] = tensors[name].astype(np.int32)
    tensors[name].flat[row * tensors[name][0].size] = value
    replace_file(built, "neighbours.safetensors", tensor_bytes(tensors))
    refused(built, says)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda tensors: tensors.update(nearest=tensors["nearest"][:-1]), "neighbours with 47 rows"),
        (lambda tensors: tensors.update(source=tensors["source"][:5]), "neighbour_source with 5 rows"),
        (
            lambda tensors: tensors.update(nearest_similarity=tensors["nearest_similarity"][:, :2]),
            "neighbours and neighbour_similarity of different shapes",
        ),
        (
            lambda tensors: tensors.update(lowest=tensors["lowest"][:, :1]),
            "lowest and lowest_similarity of different shapes",
        ),
        (lambda tensors: tensors.pop("lowest"), "does not hold what its manifest says"),
    ],
)
def test_neighbours_of_the_wrong_shape_are_refused(
    built: Path, change: Callable[[dict[str, npt.NDArray[Any]]], object], says: str
) -> None:
    tensors = load_file(built / "neighbours.safetensors")
    change(tensors)
    replace_file(built, "neighbours.safetensors", tensor_bytes(tensors))
    refused(built, says)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("category", 4, "category outside 0 .. 3"),
        ("gender", 5, "gender outside 0 .. 4"),
        ("store", 2, "store outside -1 .. 1"),
        ("photo_row", 0, "photos that do not belong to one item each"),
        ("photo_row", 32, "photo_row outside -1 .. 31"),
        ("item_id", "0001", "an item id twice"),
    ],
)
def test_items_that_do_not_fit_are_refused(built: Path, column: str, value: object, says: str) -> None:
    columns = pq.read_table(built / "items.parquet").to_pydict()
    columns[column][0] = value
    replace_file(built, "items.parquet", parquet_bytes(columns))
    refused(built, says)


def test_a_missing_column_is_refused(built: Path) -> None:
    columns = pq.read_table(built / "items.parquet").to_pydict()
    del columns["gender"]
    replace_file(built, "items.parquet", parquet_bytes(columns))
    refused(built, "does not hold what its manifest says")


def test_items_without_any_embedding_are_refused(built: Path) -> None:
    tensors = load_file(built / "embeddings.safetensors")
    replace_file(built, "embeddings.safetensors", tensor_bytes({"photo": tensors["photo"]}))
    refused(built, "items with neither photo nor table embeddings")
    short = {"photo": tensors["photo"], "table": tensors["table"][:7]}
    replace_file(built, "embeddings.safetensors", tensor_bytes(short))
    refused(built, "table embeddings with 7 rows")


def test_files_that_hold_something_else_are_refused(built: Path) -> None:
    replace_file(built, "neighbours.safetensors", b"no tensors")
    refused(built, "does not hold what its manifest says")
    replace_file(built, "items.parquet", b"no table")
    refused(built, "does not hold what its manifest says")


def test_loading_needs_neither_torch_nor_pandas_nor_pillow() -> None:
    script = (
        "import sys\n"
        "from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue\n"
        "load_catalogue(demo_catalogue_path()).thumbnails.get(0)\n"
        "print(sorted({'torch', 'pandas', 'PIL', 'models'} & {name.partition('.')[0] for name in "
        "sys.modules}))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
