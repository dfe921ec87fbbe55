"""``trendloom detector``: train one on boxes, measure it on photos held out, or show what it finds in a photo.

Everything that decides about detectors stands in :mod:`trendloom.detector`; this only asks and prints.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from launch.options import AsJson
from launch.picture_files import check_target_file, picture_format, save_picture
from trendloom.errors import CatalogueError

__all__ = ["app", "evaluate", "predict", "train"]

app = typer.Typer(no_args_is_help=True, help="Find garments in street photos: train, evaluate, predict.")

Boxes = Annotated[Path, typer.Option(help="Boxes, one a row: photo,label,x0,y0,x1,y1 as .csv or .csv.gz.")]
Photos = Annotated[Path, typer.Option(help="Folder or zip file of the photos that the boxes name.")]
Groups = Annotated[
    str, typer.Option(help="ccp: merge Clothing Co-Parsing's labels into six groups. Empty: as they are.")
]
Model = Annotated[str, typer.Option("--detector", help="The one that ships, ccp, or a file of `detector train`.")]
Device = Annotated[str, typer.Option(help="cpu, or cuda for a GPU.")]
_STAGES = {"look": "frozen features", "train": "training", "evaluate": "measuring"}


@app.command()
def train(
    boxes: Boxes,
    photos: Photos,
    out: Annotated[Path, typer.Option(help="File to write, .safetensors.")],
    groups: Groups = "",
    data_name: Annotated[str, typer.Option(help="What the photos are called, for the file's provenance.")] = "unnamed",
    licence: Annotated[str, typer.Option(help="The photos' terms, for the file's provenance.")] = "not told",
    epochs: Annotated[int, typer.Option(min=1, help="Times that every photo is shown.")] = 16,
    views: Annotated[int, typer.Option(min=1, help="Kept views a photo: as it is, mirrored, windows.")] = 4,
    side: Annotated[int, typer.Option("--side-px", min=96, help="Long side that photos are resized to.")] = 480,
    channels: Annotated[int, typer.Option(min=32, help="Width of pyramid and head; a multiple of 32.")] = 64,
    train_backbone: Annotated[
        bool, typer.Option("--train-backbone", help="Train the backbone's last five blocks too; asks for a GPU.")
    ] = False,
    device: Device = "cpu",
    seed: Annotated[int, typer.Option(help="Decides views, their order and the head's first weights.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Train a detector on two thirds of the photos, and measure it on the third held out."""
    from models.detector import DetectorShape
    from trendloom.detector.boxes import is_held_out, read_boxes
    from trendloom.detector.detect import Detector
    from trendloom.detector.evaluation import evaluate_detector
    from trendloom.detector.groups import GROUPS, groups_named
    from trendloom.detector.head_file import read_head, save_head
    from trendloom.detector.training import Training, open_network, train_detector

    if channels % 32:
        raise CatalogueError(f"--channels {channels} is no multiple of 32. Action: name 32, 64, 96 ...")
    check_target_file(out)
    source = _open(photos)
    mapping = groups_named(groups)
    table = read_boxes(boxes, source, groups=mapping, labels=GROUPS if mapping else ())
    learnt = [name for name in table.boxes if not is_held_out(name)]
    held_out = [name for name in table.boxes if is_held_out(name)]
    training = Training(epochs=epochs, views=views, train_tail=train_backbone, seed=seed, device=device)
    shape = DetectorShape(classes=len(table.labels), long_side_px=side, channels=channels)
    with _progress(quiet=as_json) as tell:
        network = open_network(shape, seed=seed, device=device)
        report = train_detector(network, table, source, learnt, training, progress=tell)
        provenance = {
            "data": data_name,
            "licence": licence,
            "photos": report.photos,
            "boxes": report.boxes,
            "held_out": "photos whose name's SHA-256 is a multiple of 3",
            "training": asdict(training),
        }
        save_head(out, network, table.labels, provenance, with_tail=train_backbone)
        # what was written is what is measured
        detector = Detector(*read_head(out, device=device))
        figures = evaluate_detector(detector, table, source, train=learnt, held_out=held_out, progress=tell)
    told = {"file": str(out), "bytes": out.stat().st_size, "training": asdict(report), **figures.told()}
    _tell(told, as_json=as_json)


