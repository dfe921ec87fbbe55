"""A catalogue on disk, format version 1: what lies in which file, and the loader that refuses what does not match.

    manifest.json             format version, fingerprint, origin, backbone, transform, counts, SHA-256 of each file
    items.parquet             one row an item: ids, codes, what people read
    embeddings.safetensors    photo (P, D) float16; table (N, T) float16 where items lack photos
    neighbours.safetensors    nearest and lowest rows with similarities
    projection.safetensors    how a new photo's backbone features become an embedding (only if there are photos)
    thumbnails-*.safetensors  packs of small WebP pictures; the number is the first row
    contact-sheet.jpg         some of the garments on one picture, for people

Never pickle, never torch, never pandas. Read next: :mod:`trendloom.catalogue.writing`, the other direction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError

from trendloom.catalogue.garment import GENDERS, Catalogue
from trendloom.catalogue.tensors import map_tensors
from trendloom.catalogue.texts import Texts
from trendloom.catalogue.thumbnails import Thumbnails
from trendloom.errors import CatalogueError

__all__ = ["FORMAT_VERSION", "GENDERS", "Catalogue", "demo_catalogue_path", "fingerprint_of", "load_catalogue"]

FORMAT_VERSION = 1
#: What a manifest must hold, as read from JSON, and what it must tell of each file.
_SHAPES: Mapping[str, type] = {
    "category_names": list,
    "counts": dict,
    "files": dict,
    "fingerprint": str,
    "store_ids": list,
    "transition_group_names": list,
}
_TOLD = {"bytes", "sha256"}
#: Files that no list depends on begin with these.
_ONLY_SEEN = ("thumbnails-", "contact-sheet.")
_Number = TypeVar("_Number", bound=np.generic)
_AGAIN = "Action: build the catalogue again with `trendloom catalogue build`."


def demo_catalogue_path() -> Path:
    """Return the directory of the catalogue that ships with Trendloom."""
    return Path(str(files("trendloom.catalogue") / "demo"))


def load_catalogue(path: Path | str, *, verify: bool = True) -> Catalogue:
    """Return the catalogue that lies in a directory.

    Raises :class:`CatalogueError` when the directory, its format version, its counts or, with ``verify``, the SHA-256
    of a file are not what the manifest says. About half a second for 105,542 items, of which most is the hashing.

    >>> catalogue = load_catalogue(demo_catalogue_path())
    >>> abs(float(catalogue.similarity(0, catalogue.neighbours[0, 0]) - catalogue.neighbour_similarity[0, 0])) < 1e-3
    True
    """
    directory = Path(path)
    manifest = _read_manifest(directory)
    listed: dict[str, dict[str, Any]] = manifest["files"]
    for name, told in listed.items():
        _check_file(directory / name, told, hashed=verify)
    if fingerprint_of(manifest) != manifest["fingerprint"]:
        raise CatalogueError(f"The manifest in {directory} was changed: its fingerprint does not match. {_AGAIN}")
    try:
        items = pq.read_table(directory / "items.parquet")
        embeddings = map_tensors(directory / "embeddings.safetensors")
        neighbours = map_tensors(directory / "neighbours.safetensors")
        catalogue = Catalogue(
            fingerprint=manifest["fingerprint"],
            item_ids=[value or "" for value in items["item_id"].to_pylist()],
            titles=Texts(items["title"]),
            colours=Texts(items["colour"]),
            product_types=Texts(items["product_type"]),
            category=_column(items, "category", np.int16),
            category_names=tuple(manifest["category_names"]),
            gender=_column(items, "gender", np.int8),
            product=_column(items, "product", np.int32),
            view_group=_column(items, "view_group", np.int32),
            transition_group=_column(items, "transition_group", np.int16),
            transition_group_names=tuple(manifest["transition_group_names"]),
            store=_column(items, "store", np.int16),
            store_ids=tuple(manifest["store_ids"]),
            photo_row=_column(items, "photo_row", np.int32),
            photo_embeddings=embeddings["photo"],
            table_embeddings=embeddings.get("table"),
            neighbours=neighbours["nearest"],
            neighbour_similarity=neighbours["nearest_similarity"],
            neighbour_source=neighbours["source"],
            lowest=neighbours["lowest"],
            lowest_similarity=neighbours["lowest_similarity"],
            thumbnails=_thumbnails(directory, listed),
            manifest=manifest,
            sections=Texts(items["section"]) if "section" in items.column_names else (),
            patterns=Texts(items["pattern"]) if "pattern" in items.column_names else (),
        )
    except (KeyError, OSError, SafetensorError, pa.ArrowInvalid) as error:
        raise CatalogueError(f"{directory} does not hold what its manifest says ({error}). {_AGAIN}") from error
    _check(directory, catalogue, manifest["counts"])
    return catalogue


def fingerprint_of(manifest: Mapping[str, Any]) -> str:
    """Return the fingerprint of what a manifest describes: all that a list could depend on, so no picture."""
    hashes = {name: told["sha256"] for name, told in manifest["files"].items() if not name.startswith(_ONLY_SEEN)}
    names = [manifest[key] for key in ("format_version", "category_names", "transition_group_names", "store_ids")]
    return hashlib.sha256(json.dumps([hashes, names], sort_keys=True).encode()).hexdigest()[:16]


def _read_manifest(directory: Path) -> dict[str, Any]:
    path = directory / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CatalogueError(
            f"{directory} is no catalogue: it has no manifest.json. "
            "Action: name a directory that `trendloom catalogue build` made."
        ) from None
    except (OSError, ValueError) as error:
        raise CatalogueError(f"{path} cannot be read ({error}). {_AGAIN}") from error
    version = manifest.get("format_version") if isinstance(manifest, dict) else None
    if version != FORMAT_VERSION:
        raise CatalogueError(f"{path} has format version {version!r}, this reader knows {FORMAT_VERSION}. {_AGAIN}")
    if lacking := sorted(_SHAPES.keys() - manifest.keys()):
        raise CatalogueError(f"{path} lacks {', '.join(lacking)}. {_AGAIN}")
    wrong = [name for name, shape in _SHAPES.items() if not isinstance(manifest[name], shape)]
    if not wrong and not all(isinstance(told, dict) and told.keys() >= _TOLD for told in manifest["files"].values()):
        wrong = ["files"]
    if wrong:
        raise CatalogueError(f"{path} holds something else than it should as {', '.join(wrong)}. {_AGAIN}")
    return dict(manifest)


def _check_file(path: Path, told: Mapping[str, Any], *, hashed: bool) -> None:
    try:
        size = path.stat().st_size
        if size != told["bytes"]:
            raise CatalogueError(f"{path} holds {size} bytes, the manifest says {told['bytes']}. {_AGAIN}")
        if hashed:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != told["sha256"]:
                raise CatalogueError(f"{path} was changed: its SHA-256 is not the manifest's. {_AGAIN}")
    except OSError as error:
        raise CatalogueError(f"{path} cannot be read ({error.strerror}). {_AGAIN}") from error


def _column(items: pa.Table, name: str, kind: type[_Number]) -> npt.NDArray[_Number]:
    return np.ascontiguousarray(items[name].to_numpy(), dtype=kind)


def _thumbnails(directory: Path, listed: Mapping[str, Any]) -> Thumbnails:
    packs = [name for name in listed if name.startswith("thumbnails-")]
    return Thumbnails({int(name.removeprefix("thumbnails-").split(".")[0]): directory / name for name in packs})


def _check(directory: Path, catalogue: Catalogue, counts: Mapping[str, int]) -> None:
    """Refuse arrays that do not fit each other: an index out of range must not wait for a purchase to be found."""
    n, photos = len(catalogue.item_ids), len(catalogue.photo_embeddings)
    wrong = []
    if (n, photos) != (counts.get("items"), counts.get("photos")):
        wrong.append(
            f"{n} items and {photos} photos, the manifest says {counts.get('items')} and {counts.get('photos')}"
        )
    if len(catalogue.row_of) != n:
        wrong.append("an item id twice")
    tables = ("neighbours", "neighbour_similarity", "neighbour_source", "lowest", "lowest_similarity")
    lengths = {name: len(getattr(catalogue, name)) for name in tables}
    wrong += [f"{name} with {length} rows" for name, length in lengths.items() if length != n]
    for ids, values in (("neighbours", "neighbour_similarity"), ("lowest", "lowest_similarity")):
        if getattr(catalogue, ids).shape != getattr(catalogue, values).shape:
            wrong.append(f"{ids} and {values} of different shapes")
    for name, least, most in (
        ("category", 0, len(catalogue.category_names)),
        ("gender", 0, len(GENDERS)),
        ("product", -1, n),
        ("view_group", -1, n),
        ("transition_group", 0, len(catalogue.transition_group_names)),
        ("store", -1, len(catalogue.store_ids)),
        ("photo_row", -1, photos),
        ("neighbours", -1, n),
        ("neighbour_source", 0, 2),
        ("lowest", -1, n),
    ):
        codes = getattr(catalogue, name)
        if codes.size and not least <= codes.min() <= codes.max() < most:
            wrong.append(f"{name} outside {least} .. {most - 1}")
    photographed = catalogue.photo_row[catalogue.photo_row >= 0]
    if not np.array_equal(np.sort(photographed), np.arange(photos)):
        wrong.append("photos that do not belong to one item each")
    table = catalogue.table_embeddings
    if table is None and photos < n:
        wrong.append("items with neither photo nor table embeddings")
    if table is not None and len(table) != n:
        wrong.append(f"table embeddings with {len(table)} rows")
    if wrong:
        raise CatalogueError(f"{directory} does not hold together: {'; '.join(wrong)}. {_AGAIN}")
