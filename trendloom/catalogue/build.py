"""Makes a catalogue directory from a metadata table, with or without photos, step by step.

The same input gives the same bytes on one machine: no clock, one seed, ordered rows. A photo that cannot be used is
listed with its reason and its item falls back on the table. Read next: :mod:`trendloom.catalogue.photo_stage`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.attributes import embed_attributes
from trendloom.catalogue.embedding import Embedder, parts_of
from trendloom.catalogue.neighbours import Extremes, find_item_extremes
from trendloom.catalogue.photo_stage import PhotoStage, look_at_photos
from trendloom.catalogue.photos import open_photos
from trendloom.catalogue.projection import type_at_5
from trendloom.catalogue.selection import choose_items
from trendloom.catalogue.stores import deal_to_stores
from trendloom.catalogue.table import Columns, ItemTable, read_items
from trendloom.catalogue.thumbnails import pack_thumbnails
from trendloom.catalogue.tuning import Tuning, fit_embedding, label_codes
from trendloom.catalogue.writing import check_target, parquet_bytes, tensor_bytes, write_directory
from trendloom.errors import CatalogueError

__all__ = ["BuildOptions", "BuildReport", "Progress", "build_catalogue"]

#: ``progress(stage, done, total)``; the stages are photos, embed, tune, neighbours and write.
Progress = Callable[[str, int, int], None]
#: As many photos that were left out are named in the manifest; their number is always exact.
_NAMED_REASONS = 1000


@dataclass(frozen=True)
class BuildOptions:
    """How a catalogue is made; every value goes into the manifest."""

    name: str = "catalogue"
    #: Choose this many photographed items, balanced over the categories; 0 keeps all items.
    items: int = 0
    seed: int = 42
    #: Stores that items are dealt to when the table names none; () = those of the table's preset.
    store_ids: tuple[str, ...] = ()
    #: M and L: how many nearest and farthest items are kept for each item.
    neighbours: int = 64
    lowest: int = 32
    #: D: embeddings of photos are shortened to this many numbers; 128 keep type@5 (docs/catalogue.md).
    photo_dims: int = 128
    whitening: float = 0.0
    #: Labels that "similar" is learnt from: type, colour; auto = both where the table tells them; none = nothing.
    tune: tuple[str, ...] = ()
    #: What colour counts against type where they are learnt, and against the networks where nothing is.
    colour_weight: float = 0.35
    mix_colour_weight: float = 0.2
    #: T: table embeddings; and what all words of an item weigh beside its attributes.
    table_dims: int = 64
    word_weight: float = 1.5
    thumbnail_side_px: int = 160
    thumbnail_quality: int = 70


@dataclass(frozen=True)
class BuildReport:
    """What was made. ``left_out`` holds (item id, reason) for each photo that could not be used."""

    fingerprint: str
    items: int
    photos: int
    left_out: tuple[tuple[str, str], ...]
    #: Share of the 5 nearest with the same product type: full features, shortened embeddings; None without photos.
    type_at_5_full: float | None
    type_at_5: float | None


def build_catalogue(
    table: Path,
    out: Path,
    columns: Columns,
    options: BuildOptions,
    *,
    photos: Path | None = None,
    embedder: Embedder | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Build the catalogue of the items in ``table`` into the directory ``out``, which is replaced when complete.

    ``photos`` (a folder or a zip file) needs an ``embedder``. Raises :class:`CatalogueError` when the input cannot be
    used; then nothing is left at ``out``.
    """
    tell = progress or (lambda stage, done, total: None)
    check_target(out)  # now, not after minutes of work
    items = read_items(table, columns)
    stage: PhotoStage | None = None
    if photos is not None:
        if embedder is None:
            raise CatalogueError("Photos were given without a backbone to look at them. Action: name a backbone.")
        source = open_photos(photos)
        if options.items:
            items = items.take(choose_items(items, source, options.items, options.seed, tell))
        stage = look_at_photos(
            items,
            source,
            embedder,
            side_px=options.thumbnail_side_px,
            quality=options.thumbnail_quality,
            progress=tell,
        )
    elif options.items:
        raise CatalogueError("Items are chosen by their photos. Action: give --photos, or leave --items out.")
    return _assemble(items, out, columns, options, stage, embedder, tell)


