"""``trendloom catalogue``: build a catalogue directory from photos, a table or both, change one, or show what it holds.

Everything that decides about a catalogue stands in :mod:`trendloom.catalogue`; this only asks and prints.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from launch.build_progress import show_progress
from launch.commands.catalogue_show import show, size_text
from launch.options import AsJson
from trendloom.errors import CatalogueError

if TYPE_CHECKING:
    from trendloom.catalogue.changing import ChangeReport
    from trendloom.catalogue.columns import Columns
    from trendloom.catalogue.isolation import Isolator
    from trendloom.catalogue.photo_layout import Layout

__all__ = ["add", "app", "build", "remove", "show"]

app = typer.Typer(no_args_is_help=True, help="Build a catalogue from photos or a table, change one, or show one.")

TableFile = Annotated[
    Path | None,
    typer.Option(help="The items: a .csv, .csv.gz, .parquet or .jsonl file. Empty: they are read from the photos."),
]
PresetTable = Annotated[str, typer.Option(help="A known table: hm or clothing_cc0. Empty: use --map.")]
Photos = Annotated[
    Path | None, typer.Option(help="Folder or zip file of photos; with a table they are named like the items.")
]
PhotoLayout = Annotated[
    str,
    typer.Option(
        help="What photos without a table tell: deepfashion (their names), folders (a folder is a category), plain "
        "(every photo an item), or auto."
    ),
]
Mapping = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="MEANING=COLUMN", help="item_id=sku, category=type, words=text ..."),
]
BackboneName = Annotated[str, typer.Option(help="Network that looks at the photos.")]
WeightsFile = Annotated[str, typer.Option(help="File with its weights, where they do not come with a package.")]
Isolation = Annotated[
    str,
    typer.Option(help="What finds the garment in a photo: none, near-white, saliency, colour-mask or label-map."),
]
Masks = Annotated[Path | None, typer.Option(help="Folder or zip file of the masks, for colour-mask and label-map.")]

_STAGES = {
    "photos": "choosing items by their photos",
    "embed": "embedding photos",
    "tune": "learning what is similar",
    "neighbours": "finding neighbours",
    "write": "writing",
}
#: As many photos that were left out are named for people; the manifest and JSON name more.
_SHOWN_REASONS = 20


@app.command()
def build(
    out: Annotated[Path, typer.Option(help="Directory to build into; a catalogue that stands there is replaced.")],
    table: TableFile = None,
    preset: PresetTable = "",
    photos: Photos = None,
    layout: PhotoLayout = "auto",
    mapping: Mapping = None,
    items: Annotated[int, typer.Option(min=0, help="Choose this many photographed items, balanced; 0 = all.")] = 0,
    seed: Annotated[int, typer.Option(help="Decides which items are chosen and which store holds them.")] = 42,
    stores: Annotated[int, typer.Option(min=0, help="Deal items to store-1 .. store-N; 0 = as the preset.")] = 0,
    exact_up_to: Annotated[
        int,
        typer.Option(min=0, help="Up to so many items neighbours are searched exactly, above by faiss if installed."),
    ] = 200_000,
    backbone: Annotated[
        str,
        typer.Option(help="What looks at the photos: networks, and colours and flips, joined by +."),
    ] = "efficientnet_lite0_taps+colours",
    weights: WeightsFile = "",
    isolation: Isolation = "none",
    masks: Masks = None,
    tune: Annotated[
        str,
        typer.Option(help="Learn what is similar from labels: type,colour, or one; auto: where there are both; none."),
    ] = "auto",
    colour_weight: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="What colour counts in a similarity, the rest being type or look."),
    ] = None,
    name: Annotated[str, typer.Option(help="Name for the manifest.")] = "catalogue",
    as_json: AsJson = False,
) -> None:
    """Build a catalogue directory from photos, from a table, or from both.

    A build that was killed continues when the same command is run again.
    """
    from trendloom.catalogue.build import BuildOptions, build_catalogue
    from trendloom.catalogue.embedding import open_backbone

    columns = _columns(preset, mapping)
    options = BuildOptions(
        name=name,
        items=items,
        seed=seed,
        store_ids=tuple(f"store-{number}" for number in range(1, stores + 1)),
        exact_up_to=exact_up_to,
    )
    labels = tuple(label.strip() for label in tune.split(",") if label.strip())
    options = replace(options, tune=() if labels == ("none",) else labels)
    if colour_weight is not None:
        options = replace(options, colour_weight=colour_weight, mix_colour_weight=colour_weight)
    started = perf_counter()
    with show_progress(_STAGES, quiet=as_json) as tell:
        report = build_catalogue(
            table,
            out,
            columns,
            options,
            photos=photos,
            embedder=open_backbone(backbone, weights=weights) if photos else None,
            isolator=_isolator(isolation, masks),
            layout=_layout(layout),
            progress=tell,
        )
    took_s = perf_counter() - started
    size = sum(file.stat().st_size for file in out.iterdir())
    if as_json:
        told = {
            "directory": str(out),
            "fingerprint": report.fingerprint,
            "items": report.items,
            "photos": report.photos,
            "layout": report.layout,
            "photos_left_out": [{"item_id": item_id, "reason": reason} for item_id, reason in report.left_out],
            "files_passed_over": [{"path": path, "reason": reason} for path, reason in report.passed_over],
            "duplicates": [{"kept": kept, "other": other} for kept, other in report.duplicates],
            "photos_seen_before": report.resumed,
            "type_at_5_full": report.type_at_5_full,
            "type_at_5": report.type_at_5,
            "learnt_from": list(report.learnt_from),
            "bytes": size,
            "took_s": round(took_s, 1),
        }
        typer.echo(json.dumps(told, indent=2))
        return
    typer.echo(
        f"{out}: {report.items} items, {report.photos} with photos, {size_text(size)}, in {took_s:.0f} s; "
        f"fingerprint {report.fingerprint}"
    )
    if report.resumed:
        typer.echo(f"continued a build that did not end: {report.resumed} photos had been looked at")
    if report.duplicates:
        done = "are views of another" if report.layout in {"table", "deepfashion"} else "were merged into another"
        typer.echo(f"{len(report.duplicates)} items with the very picture of another {done}; the manifest names them")
    if (out / "contact-sheet.jpg").is_file():
        typer.echo(f"some of it on one picture: {out / 'contact-sheet.jpg'}")
    if report.type_at_5 is not None and report.type_at_5_full is not None:
        how = f"learnt from {' and '.join(report.learnt_from)} of these photos" if report.learnt_from else "shortened"
        typer.echo(f"type@5: {report.type_at_5:.4f} {how}, {report.type_at_5_full:.4f} with the full features")
    for item_id, reason in (*report.left_out, *report.passed_over)[:_SHOWN_REASONS]:
        typer.echo(f"photo left out: {item_id}: {reason}", err=True)
    if len(report.left_out) > _SHOWN_REASONS:
        typer.echo(
            f"photos left out: {len(report.left_out)} in all; {out / 'manifest.json'} names up to 1,000", err=True
        )


@app.command()
def add(
    directory: Annotated[Path, typer.Argument(help="The catalogue's directory.")],
    photos: Annotated[Path, typer.Option(help="Folder or zip file with the photos of what is new.")],
    table: TableFile = None,
    preset: PresetTable = "",
    layout: PhotoLayout = "auto",
    mapping: Mapping = None,
    backbone: Annotated[
        str, typer.Option(help="Network that looked at the other photos; empty: as the catalogue says.")
    ] = "",
    weights: WeightsFile = "",
    isolation: Annotated[
        str, typer.Option(help="What finds the garment in a photo; empty: what the catalogue says.")
    ] = "",
    masks: Masks = None,
    as_json: AsJson = False,
) -> None:
    """Add new items to a catalogue by their photos; workers that run pick it up by themselves."""
    from trendloom.catalogue.changing import add_items
    from trendloom.catalogue.directory import load_catalogue
    from trendloom.catalogue.embedding import open_backbone

    columns, chosen = _columns(preset, mapping), _layout(layout)
    manifest = load_catalogue(directory).manifest
    made, cut = manifest.get("backbone"), manifest.get("isolation")
    named = backbone or (str(made["name"]) if isinstance(made, dict) else "efficientnet_lite0")
    isolation = isolation or (str(cut["kind"]) if isinstance(cut, dict) else "none")
    embedder = open_backbone(named, weights=weights)
    with show_progress(_STAGES, quiet=as_json) as tell:
        report = add_items(
            directory,
            columns,
            embedder,
            photos=photos,
            table=table,
            isolator=_isolator(isolation, masks),
            layout=chosen,
            progress=tell,
        )
    _tell_change(directory, report, as_json=as_json)


@app.command()
def remove(
    directory: Annotated[Path, typer.Argument(help="The catalogue's directory.")],
    items: Annotated[list[str], typer.Argument(help="Ids of the items that go.")],
    as_json: AsJson = False,
) -> None:
    """Take items out of a catalogue; workers that run pick it up by themselves and list them no more."""
    from trendloom.catalogue.changing import remove_items

    _tell_change(directory, remove_items(directory, items), as_json=as_json)


def _tell_change(directory: Path, report: ChangeReport, *, as_json: bool) -> None:
    if as_json:
        told = {
            "directory": str(directory),
            "fingerprint": report.fingerprint,
            "version": report.version,
            "items": report.items,
            "added": list(report.added),
            "removed": list(report.removed),
            "left_out": [{"item_id": item_id, "reason": reason} for item_id, reason in report.left_out],
        }
        typer.echo(json.dumps(told, indent=2))
        return
    typer.echo(
        f"{directory}: version {report.version}, {report.items} items, {len(report.added)} added, "
        f"{len(report.removed)} removed; fingerprint {report.fingerprint}"
    )
    for item_id, reason in report.left_out[:_SHOWN_REASONS]:
        typer.echo(f"left out: {item_id}: {reason}", err=True)
    if len(report.left_out) > _SHOWN_REASONS:
        typer.echo(f"left out: {len(report.left_out)} in all; --json names them", err=True)


def _columns(preset: str, mapping: list[str] | None) -> Columns:
    from trendloom.catalogue.columns import PRESETS, Columns, map_columns

    if preset and preset not in PRESETS:
        raise CatalogueError(f"There is no preset {preset!r}. Action: use {', '.join(sorted(PRESETS))}, or --map.")
    pairs = [pair.partition("=") for pair in mapping or []]
    if wrong := [meaning for meaning, equals, _ in pairs if not equals]:
        raise CatalogueError(f"--map {wrong[0]} names no column. Action: write --map MEANING=COLUMN.")
    return map_columns(PRESETS[preset] if preset else Columns(), {meaning: column for meaning, _, column in pairs})


def _isolator(kind: str, masks: Path | None) -> Isolator | None:
    from trendloom.catalogue.isolation import open_isolator
    from trendloom.catalogue.photos import open_photos

    if kind == "none":
        return None
    return open_isolator(kind, None if masks is None else open_photos(masks))


def _layout(layout: str) -> Layout:
    from trendloom.catalogue.photo_layout import LAYOUTS

    for known in LAYOUTS:
        if layout == known:
            return known
    raise CatalogueError(f"There is no layout {layout!r}. Action: use {', '.join(LAYOUTS)}.")


app.command()(show)
