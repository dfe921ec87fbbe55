"""``trendloom similar``: the garments of a catalogue that look most like a photo, as lines, as JSON and as a picture.

Everything that decides stands in :mod:`trendloom.similar`; this only asks, prints and writes the picture.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from launch.options import AsJson, CatalogueDirectory, ConfigFile, read_settings
from launch.picture_files import picture_format, save_picture
from trendloom.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

    from trendloom.detector.detect import Detector
    from trendloom.similar import Similar
    from trendloom.similar.grid import GridRow

__all__ = ["similar"]


def similar(
    photos: Annotated[
        list[Path] | None, typer.Argument(metavar="[PHOTO]...", help="Photos to search with; none: a random garment.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many garments.")] = 5,
    label_aware: Annotated[
        bool, typer.Option("--label-aware", help="Let the classifier's probabilities weigh the candidates, softly.")
    ] = False,
    detect: Annotated[
        bool, typer.Option("--detect", help="Find the garments in each photo, and search for each of them.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a picture: the query beside what was found.")
    ] = None,
    item: Annotated[str | None, typer.Option(metavar="ID", help="Search with this garment of the catalogue.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Which random garment; else another one each time.")] = None,
    classifier: Annotated[
        str, typer.Option(metavar="FILE", help="What --label-aware asks: a checkpoint, or cc0, which ships.")
    ] = "cc0",
    detector: Annotated[
        str, typer.Option(metavar="FILE", help="What --detect asks: a file of `detector train`, or ccp, which ships.")
    ] = "ccp",
    weights: Annotated[
        str, typer.Option(metavar="FILE", help="Weights of the catalogue's network, where no package has them.")
    ] = "",
    catalogue: CatalogueDirectory = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Find the garments that look most like a photo; 100 % is the same picture."""
    if photos and item is not None:
        raise InputError("Both photos and --item are given. Action: name one of the two.")
    if detect and not photos:
        raise InputError("--detect looks for garments in photos. Action: name one.")
    kind = picture_format(out)
    from trendloom.similar import Similar

    settings = read_settings(config, {"catalogue.directory": catalogue})
    search = Similar.open(settings.catalogue.directory or None, classifier=classifier, weights=weights)
    rows = (
        _by_photo(search, photos, k, label_aware=label_aware, detector=detector if detect else None)
        if photos
        else [_by_item(search, item, seed, k, label_aware=label_aware)]
    )
    if out is not None:
        from trendloom.similar.grid import draw_grid

        save_picture(draw_grid(search, rows), out, kind)
    if as_json:
        typer.echo(json.dumps([_told(row) for row in rows], indent=2, ensure_ascii=False))
        return
    for row in rows:
        _print(row)
    if out is not None:
        typer.echo(f"picture: {out}")


def _by_photo(search: Similar, photos: list[Path], k: int, *, label_aware: bool, detector: str | None) -> list[GridRow]:
    from trendloom.catalogue.photos import readable
    from trendloom.similar.grid import GridRow
    from trendloom.similar.photo import take_photo

    named = [(readable(str(photo)), take_photo(photo)) for photo in photos]
    if detector is not None:
        from trendloom.detector.detect import load_detector

        named = _garments(named, load_detector(detector))
    answers = search.search_many([picture for _, picture in named], k, label_aware=label_aware)
    return [GridRow(picture, name, answer) for (name, picture), answer in zip(named, answers, strict=True)]


def _garments(named: list[tuple[str, Image.Image]], detector: Detector) -> list[tuple[str, Image.Image]]:
    """Return each garment that the detector finds in the photos, cut out, under the photo's name and what it is."""
    from trendloom.detector.detect import crops_of

    found = []
    for name, picture in named:
        crops = crops_of(picture, detector)
        if not crops:
            raise InputError(f"No garment was found in {name}. Action: leave --detect out, or name another photo.")
        found += [(f"{name}, {crop.box.label} ({crop.box.score:.0%})", crop.photo) for crop in crops]
    return found


def _by_item(search: Similar, item: str | None, seed: int | None, k: int, *, label_aware: bool) -> GridRow:
    import numpy as np
    from PIL import Image

    from trendloom.similar.grid import GridRow

    item_id = search.random_item(np.random.default_rng(seed)) if item is None else item
    answer = search.search_item(item_id, k, label_aware=label_aware)
    content = search.catalogue.thumbnails.get(search.catalogue.row(item_id))
    return GridRow(None if content is None else Image.open(io.BytesIO(content)), item_id, answer)


def _told(row: GridRow) -> dict[str, Any]:
    probability = row.answer.label_probability
    return {
        "query": row.name,
        "label": row.answer.label,
        "label_probability": None if probability is None else round(probability, 4),
        "matches": [
            {
                "item_id": match.item_id,
                "title": match.title,
                "category": match.category,
                "similarity": round(match.similarity, 4),
                "score": round(match.score, 4),
            }
            for match in row.answer.matches
        ],
    }


def _print(row: GridRow) -> None:
    from trendloom.similar.search import percent

    said = ""
    if row.answer.label is not None:
        sure = row.answer.label_probability
        said = f" ({row.answer.label})" if sure is None else f" ({row.answer.label}, {sure:.0%} sure)"
    typer.echo(f"like {row.name}{said}:")
    width = max((len(match.item_id) for match in row.answer.matches), default=0)
    for match in row.answer.matches:
        typer.echo(f"  {percent(match.similarity):3} %  {match.item_id:{width}}  {match.title}")
