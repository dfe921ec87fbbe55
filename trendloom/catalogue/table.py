"""Reads a metadata table (CSV, CSV.gz, Parquet or JSON Lines) into plain rows that a catalogue can be built from.

Which column means what is told by :mod:`trendloom.catalogue.columns`. Knows no photos. Read next:
:mod:`trendloom.catalogue.attributes`, which turns the attributes into vectors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.columns import Columns
from trendloom.errors import CatalogueError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ItemTable", "gender_code", "read_items", "slug"]


@dataclass(frozen=True)
class ItemTable:
    """The rows of a table, in its order, as plain lists; "" = unknown."""

    item_ids: list[str]
    photos: list[str]
    titles: list[str]
    colours: list[str]
    product_types: list[str]
    categories: list[str]
    gender: npt.NDArray[np.int8]
    products: list[str]
    views: list[str]
    transition_groups: list[str]
    stores: list[str]
    #: Attribute name -> value of each row, and its weight.
    attributes: dict[str, list[str]]
    weights: dict[str, float]
    #: Free text of each row.
    texts: list[str]
    #: Further photos of the same garment, its other views; [] = no item has any.
    further_photos: list[tuple[str, ...]] = field(default_factory=list)
    #: The part of the shop that each row hangs in, and its print; [] = the table does not say.
    sections: list[str] = field(default_factory=list)
    patterns: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.item_ids)

    def take(self, rows: Sequence[int] | npt.NDArray[np.integer]) -> ItemTable:
        """Return the table with these rows only, in this order."""

        def pick(values: list[str]) -> list[str]:
            return [values[row] for row in rows]

        return replace(
            self,
            item_ids=pick(self.item_ids),
            photos=pick(self.photos),
            titles=pick(self.titles),
            colours=pick(self.colours),
            product_types=pick(self.product_types),
            categories=pick(self.categories),
            gender=self.gender[np.asarray(rows, np.int64)],
            products=pick(self.products),
            views=pick(self.views),
            transition_groups=pick(self.transition_groups),
            stores=pick(self.stores),
            attributes={name: pick(values) for name, values in self.attributes.items()},
            texts=pick(self.texts),
            further_photos=[self.further_photos[row] for row in rows] if self.further_photos else [],
            sections=pick(self.sections) if self.sections else [],
            patterns=pick(self.patterns) if self.patterns else [],
        )

    def photos_of(self, row: int) -> tuple[str, ...]:
        """Return the names of an item's photos, the one that stands for it first."""
        return (self.photos[row], *(self.further_photos[row] if self.further_photos else ()))


_GENDER_STEMS = (
    (4, ("kid", "baby", "child", "boy", "girl", "infant")),
    (3, ("unisex",)),
    (1, ("women", "woman", "ladies", "lady", "lingerie", "female", "mama", "maternity")),
    (2, ("men", "man", "male")),
)


def gender_code(text: str) -> int:
    """Return the position in ``GENDERS`` that a text names, 0 when it names none; children come before adults.

    >>> from trendloom.catalogue.garment import GENDERS
    >>> [GENDERS[gender_code(text)] for text in ("Womens Shoes", "Menswear", "Young Girl", "Divided", "WOMEN")]
    ['women', 'men', 'kids', 'unknown', 'women']
    """
    words = re.findall(r"[a-z]+", text.lower())
    for code, stems in _GENDER_STEMS:
        if any(word.startswith(stem) for word in words for stem in stems):
            return code
    return 0


def slug(text: str) -> str:
    """Return a text as lower-case letters and digits joined by single hyphens.

    >>> slug("T-Shirt  (long)")
    't-shirt-long'
    """
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))


