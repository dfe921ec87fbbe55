"""``trendloom catalogue show``: what a catalogue holds, or one item with its visual neighbours.

Only reads and prints. Read next: :mod:`trendloom.catalogue.directory`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from launch.options import AsJson

if TYPE_CHECKING:
    from trendloom.catalogue.garment import Catalogue

__all__ = ["show", "size_text"]

#: Categories that are named for people; JSON has all.
_SHOWN_CATEGORIES = 20


def show(
    directory: Annotated[Path | None, typer.Argument(help="Catalogue directory; empty: the one that ships.")] = None,
    item: Annotated[str | None, typer.Option(help="Show this item and its visual neighbours.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many items or neighbours.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show what a catalogue holds, or one item with its visual neighbours."""
    from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue

    path = directory or demo_catalogue_path()
    catalogue = load_catalogue(path)
    told = _summary(catalogue, path, limit) if item is None else _neighbours(catalogue, catalogue.row(item), limit)
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    _print(told, told.pop("neighbours" if item is not None else "some_items"))


def _print(told: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Print what is known as lines, unknown things not at all, and then the rows as a grid."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for key, value in told.items():
        if value or value == 0:
            console.print(
                f"{key.replace('_', ' ')}: {_said(key, value)}", highlight=False, markup=False, soft_wrap=True
            )
    grid = Table(box=SIMPLE_HEAD)
    named = [name for name in (rows[0] if rows else ()) if _tells(name, rows)]
    for name in named:
        # an id is there to be copied: it is never cut, other columns give way
        grid.add_column(name.replace("_", " "), no_wrap=name == "item_id", overflow="fold")
    for row in rows:
        grid.add_row(*(f"{row[name]:.4f}" if name == "similarity" else Text(str(row[name])) for name in named))
    if named:
        console.print(grid)


def _tells(name: str, rows: list[dict[str, Any]]) -> bool:
    """Return whether a column tells people something: not nothing at all, nor again what is in the titles."""
    if name in {"colour", "category"} and all(row[name].lower() in row["title"].lower() for row in rows):
        return False
    return any(row[name] not in {"", "unknown"} for row in rows)


def _said(key: str, value: object) -> str:
    if key == "bytes":
        return f"{value:,} ({size_text(int(str(value)))})"
    if key == "quality" and isinstance(value, dict):
        return (
            f"of the 5 nearest {value['type_at_5']:.1%} have the item's product type "
            f"({value['type_at_5_full']:.1%} by the full features)"
            + (f"; {' and '.join(value['learnt_from'])} were learnt from these" if value.get("learnt_from") else "")
        )
    if key == "categories" and isinstance(value, dict):
        shown = ", ".join(f"{name} {count}" for name, count in list(value.items())[:_SHOWN_CATEGORIES])
        more = len(value) - _SHOWN_CATEGORIES
        return f"{shown} and {more} more" if more > 0 else shown
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _summary(catalogue: Catalogue, path: Path, limit: int) -> dict[str, Any]:
    import numpy as np

    counts = np.bincount(catalogue.category, minlength=len(catalogue.category_names)).tolist()
    categories = dict(sorted(zip(catalogue.category_names, counts, strict=True), key=lambda pair: (-pair[1], pair[0])))
    manifest = catalogue.manifest
    told = manifest.get("counts")
    backbone = manifest.get("backbone")
    step = max(1, len(catalogue) // limit)
    return {
        "directory": str(path),
        "name": manifest.get("name"),
        "fingerprint": catalogue.fingerprint,
        "items": len(catalogue),
        "photos": len(catalogue.photo_embeddings),
        "photos_left_out": told.get("photos_left_out", 0) if isinstance(told, dict) else 0,
        "bytes": sum(file.stat().st_size for file in path.iterdir()),
        "backbone": backbone.get("name") if isinstance(backbone, dict) else None,
        "quality": manifest.get("quality"),
        "stores": list(catalogue.store_ids),
        "credit": manifest.get("credit"),
        "categories": categories,
        "some_items": [_line(catalogue, row) for row in range(0, len(catalogue), step)][:limit],
    }


def _neighbours(catalogue: Catalogue, row: int, limit: int) -> dict[str, Any]:
    near = [int(other) for other in catalogue.neighbours[row, :limit] if other >= 0]
    return {
        **_line(catalogue, row),
        "compared_by": "table" if catalogue.neighbour_source[row] else "photo",
        "neighbours": [
            {**_line(catalogue, other), "similarity": round(float(value), 4)}
            for other, value in zip(near, catalogue.neighbour_similarity[row], strict=False)
        ],
    }


def _line(catalogue: Catalogue, row: int) -> dict[str, Any]:
    from trendloom.catalogue.garment import GENDERS

    store = int(catalogue.store[row])
    return {
        "item_id": catalogue.item_ids[row],
        "title": catalogue.titles[row],
        "colour": catalogue.colours[row],
        "category": catalogue.category_names[catalogue.category[row]],
        "gender": GENDERS[catalogue.gender[row]],
        "store": catalogue.store_ids[store] if store >= 0 else "",
    }


def size_text(size: int) -> str:
    """Return a number of bytes as people write it.

    >>> size_text(8_400_000), size_text(776_123)
    ('8.4 MB', '776 kB')
    """
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