def _assemble(
    items: ItemTable,
    out: Path,
    columns: Columns,
    options: BuildOptions,
    stage: PhotoStage | None,
    embedder: Embedder | None,
    tell: Progress,
) -> BuildReport:
    size = len(items)
    photo_row = stage.photo_row if stage else np.full(size, -1, np.int32)
    category, category_names = _coded(items.categories)
    types, _ = _coded(items.product_types)
    group, group_names = _coded(items.transition_groups)
    product, view = _numbered(items.products), _numbered(items.views)
    store, store_ids = _stores(items, category, options.store_ids or columns.store_ids, options.seed)
    colours = stage.colours(items.colours) if stage else items.colours
    contents: dict[str, bytes] = {}

    photo_embeddings = np.zeros((0, options.photo_dims), np.float16)
    full = short = None
    if stage is not None and embedder is not None and len(stage.features):
        told = {"type": items.product_types, "colour": items.colours}
        projection = fit_embedding(
            stage.features,
            parts_of(embedder),
            {name: label_codes(values)[photo_row >= 0] for name, values in told.items()},
            tune=options.tune,
            tuning=Tuning(colour_weight=options.colour_weight, seed=options.seed),
            dims=options.photo_dims,
            whitening=options.whitening,
            mix_colour_weight=options.mix_colour_weight,
            progress=lambda done, total: tell("tune", done, total),
        )
        photo_embeddings = projection.apply(stage.features)
        photographed = photo_row >= 0
        labels, products = types[photographed], product[photographed]
        full, short = type_at_5(_unit(stage.features), labels, products), type_at_5(photo_embeddings, labels, products)
        contents["projection.safetensors"] = tensor_bytes(projection.tensors())
        for first, pack in pack_thumbnails(stage.thumbnails).items():
            contents[f"thumbnails-{first:06d}.safetensors"] = pack
    embeddings: dict[str, npt.NDArray[np.float16]] = {"photo": photo_embeddings}
    table_embeddings = None
    if (photo_row < 0).any():
        table_embeddings = embed_attributes(
            items.attributes, items.weights, items.texts, dims=options.table_dims, word_weight=options.word_weight
        )
        embeddings["table"] = table_embeddings
    found = find_item_extremes(
        photo_row,
        photo_embeddings,
        table_embeddings,
        nearest=options.neighbours,
        farthest=options.lowest,
        progress=lambda done, total: tell("neighbours", done, total),
    )
    tell("write", 0, 1)
    contents["items.parquet"] = parquet_bytes(
        {
            "item_id": items.item_ids,
            "title": [
                title or f"{colour} {kind}".strip()
                for title, colour, kind in zip(items.titles, colours, items.product_types, strict=True)
            ],
            "colour": colours,
            "product_type": items.product_types,
            "category": category,
            "gender": items.gender,
            "product": product,
            "view_group": view,
            "transition_group": group,
            "store": store,
            "photo_row": photo_row,
        }
    )
    contents["embeddings.safetensors"] = tensor_bytes(embeddings)
    contents["neighbours.safetensors"] = _neighbour_bytes(found.extremes, found.source)
    left_out = stage.left_out if stage else ()
    fingerprint = write_directory(
        out,
        contents,
        {
            "name": options.name,
            "credit": columns.credit,
            "counts": {"items": size, "photos": len(photo_embeddings), "photos_left_out": len(left_out)},
            "photos_left_out": [list(pair) for pair in left_out[:_NAMED_REASONS]],
            "category_names": list(category_names),
            "transition_group_names": list(group_names),
            "store_ids": list(store_ids),
            "options": asdict(options),
            "backbone": embedder.describe() if embedder and stage else None,
            "mask_policy": "none: the whole photo is looked at",
            "quality": None
            if full is None
            else {"type_at_5_full": round(full, 4), "type_at_5": round(_some(short), 4)},
            "made_with": {name: version(name) for name in ("trendloom", "numpy", "pyarrow", "pillow", "safetensors")},
        },
    )
    tell("write", 1, 1)
    return BuildReport(fingerprint, size, len(photo_embeddings), tuple(left_out), full, short)


def _coded(names: Sequence[str]) -> tuple[npt.NDArray[np.int16], tuple[str, ...]]:
    known, codes = np.unique(np.array([name or "unknown" for name in names], np.str_), return_inverse=True)
    if len(known) > np.iinfo(np.int16).max:
        raise CatalogueError(f"{len(known)} different categories are too many. Action: name a coarser column.")
    return codes.astype(np.int16), tuple(known.tolist())


def _numbered(names: Sequence[str]) -> npt.NDArray[np.int32]:
    known, codes = np.unique(np.array(names, np.str_), return_inverse=True)
    return (codes - int(known[0] == "")).astype(np.int32)


def _stores(
    items: ItemTable, category: npt.NDArray[np.int16], dealt_to: tuple[str, ...], seed: int
) -> tuple[npt.NDArray[np.int16], tuple[str, ...]]:
    if any(items.stores):
        ids = tuple(sorted(set(items.stores) - {""}))
        place = {store_id: number for number, store_id in enumerate(ids)} | {"": -1}
        return np.array([place[store_id] for store_id in items.stores], np.int16), ids
    return deal_to_stores(category, len(dealt_to), seed), dealt_to


def _neighbour_bytes(extremes: Extremes, source: npt.NDArray[np.uint8]) -> bytes:
    return tensor_bytes(
        {
            "nearest": extremes.nearest,
            "nearest_similarity": extremes.nearest_similarity,
            "source": source,
            "lowest": extremes.farthest,
            "lowest_similarity": extremes.farthest_similarity,
        }
    )


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    unit: npt.NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit


def _some(value: float | None) -> float:
    return 0.0 if value is None else value
