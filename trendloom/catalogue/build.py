"""Makes a catalogue directory from a metadata table, from photos, or from both, step by step.

The same input gives the same bytes on one machine, killed in between or not: no clock, one seed, ordered rows. A photo
that cannot be used is listed with its reason; its item falls back on the table, if there is one.
Read next: :mod:`trendloom.catalogue.looking`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.approximate_neighbours import ApproximateSearch, can_approximate
from trendloom.catalogue.attributes import embed_attributes
from trendloom.catalogue.columns import Columns
from trendloom.catalogue.contact_sheet import draw_contact_sheet
from trendloom.catalogue.embedding import Embedder, parts_of
from trendloom.catalogue.facets import FacetProjection
from trendloom.catalogue.looking import Looked, Progress, isolation_of, look_at_input
from trendloom.catalogue.neighbours import find_item_extremes
from trendloom.catalogue.numbering import codes_of, numbers_of
from trendloom.catalogue.photo_layout import Layout
from trendloom.catalogue.photo_stage import PhotoIsolator
from trendloom.catalogue.projection import type_at_5
from trendloom.catalogue.stores import deal_to_stores
from trendloom.catalogue.table import ItemTable, read_items
from trendloom.catalogue.thumbnails import pack_thumbnails
from trendloom.catalogue.tuning import Tuning, fit_embedding, label_codes
from trendloom.catalogue.unfinished import Unfinished
from trendloom.catalogue.writing import check_target, neighbour_bytes, parquet_bytes, tensor_bytes, write_directory
from trendloom.errors import CatalogueError

__all__ = ["BuildOptions", "BuildReport", "build_catalogue"]

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
    #: Neighbours are searched exactly among up to so many items, above by faiss where it is installed.
    exact_up_to: int = 200_000


@dataclass(frozen=True)
class BuildReport:
    """What was made. ``left_out`` holds (item id or path, reason) for each photo that could not be used."""

    fingerprint: str
    items: int
    photos: int
    left_out: tuple[tuple[str, str], ...]
    #: Share of the 5 nearest with the same product type: full features, shortened embeddings.
    #: None without photos, or where no types are told.
    type_at_5_full: float | None
    type_at_5: float | None
    #: (kept, other) item ids of one picture: the other is gone if items were made of photos, else a view of the first.
    duplicates: tuple[tuple[str, str], ...] = ()
    #: (path, reason) of files beside the photos that are none by their names.
    passed_over: tuple[tuple[str, str], ...] = ()
    #: What the items were made of: "table", or the layout of the photos.
    layout: str = "table"
    #: Labels that the embedding was learnt from: its type@5 is then that of photos that it knows.
    learnt_from: tuple[str, ...] = ()
    #: Photos that an earlier build, which did not end, had looked at already.
    resumed: int = 0


def build_catalogue(
    table: Path | None,
    out: Path,
    columns: Columns,
    options: BuildOptions,
    *,
    photos: Path | None = None,
    embedder: Embedder | None = None,
    isolator: PhotoIsolator | None = None,
    layout: Layout = "auto",
    progress: Progress | None = None,
) -> BuildReport:
    """Build a catalogue into the directory ``out``, which is replaced when it is complete.

    The items are those of ``table``; without one they are read from the names of the ``photos`` (a folder or a zip
    file, which need an ``embedder``) by their ``layout``. What the photos told is kept beside ``out`` until the
    catalogue stands, so that a build that was killed continues. Raises :class:`CatalogueError` when the input cannot
    be used; then nothing is left at ``out``.
    """
    tell = progress or (lambda stage, done, total: None)
    check_target(out)  # now, not after minutes of work
    if photos is None:
        if table is None:
            raise CatalogueError("There are neither items nor photos. Action: give --table, --photos, or both.")
        if options.items:
            raise CatalogueError("Items are chosen by their photos. Action: give --photos, or leave --items out.")
        looked = Looked(read_items(table, columns), None, "table", [], ())
        return _assemble(looked, out, columns, options, None, None, tell)
    if embedder is None:
        raise CatalogueError("Photos were given without a backbone to look at them. Action: name a backbone.")
    made_with = {
        "backbone": embedder.describe(),
        "isolation": isolation_of(isolator),
        "thumbnails": [options.thumbnail_side_px, options.thumbnail_quality, version("pillow")],
    }
    with Unfinished(out.parent / f".{out.name}.unfinished", made_with) as unfinished:
        resumed = len(unfinished)
        looked = look_at_input(
            table,
            photos,
            columns,
            embedder,
            isolator,
            layout=layout,
            items_wanted=options.items,
            seed=options.seed,
            side_px=options.thumbnail_side_px,
            quality=options.thumbnail_quality,
            unfinished=unfinished,
            tell=tell,
        )
        report = _assemble(looked, out, columns, options, embedder, isolator, tell)
        unfinished.finish()
    return replace(report, resumed=resumed)


def _assemble(
    looked: Looked,
    out: Path,
    columns: Columns,
    options: BuildOptions,
    embedder: Embedder | None,
    isolator: PhotoIsolator | None,
    tell: Progress,
) -> BuildReport:
    items, stage = looked.items, looked.stage
    size = len(items)
    photo_row = stage.photo_row if stage else np.full(size, -1, np.int32)
    category, category_names = codes_of(items.categories)
    types, _ = codes_of(items.product_types)
    group, group_names = codes_of(items.transition_groups)
    product, view = numbers_of(items.products), numbers_of(items.views)
    store, store_ids = _stores(items, category, options.store_ids or columns.store_ids, options.seed)
    colours = stage.colours(items.colours) if stage else items.colours
    contents: dict[str, bytes] = {}

    photo_embeddings = np.zeros((0, options.photo_dims), np.float16)
    full = short = None
    learnt_from: tuple[str, ...] = ()
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
        learnt_from = projection.learnt_from if isinstance(projection, FacetProjection) else ()
        photo_embeddings = projection.apply(stage.features)
        photographed = photo_row >= 0
        labels, products = types[photographed], product[photographed]
        if len(np.unique(labels)) > 1:  # of one type, or none told, all would agree
            full, short = (type_at_5(rows, labels, products) for rows in (_unit(stage.features), photo_embeddings))
        contents["projection.safetensors"] = tensor_bytes(projection.tensors())
        for first, pack in pack_thumbnails(stage.thumbnails).items():
            contents[f"thumbnails-{first:06d}.safetensors"] = pack
        if sheet := draw_contact_sheet(stage.thumbnails, category):
            contents["contact-sheet.jpg"] = sheet
    embeddings: dict[str, npt.NDArray[np.float16]] = {"photo": photo_embeddings}
    table_embeddings = None
    if (photo_row < 0).any():
        table_embeddings = embed_attributes(
            items.attributes, items.weights, items.texts, dims=options.table_dims, word_weight=options.word_weight
        )
        embeddings["table"] = table_embeddings
    search = ApproximateSearch() if size > options.exact_up_to and can_approximate() else None
    found = find_item_extremes(
        photo_row,
        photo_embeddings,
        table_embeddings,
        nearest=options.neighbours,
        farthest=options.lowest,
        progress=lambda done, total: tell("neighbours", done, total),
        search=search,
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
            **_names("product_name", items.products),
            **_names("view_name", items.views),
            **_names("section", items.sections),
            **_names("pattern", items.patterns),
        }
    )
    contents["embeddings.safetensors"] = tensor_bytes(embeddings)
    contents["neighbours.safetensors"] = neighbour_bytes(found)
    left_out = stage.left_out if stage else ()
    fingerprint = write_directory(
        out,
        contents,
        {
            "name": options.name,
            "credit": columns.credit,
            "counts": {"items": size, "photos": len(photo_embeddings), "photos_left_out": len(left_out)}
            | {"duplicates": len(looked.duplicates), "files_passed_over": len(looked.passed_over)},
            "photos_left_out": [list(pair) for pair in left_out[:_NAMED_REASONS]],
            "category_names": list(category_names),
            "transition_group_names": list(group_names),
            "store_ids": list(store_ids),
            "options": asdict(options),
            "backbone": embedder.describe() if embedder and stage else None,
            "isolation": isolation_of(isolator),
            "layout": looked.layout,
            "duplicates": [list(pair) for pair in looked.duplicates[:_NAMED_REASONS]],
            "files_passed_over": [list(pair) for pair in looked.passed_over[:_NAMED_REASONS]],
            "neighbours": {"how": "exact"} if search is None else search.found,
            "version": 1,
            "quality": None
            if full is None
            else {"type_at_5_full": round(full, 4), "type_at_5": round(_some(short), 4)}
            | ({"learnt_from": list(learnt_from)} if learnt_from else {}),
            "made_with": {name: version(name) for name in ("trendloom", "numpy", "pyarrow", "pillow", "safetensors")},
        },
    )
    tell("write", 1, 1)
    return BuildReport(
        fingerprint,
        size,
        len(photo_embeddings),
        tuple(left_out),
        full,
        short,
        tuple(looked.duplicates),
        looked.passed_over,
        looked.layout,
        learnt_from,
    )


def _names(column: str, names: Sequence[str]) -> dict[str, Sequence[str]]:
    """Return the names behind numbers as a column, if there are any: what is added later may belong to them."""
    return {column: names} if any(names) else {}


def _stores(
    items: ItemTable, category: npt.NDArray[np.int16], dealt_to: tuple[str, ...], seed: int
) -> tuple[npt.NDArray[np.int16], tuple[str, ...]]:
    if any(items.stores):
        ids = tuple(sorted(set(items.stores) - {""}))
        place = {store_id: number for number, store_id in enumerate(ids)} | {"": -1}
        return np.array([place[store_id] for store_id in items.stores], np.int16), ids
    return deal_to_stores(category, len(dealt_to), seed), dealt_to


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    unit: npt.NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit


def _some(value: float | None) -> float:
    return 0.0 if value is None else value