@app.command()
def evaluate(
    boxes: Boxes,
    photos: Photos,
    groups: Groups = "",
    model: Model = "ccp",
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Measure a detector on the third of the photos that training holds out, beside each class' mean box."""
    from trendloom.detector.boxes import is_held_out, read_boxes
    from trendloom.detector.detect import load_detector
    from trendloom.detector.evaluation import evaluate_detector
    from trendloom.detector.groups import groups_named

    source = _open(photos)
    detector = load_detector(model, device=device)
    table = read_boxes(boxes, source, groups=groups_named(groups), labels=detector.labels)
    with _progress(quiet=as_json) as tell:
        figures = evaluate_detector(
            detector,
            table,
            source,
            train=[name for name in table.boxes if not is_held_out(name)],
            held_out=[name for name in table.boxes if is_held_out(name)],
            progress=tell,
        )
    _tell(figures.told(), as_json=as_json)


@app.command()
def predict(
    photo: Annotated[Path, typer.Argument(help="A photo.")],
    model: Model = "ccp",
    least_score: Annotated[float, typer.Option(min=0, max=1, help="Boxes with a lower score are not shown.")] = 0.45,
    out: Annotated[Path | None, typer.Option(help="Write the photo with its boxes drawn to this file.")] = None,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Show the garments of a photo: class, score and box in pixels."""
    from trendloom.catalogue.photos import UnusablePhoto, decode_bytes, read_bounded, upright_size
    from trendloom.detector.boxes import scale_boxes
    from trendloom.detector.detect import load_detector
    from trendloom.detector.drawing import draw_boxes

    kind = picture_format(out)
    try:
        content = read_bounded(photo)
        picture = decode_bytes(content)
    except (OSError, UnusablePhoto) as error:
        raise CatalogueError(f"{photo}: {error}. Action: name a photo.") from error
    found = load_detector(model, device=device).detect(picture, least_score=least_score)
    if out is not None:
        save_picture(draw_boxes(picture, found), out, kind)
    found = list(scale_boxes(found, picture.size, upright_size(content)))  # large photos are looked at smaller
    if as_json:
        typer.echo(json.dumps([asdict(box) for box in found], indent=2))
        return
    for box in found:
        corners = f"{box.left:.0f},{box.top:.0f} - {box.right:.0f},{box.bottom:.0f}"
        typer.echo(f"{box.label:<10} {box.score:.2f}  {corners}")
    if not found:
        typer.echo("no garment found; a lower --least-score shows less certain ones", err=True)


def _open(photos: Path) -> Any:
    from trendloom.catalogue.photos import open_photos

    return open_photos(photos)


def _tell(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    if "file" in told:
        cost = told["training"]
        typer.echo(
            f"{told['file']}: {told['bytes'] / 1e6:.1f} MB, {cost['photos']} photos, "
            f"features {cost['features_s']:.0f} s, training {cost['epochs_s']:.0f} s"
        )
    for name in ("detector", "mean_box_per_class"):
        figures = told[name]
        recall = ", ".join(
            f"{value:.3f} with {count} boxes a photo"
            for count, value in figures["class_agnostic_recall_by_proposals"].items()
        )
        typer.echo(f"{name}: mAP@50 {figures['mean_average_precision']:.3f}; recall@50 {recall}")
        typer.echo("  " + ", ".join(f"{label} {value:.3f}" for label, value in figures["average_precision"].items()))
    typer.echo(f"{told['detector']['photos']} photos held out, {told['ms_per_photo']:.0f} ms a photo")


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, quiet=quiet),
    )
    tasks: dict[str, Any] = {}

    def tell(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(_STAGES.get(stage, stage), total=total)
        bars.update(tasks[stage], completed=done)

    with bars:
        yield tell
