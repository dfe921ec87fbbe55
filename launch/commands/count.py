"""``trendloom count``: the most common categories in a set of photos, and a picture of them.

What a photo shows is decided in :mod:`trendloom.classifier`; this only asks and prints.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from launch.options import AsJson
from launch.picture_files import picture_format, save_picture

__all__ = ["count"]

_SHOWN_REASONS = 20


def count(
    photos: Annotated[Path, typer.Argument(metavar="DIR", help="Folder (to any depth) or zip file of photos.")],
    head: Annotated[str, typer.Option(help="File of a trained head, or the name of one that ships: cc0.")] = "cc0",
    most: Annotated[int | None, typer.Option("-k", "--most", min=1, help="So many categories; default: all.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write a picture: the photos by category.")] = None,
    columns: Annotated[int, typer.Option(min=1, max=40, help="Photos in a row of the grid.")] = 8,
    weights: Annotated[str, typer.Option(help="File with the backbone's weights, where no package has them.")] = "",
    as_json: AsJson = False,
) -> None:
    """Count the categories in a folder of photos; of equal counts the alphabetically first comes first."""
    from trendloom.catalogue.photos import decode_photo, readable
    from trendloom.classifier.checkpoint import load_classifier
    from trendloom.classifier.counting import count_categories
    from trendloom.classifier.labelled import photos_by_path
    from trendloom.classifier.pictures import MOST_CELLS, photo_grid, small_photo
    from trendloom.classifier.predicting import PhotoClassifier

    kind = picture_format(out)
    source = photos_by_path(photos)
    asked = PhotoClassifier(load_classifier(head), weights=weights)
    classes = len(asked.classifier.labels)
    found = asked.predict(source, sorted(source.names), runners_up=classes - 1)
    counts = count_categories(found.names, found.predictions, most)
    if out is not None:
        # decoded one by one and shrunk at once: a folder of large photos fits in memory
        each = max(1, MOST_CELLS // max(1, len(counts)))
        sections = [
            (
                f"{one.label}: {one.photos}" + (f", the surest {each}" if one.photos > each else ""),
                [
                    (small_photo(decode_photo(source, name)), f"{probability:.0%}")
                    for name, probability in one.members[:each]
                ],
            )
            for one in counts
        ]
        save_picture(photo_grid(sections, columns=columns), out, kind)
    if as_json:
        told = {
            "photos": len(found.names),
            "categories": [
                {"label": one.label, "photos": one.photos, "expected": round(one.expected, 2)} for one in counts
            ],
            "left_out": [{"photo": readable(name), "reason": reason} for name, reason in found.left_out],
        }
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    typer.echo(f"{len(found.names)} photos of {readable(str(photos))}")
    width = max((len(one.label) for one in counts), default=0)
    for one in counts:
        share = one.photos / len(found.names)
        typer.echo(f"{one.label:<{width}}  {one.photos:>6}  {share:>4.0%}  (expected {one.expected:.1f})")
    for name, reason in found.left_out[:_SHOWN_REASONS]:
        typer.echo(f"photo left out: {name}: {reason}", err=True)
    if len(found.left_out) > _SHOWN_REASONS:
        typer.echo(f"photos left out: {len(found.left_out)} in all; --json names each", err=True)