def read_items(path: Path, columns: Columns) -> ItemTable:
    """Return the rows of the table at ``path``; raises :class:`CatalogueError` when it cannot be used as described.

    The kind of file is told by its name: .csv, .csv.gz, .parquet, .jsonl or .ndjson (these two also with .gz).
    """
    table = _read(path)
    _require(path, table, columns)
    size = table.num_rows

    def texts(name: str) -> list[str]:
        if not name:
            return [""] * size
        import pyarrow as pa

        try:
            values: list[str | None] = table[name].cast(pa.string()).to_pylist()
        except pa.ArrowException as error:
            raise CatalogueError(
                f"The column {name} of {path} is no text: it holds {table[name].type} ({error}). "
                "Action: name another column, or turn it into text."
            ) from error
        return [value.strip() if value else "" for value in values]

    keep = np.ones(size, bool)
    for name, dropped in columns.drop.items():
        keep &= ~np.isin(np.array(texts(name), object), dropped)
    categories, photos = texts(columns.category), texts(columns.photo)
    item_ids = texts(columns.item_id)
    if columns.id_from_category:
        item_ids = [f"{slug(category)}-{photo[:8]}" for category, photo in zip(categories, photos, strict=True)]
    product = texts(columns.product)
    items = ItemTable(
        item_ids=item_ids,
        photos=photos if columns.photo else list(item_ids),
        titles=texts(columns.title),
        colours=texts(columns.colour),
        product_types=texts(columns.product_type or columns.category),
        categories=categories,
        gender=_genders([(name, texts(name)) for name in columns.gender], size),
        products=product,
        views=texts(columns.view),
        transition_groups=texts(columns.transition_group or columns.category),
        stores=texts(columns.store),
        attributes={name: texts(name) for name in columns.attributes},
        weights=dict(columns.attributes),
        texts=[" ".join(parts) for parts in zip(*(texts(name) for name in columns.words), strict=True)]
        if columns.words
        else [""] * size,
        sections=texts(columns.section) if columns.section else [],
        patterns=texts(columns.pattern) if columns.pattern else [],
    ).take(np.flatnonzero(keep))
    _check_ids(path, items.item_ids)
    return items


def _read(path: Path) -> pa.Table:
    import pyarrow as pa

    if not path.is_file():
        raise CatalogueError(f"There is no table {path}. Action: name a .csv, .csv.gz, .parquet or .jsonl file.")
    kind = "".join(path.suffixes[-2:]).lower().removesuffix(".gz").rsplit(".", 1)[-1]
    try:
        if kind == "parquet":
            import pyarrow.parquet as pq

            return pq.read_table(path)
        if kind == "csv":
            from pyarrow import csv

            # everything as text first: identifiers keep their leading zeros
            names = csv.open_csv(path).schema.names
            options = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
            return csv.read_csv(path, convert_options=options, parse_options=csv.ParseOptions(newlines_in_values=True))
        if kind in {"jsonl", "ndjson"}:
            from pyarrow import json

            return json.read_json(path)
    except (pa.ArrowException, OSError) as error:  # OSError: also what Arrow raises for a broken .gz
        raise CatalogueError(f"{path} cannot be read: {error}. Action: correct the file.") from error
    raise CatalogueError(f"{path} is no table that is known. Action: give a .csv, .csv.gz, .parquet or .jsonl file.")


def _require(path: Path, table: pa.Table, columns: Columns) -> None:
    if not columns.item_id and not columns.id_from_category:
        raise CatalogueError(f"No column of {path} is named as the item id. Action: give --map item_id=COLUMN.")
    named = [
        columns.item_id,
        columns.photo,
        columns.title,
        columns.colour,
        columns.category,
        columns.product_type,
        *columns.gender,
        columns.product,
        columns.view,
        columns.transition_group,
        columns.section,
        columns.pattern,
        columns.store,
        *columns.attributes,
        *columns.words,
        *columns.drop,
    ]
    missing = sorted({name for name in named if name} - set(table.column_names))
    if missing:
        raise CatalogueError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(table.column_names)}. "
            "Action: name its columns with --map MEANING=COLUMN."
        )


def _genders(told: list[tuple[str, list[str]]], size: int) -> npt.NDArray[np.int8]:
    codes = np.zeros(size, np.int8)
    for name, values in told:
        # a column that is a flag is named for what it says: kids = true
        known = {
            value: gender_code(name) if value.lower() in {"true", "1", "yes"} else gender_code(value)
            for value in set(values)
        }
        codes = np.where(codes == 0, np.array([known[value] for value in values], np.int8), codes)
    return codes.astype(np.int8)


def _check_ids(path: Path, item_ids: list[str]) -> None:
    if not item_ids:
        raise CatalogueError(f"{path} has no rows that can be used. Action: give a table with items.")
    seen: set[str] = set()
    for item_id in item_ids:
        if not 1 <= len(item_id) <= 128:  # the same bound as on the wire
            raise CatalogueError(
                f"{path} holds the item id {item_id[:40]!r} with {len(item_id)} characters. "
                "Action: use ids of 1 to 128 characters."
            )
        if item_id in seen:
            raise CatalogueError(f"{path} holds the item id {item_id!r} twice. Action: keep one row an item.")
        seen.add(item_id)
