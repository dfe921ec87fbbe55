"""Adds garments to a catalogue and takes some out, without looking at the others' photos again.

A new version of the directory takes the old one's place in one step; items that stay keep their order and new ones
stand behind them. What is added is seen through the same network and shortened by the same projection.
Read next: :mod:`trendloom.catalogue.neighbour_changes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from trendloom.catalogue.build import BuildOptions
from trendloom.catalogue.columns import Columns
from trendloom.catalogue.contact_sheet import draw_contact_sheet
from trendloom.catalogue.directory import load_catalogue
from trendloom.catalogue.embedding import Embedder
from trendloom.catalogue.facets import read_projection
from trendloom.catalogue.garment import Catalogue
from trendloom.catalogue.looking import Progress, isolation_of, look_at_input
from trendloom.catalogue.neighbour_changes import extremes_after_adding, extremes_after_removing
from trendloom.catalogue.neighbours import Extremes, ItemExtremes
from trendloom.catalogue.numbering import codes_among, numbers_among, without_gaps
from trendloom.catalogue.photo_layout import Layout
from trendloom.catalogue.photo_stage import PhotoIsolator, PhotoStage
from trendloom.catalogue.projection import PhotoProjection
from trendloom.catalogue.table import ItemTable
from trendloom.catalogue.tensors import map_tensors
from trendloom.catalogue.thumbnails import pack_thumbnails
from trendloom.catalogue.writing import neighbour_bytes, parquet_bytes, tensor_bytes, write_directory
from trendloom.errors import CatalogueError

__all__ = ["ChangeReport", "add_items", "remove_items"]

_CODES = {"category": "category_names", "transition_group": "transition_group_names"}


@dataclass(frozen=True)
class ChangeReport:
    """What became of a catalogue: its new fingerprint and version, and what was changed."""

    fingerprint: str
    version: int
    items: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    #: (item id or path, reason) of what was offered and not added.
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Opened:
    """A catalogue with what its files hold beside it."""

    catalogue: Catalogue
    columns: dict[str, Any]
    manifest: dict[str, Any]
    extremes: ItemExtremes

    @property
    def thumbnails(self) -> list[bytes | None]:
        """The pictures by row."""
        return [self.catalogue.thumbnails.get(row) for row in range(len(self.catalogue))]


def add_items(
    directory: Path,
    columns: Columns,
    embedder: Embedder,
    *,
    photos: Path,
    table: Path | None = None,
    isolator: PhotoIsolator | None = None,
    layout: Layout = "auto",
    progress: Progress | None = None,
) -> ChangeReport:
    """Add the items of ``table``, or those that the ``photos`` make up, that the catalogue does not have yet.

    Every one needs a photo that can be used; what has none, what is known already and what has the picture of another
    item is left out with its reason. Raises :class:`CatalogueError` when the catalogue was made without photos or with
    another network or isolation, or when there is nothing to add.
    """
    tell = progress or (lambda stage, done, total: None)
    opened = _open(directory)
    projection = _projection(directory, opened.manifest, embedder, isolator)
    options = _options(opened.manifest)
    looked = look_at_input(
        table,
        photos,
        columns,
        embedder,
        isolator,
        layout=layout,
        items_wanted=0,
        seed=options.seed,
        side_px=options.thumbnail_side_px,
        quality=options.thumbnail_quality,
        unfinished=None,
        tell=tell,
    )
    items, stage = looked.items, looked.stage
    left_out = list(stage.left_out) if stage else []
    left_out += [(other, f"the same picture as {first}") for first, other in looked.duplicates]
    left_out += looked.passed_over
    if stage is None:
        raise CatalogueError("Items are added by their photos. Action: give --photos.")
    known, pictures = opened.catalogue.row_of, _pictures(opened)
    rows = []
    named = {item_id for item_id, _ in left_out}
    for row, item_id in enumerate(items.item_ids):
        if item_id in known:
            left_out.append((item_id, "the catalogue has it already; remove it first if its photo is new"))
        elif stage.photo_row[row] < 0:
            if item_id not in named:
                left_out.append((item_id, "there is no photo of it"))
        elif (same := pictures.get(stage.thumbnails[row] or b"")) is not None:
            left_out.append((item_id, f"the same picture as {same}"))
        else:
            rows.append(row)
    if not rows:
        why = "; ".join(f"{name}: {reason}" for name, reason in left_out[:3])
        raise CatalogueError(f"There is nothing to add ({why or 'no items'}). Action: name items that are new.")
    return _append(directory, opened, items.take(rows), stage.take(rows), projection, tuple(left_out), tell)


def remove_items(directory: Path, item_ids: Sequence[str], *, progress: Progress | None = None) -> ChangeReport:
    """Take items out of a catalogue.

    Raises :class:`CatalogueError` for an id that it does not have, and when none would be left.
    """
    tell = progress or (lambda stage, done, total: None)
    opened = _open(directory)
    catalogue = opened.catalogue
    gone = {catalogue.row(item_id) for item_id in item_ids}
    kept = np.array([row for row in range(len(catalogue)) if row not in gone], np.int64)
    if not len(kept) or not gone:
        raise CatalogueError(
            f"{len(gone)} of {len(catalogue)} items cannot be removed. Action: name some items, and not all of them."
        )
    photo_row = catalogue.photo_row[kept]
    photo_embeddings = catalogue.photo_embeddings[photo_row[photo_row >= 0]]
    photo_row = without_gaps(photo_row)
    table = None if catalogue.table_embeddings is None else catalogue.table_embeddings[kept]
    columns = {name: _taken(values, kept) for name, values in opened.columns.items()}
    columns |= {name: without_gaps(columns[name]) for name in ("product", "view_group")}
    columns["photo_row"] = photo_row
    extremes = extremes_after_removing(opened.extremes, kept, photo_row, photo_embeddings, table)
    tell("neighbours", len(kept), len(kept))
    thumbnails = opened.thumbnails
    removed = tuple(catalogue.item_ids[row] for row in sorted(gone))
    contents = _pictures_of([thumbnails[row] for row in kept.tolist()], columns["category"])
    embeddings = {"photo": photo_embeddings} | ({} if table is None else {"table": table})
    return _write(directory, opened.manifest, columns, embeddings, extremes, contents, removed=removed)


def _append(
    directory: Path,
    opened: _Opened,
    items: ItemTable,
    stage: PhotoStage,
    projection: PhotoProjection,
    left_out: tuple[tuple[str, str], ...],
    tell: Progress,
) -> ChangeReport:
    catalogue, old, new = opened.catalogue, opened.columns, len(items)
    photos = len(catalogue.photo_embeddings)
    photo_row = np.concatenate([catalogue.photo_row, np.arange(photos, photos + new, dtype=np.int32)])
    photo_embeddings = np.concatenate([catalogue.photo_embeddings, projection.apply(stage.features)])
    extremes = extremes_after_adding(opened.extremes, photo_row, photo_embeddings)
    tell("neighbours", len(photo_row), len(photo_row))
    manifest = dict(opened.manifest)
    colours = stage.colours(items.colours)
    stores = list(manifest["store_ids"])
    added: dict[str, Any] = {
        "item_id": items.item_ids,
        "title": [
            title or f"{colour} {kind}".strip()
            for title, colour, kind in zip(items.titles, colours, items.product_types, strict=True)
        ],
        "colour": colours,
        "product_type": items.product_types,
        "gender": items.gender,
        "store": np.array([_store(name, stores, row) for row, name in enumerate(items.stores)], np.int16),
        "product_name": items.products,
        "view_name": items.views,
        **{name: told or [""] * new for name, told in (("section", items.sections), ("pattern", items.patterns))},
    }
    for column, names in _CODES.items():
        told = items.categories if column == "category" else items.transition_groups
        codes, manifest[names] = codes_among(told, manifest[names])
        added[column] = codes
    size = len(catalogue)
    for column, names in (("product", "product_name"), ("view_group", "view_name")):
        before = old.get(names, [""] * size)
        added[column] = numbers_among(added[names], before, old[column])
        if names not in old and not any(added[names]):
            del added[names]
        else:
            old = {**old, names: list(before)}
    columns = {name: _joined(values, added[name]) for name, values in old.items() if name in added}
    columns["photo_row"] = photo_row
    embeddings = {"photo": photo_embeddings}
    if (table := catalogue.table_embeddings) is not None:
        # what the table's words and attributes would be is not kept: a row of nothing is near nobody
        embeddings["table"] = np.concatenate([table, np.zeros((new, table.shape[1]), np.float16)])
    thumbnails = [*opened.thumbnails, *stage.thumbnails]
    return _write(
        directory,
        {**manifest, "store_ids": stores},
        columns,
        embeddings,
        extremes,
        _pictures_of(thumbnails, columns["category"]),
        added=tuple(items.item_ids),
        left_out=left_out,
    )


def _write(
    directory: Path,
    manifest: Mapping[str, Any],
    columns: Mapping[str, Any],
    embeddings: Mapping[str, npt.NDArray[np.float16]],
    extremes: ItemExtremes,
    pictures: Mapping[str, bytes],
    *,
    added: tuple[str, ...] = (),
    removed: tuple[str, ...] = (),
    left_out: tuple[tuple[str, str], ...] = (),
) -> ChangeReport:
    contents = dict(pictures)
    contents["items.parquet"] = parquet_bytes(columns)
    contents["embeddings.safetensors"] = tensor_bytes(embeddings)
    contents["neighbours.safetensors"] = neighbour_bytes(extremes)
    if (directory / "projection.safetensors").is_file():
        contents["projection.safetensors"] = (directory / "projection.safetensors").read_bytes()
    size, version = len(columns["item_id"]), int(manifest.get("version", 1)) + 1
    about = {name: value for name, value in manifest.items() if name not in {"files", "fingerprint", "format_version"}}
    about["counts"] = {**manifest["counts"], "items": size, "photos": len(embeddings["photo"])}
    about["version"] = version
    # what was sold and is no more must not come back through what others bought with it
    about["withdrawn"] = sorted({*manifest.get("withdrawn", []), *removed} - set(added))
    return ChangeReport(write_directory(directory, contents, about), version, size, added, removed, left_out)


def _open(directory: Path) -> _Opened:
    catalogue = load_catalogue(directory)
    table = pq.read_table(directory / "items.parquet")
    columns = {
        name: [value or "" for value in table[name].to_pylist()]
        if table.schema.field(name).type in {"string", "large_string"}
        else np.array(table[name].to_numpy())
        for name in table.column_names
    }
    extremes = Extremes(
        catalogue.neighbours, catalogue.neighbour_similarity, catalogue.lowest, catalogue.lowest_similarity
    )
    return _Opened(catalogue, columns, dict(catalogue.manifest), ItemExtremes(extremes, catalogue.neighbour_source))


def _projection(
    directory: Path, manifest: Mapping[str, Any], embedder: Embedder, isolator: PhotoIsolator | None
) -> PhotoProjection:
    """Return the projection that the catalogue was made with, for photos seen as it saw its own."""
    made = manifest.get("backbone")
    if not isinstance(made, dict):
        raise CatalogueError(
            f"{directory} was made without photos: what is added could not be compared. Action: build it with --photos."
        )
    told: dict[str, Any] = dict(embedder.describe())
    differs = sorted(name for name in made.keys() | told.keys() if made.get(name) != told.get(name) and name in _SAME)
    if differs:
        shown = ", ".join(f"{name} {told.get(name)!r} instead of {made.get(name)!r}" for name in differs)
        raise CatalogueError(f"{directory} was made with another backbone ({shown}). Action: name the same one.")
    isolation = manifest.get("isolation", {"kind": "none"})
    if isolation != isolation_of(isolator):
        raise CatalogueError(
            f"{directory} was made with the isolation {isolation}, not {isolation_of(isolator)}. Action: name the same."
        )
    tensors = map_tensors(directory / "projection.safetensors")
    return read_projection(tensors)


#: What must be the same for two embedders to see alike; versions of packages may differ.
_SAME = {"name", "dim", "weights_sha256", "transform"}


def _options(manifest: Mapping[str, Any]) -> BuildOptions:
    told = manifest.get("options")
    names = {field.name for field in fields(BuildOptions)} - {"items", "store_ids"}
    return BuildOptions(**{name: value for name, value in (told or {}).items() if name in names})


def _pictures(opened: _Opened) -> dict[bytes, str]:
    """Return the item of each small picture: equal photos have equal ones."""
    return {
        picture: item_id
        for picture, item_id in zip(opened.thumbnails, opened.catalogue.item_ids, strict=True)
        if picture
    }


def _pictures_of(thumbnails: list[bytes | None], category: npt.NDArray[np.integer]) -> dict[str, bytes]:
    contents = {f"thumbnails-{first:06d}.safetensors": pack for first, pack in pack_thumbnails(thumbnails).items()}
    sheet = draw_contact_sheet(thumbnails, category)
    return contents if sheet is None else {**contents, "contact-sheet.jpg": sheet}


def _store(name: str, stores: list[str], row: int) -> int:
    """Return the place of a store, which is added if it is new; items without one are dealt round-robin."""
    if not name:
        return row % len(stores) if stores else -1
    if name not in stores:
        stores.append(name)
    return stores.index(name)


def _taken(values: Any, rows: npt.NDArray[np.int64]) -> Any:
    return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows.tolist()]


def _joined(before: Any, after: Any) -> Any:
    return (
        np.concatenate([before, np.asarray(after, before.dtype)])
        if isinstance(before, np.ndarray)
        else [*before, *after]
    )
