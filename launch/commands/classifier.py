"""``trendloom classifier``: train a head on labelled photos, judge one, or ask one what photos show.

Everything that decides stands in :mod:`trendloom.classifier`; this only asks, prints and writes files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from launch.options import AsJson
from launch.picture_files import picture_format, save_picture
from trendloom.errors import ClassifierError

if TYPE_CHECKING:
    from trendloom.classifier.labelled import LabelledPhotos

__all__ = ["app", "evaluate", "predict", "train"]

app = typer.Typer(no_args_is_help=True, help="Train, judge or ask a network that says what a garment in a photo is.")

_SHOWN_REASONS = 20

_Photos = Annotated[
    Path, typer.Argument(metavar="PHOTOS", help="Folder or zip file; without --table one folder a class.")
]
_Table = Annotated[Path | None, typer.Option(help="Labels: a .csv, .csv.gz, .parquet or .jsonl file.")]
_Columns = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="MEANING=COLUMN", help="Columns of the table: photo=, label= and group=."),
]
_Pattern = Annotated[
    str, typer.Option(help=r"Without a table: expression whose match in the path keeps photos together, as (id_\d+).")
]
_Merge = Annotated[list[str] | None, typer.Option(metavar="LABEL=LABEL", help="Rename a label, or join it to another.")]
_Drop = Annotated[list[str] | None, typer.Option(metavar="LABEL", help="Leave photos with this label out.")]
_Only = Annotated[list[str] | None, typer.Option(metavar="LABEL", help="Use photos with these labels alone.")]
_Head = Annotated[str, typer.Option(help="File of a trained head, or the name of one that ships: cc0.")]
_Weights = Annotated[str, typer.Option(help="File with the backbone's weights, where no package has them.")]
_Matrix = Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the confusion matrix as a picture.")]


@app.command()
def train(
    photos: _Photos,
    out: Annotated[Path, typer.Option(help="File to write the head to, e.g. head.safetensors.")],
    table: _Table = None,
    mapping: _Columns = None,
    group_pattern: _Pattern = "",
    merge: _Merge = None,
    drop: _Drop = None,
    only: _Only = None,
    least: Annotated[int, typer.Option(min=3, help="Leave out labels with fewer photos than this.")] = 10,
    backbone: Annotated[str, typer.Option(help="Network that looks at the photos.")] = "efficientnet_lite0",
    weights: _Weights = "",
    augment: Annotated[list[str] | None, typer.Option(help="Also train on these views: mirror, crop.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Most epochs; it stops earlier when validation says so.")] = 30,
    dropout: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of hidden values that a step leaves out.")
    ] = 0.4,
    splits: Annotated[int, typer.Option(min=0, max=5, help="Held-out parts to judge on first; 0 = none.")] = 1,
    seed: Annotated[int, typer.Option(help="Decides the split, the first weights and the crops.")] = 42,
    features: Annotated[Path | None, typer.Option(help="Keep the features in this file, use them next time.")] = None,
    credit: Annotated[str, typer.Option(help="Who made the photos and under which terms, for the checkpoint.")] = "",
    matrix: _Matrix = None,
    as_json: AsJson = False,
) -> None:
    """Train a head on labelled photos, judged on groups that it did not see, and write it with its provenance.

    The figures come from heads trained the same way without the held-out groups; the head that is written was trained
    on all photos.
    """
    from models.heads import HeadRecipe
    from trendloom.catalogue.embedding import open_backbone
    from trendloom.catalogue.photos import readable
    from trendloom.classifier.checkpoint import save_classifier
    from trendloom.classifier.learning import learn_classifier

    kind = picture_format(matrix)
    if matrix is not None and not splits:
        raise ClassifierError("--matrix draws what was held out, and nothing is. Action: give --splits 1, or more.")
    if out.is_dir():
        raise ClassifierError(f"{out} is a folder. Action: name a file.")
    labelled, rare = _labelled(photos, table, mapping, group_pattern, merge, drop, only).frequent(least)
    learnt = learn_classifier(
        labelled,
        open_backbone(backbone, weights=weights),
        recipe=replace(HeadRecipe(), most_epochs=epochs, dropout=dropout),
        augment=augment or (),
        splits=splits,
        seed=seed,
        features=features,
        credit=credit,
        looked=_counter("photos", quiet=as_json),
        progress=_teller(quiet=as_json),
    )
    head, examples, measured = learnt.classifier, learnt.examples, learnt.measured
    size = save_classifier(head, out)
    if matrix is not None and measured is not None:
        _draw(matrix, kind, measured.confusion, examples.labels)
    left_out = [(readable(name), reason) for name, reason in learnt.left_out]
    told: dict[str, Any] = {
        "head": str(out),
        "bytes": size,
        "photos": len(examples),
        "labels": dict(zip(examples.labels, _counts(examples.wanted, len(examples.labels)), strict=True)),
        "too_rare": rare,
        "held_out": {**measured.mean(), "splits": splits, "baselines": measured.baselines} if measured else None,
        "temperature": round(head.temperature, 3),
        "left_out": [{"photo": name, "reason": reason} for name, reason in left_out],
    }
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    typer.echo(f"{out}: {len(examples.labels)} classes, {len(examples)} photos, {size / 1000:.0f} kB")
    if measured is not None:
        _print_figures(f"held out ({splits} of 5 parts)", measured.mean())
        for name, figures in measured.baselines.items():
            _print_figures(name, figures)
    for label, number in rare.items():
        typer.echo(f"left out, fewer than {least} photos: {label} ({number})", err=True)
    _print_left_out(left_out)


@app.command()
def evaluate(
    photos: _Photos,
    head: _Head = "cc0",
    table: _Table = None,
    mapping: _Columns = None,
    merge: _Merge = None,
    drop: _Drop = None,
    only: _Only = None,
    weights: _Weights = "",
    matrix: _Matrix = None,
    as_json: AsJson = False,
) -> None:
    """Judge a head on labelled photos; those that it was trained on, and labels it does not know, are left out."""
    import numpy as np

    from trendloom.catalogue.photos import readable
    from trendloom.classifier.checkpoint import load_classifier
    from trendloom.classifier.predicting import PhotoClassifier
    from trendloom.classifier.quality import measure

    kind = picture_format(matrix)
    asked = PhotoClassifier(load_classifier(head), weights=weights)
    known = {label: place for place, label in enumerate(asked.classifier.labels)}
    labelled = _labelled(photos, table, mapping, "", merge, drop, only)
    label_of = dict(zip(labelled.names, labelled.labels, strict=True))
    found = asked.predict(labelled.source, labelled.names, progress=_counter("photos", quiet=as_json))
    trained_on = asked.classifier.trained_on
    fresh = np.array([digest not in trained_on for digest in found.digests], bool)
    named = np.array([label_of[name] in known for name in found.names], bool)
    chosen = fresh & named
    if not chosen.any():
        raise ClassifierError(
            f"None of the {len(found.names)} photos can be judged: {int((~fresh).sum())} were trained on, "
            f"{int((~named).sum())} have a label that the head does not know ({', '.join(known)}). "
            "Action: give other photos, or rename labels with --merge."
        )
    wanted = np.array([known.get(label_of[name], 0) for name in found.names], np.int64)[chosen]
    quality = measure(found.probabilities[chosen], wanted)
    if matrix is not None:
        _draw(matrix, kind, quality.confusion, asked.classifier.labels)
    told = {
        **quality.as_dict(asked.classifier.labels),
        "trained_on": int((~fresh).sum()),
        "unknown_label": int((fresh & ~named).sum()),
        "left_out": [{"photo": readable(name), "reason": reason} for name, reason in found.left_out],
    }
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    _print_figures(f"{quality.photos} photos", told)
    for label, row, recall in zip(known, quality.confusion, quality.recall, strict=True):
        if row.sum():
            typer.echo(f"  {label}: {int(row.sum())} photos, recall {recall:.1%}")
    if not fresh.all():
        typer.echo(f"left out, trained on: {int((~fresh).sum())}", err=True)
    if told["unknown_label"]:
        typer.echo(f"left out, a label that the head does not know: {told['unknown_label']}", err=True)
    _print_left_out(found.left_out)


@app.command()
def predict(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Photos, folders or zip files of photos.")],
    head: _Head = "cc0",
    most: Annotated[int, typer.Option("-k", "--most", min=1, help="So many labels a photo.")] = 3,
    weights: _Weights = "",
    as_json: AsJson = False,
) -> None:
    """Say what photos show, with calibrated probabilities; a photo that cannot be used is named with its reason."""
    from trendloom.catalogue.photos import PhotoSource, read_bounded, readable
    from trendloom.classifier.checkpoint import load_classifier
    from trendloom.classifier.labelled import photos_by_path
    from trendloom.classifier.predicting import PhotoClassifier

    asked = PhotoClassifier(load_classifier(head), weights=weights)
    told: list[dict[str, Any]] = []
    left_out: list[tuple[str, str]] = []
    single = [place for place in photos if not place.is_dir() and place.suffix.lower() != ".zip"]
    sources = [
        (PhotoSource(frozenset(map(str, single)), lambda name: read_bounded(Path(name))), list(map(str, single)))
    ]
    for place in photos:
        if place not in single:
            source = photos_by_path(place)
            sources.append((source, sorted(source.names)))
    for source, names in sources:
        found = asked.predict(source, names, runners_up=most - 1, progress=_counter("photos", quiet=True))
        told += [
            {
                "photo": readable(name),
                "labels": [
                    {"label": label, "probability": round(probability, 4)}
                    for label, probability in ((one.label, one.probability), *one.others)
                ],
            }
            for name, one in zip(found.names, found.predictions, strict=True)
        ]
        left_out += [(readable(name), reason) for name, reason in found.left_out]
    if as_json:
        reasons = [{"photo": name, "reason": reason} for name, reason in left_out]
        typer.echo(json.dumps({"photos": told, "left_out": reasons}, indent=2, ensure_ascii=False))
    else:
        for one in told:
            said = ", ".join(f"{label['label']} {label['probability']:.0%}" for label in one["labels"])
            typer.echo(f"{one['photo']}: {said}")
        _print_left_out(left_out)
    if not told:
        raise ClassifierError("No photo could be used. Action: name photos that can be opened; the reasons are above.")


def _labelled(
    photos: Path,
    table: Path | None,
    mapping: Sequence[str] | None,
    group_pattern: str,
    merge: Sequence[str] | None,
    drop: Sequence[str] | None,
    only: Sequence[str] | None,
) -> LabelledPhotos:
    from trendloom.classifier.labelled import labelled_folder, labelled_table

    columns = _pairs("--map", mapping)
    if unknown := sorted(set(columns) - {"photo", "label", "group"}):
        raise ClassifierError(f"--map {unknown[0]}: not a meaning. Action: map photo, label and group.")
    if table is None:
        if columns:
            raise ClassifierError("--map says what columns mean, but there is no table. Action: name one with --table.")
        labelled = labelled_folder(photos, group_pattern=group_pattern)
    else:
        if missing := sorted({"photo", "label"} - set(columns)):
            raise ClassifierError(f"No column is named as {missing[0]}. Action: give --map {missing[0]}=COLUMN.")
        labelled = labelled_table(
            table, photos, photo=columns["photo"], label=columns["label"], group=columns.get("group", "")
        )
    return labelled.relabelled(_pairs("--merge", merge), tuple(drop or ()), tuple(only or ()))


def _pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in given or ()]
    if wrong := [pair for pair in pairs if not (pair[0] and pair[2])]:
        raise ClassifierError(f"{option} {''.join(wrong[0])} is no pair. Action: write {option} ONE=OTHER.")
    return {one: other for one, _, other in pairs}


def _counts(wanted: Any, classes: int) -> list[int]:
    import numpy as np

    return [int(number) for number in np.bincount(wanted, minlength=classes)]


def _draw(path: Path, kind: str, matrix: Any, labels: Sequence[str]) -> None:
    from trendloom.classifier.pictures import confusion_picture

    save_picture(confusion_picture(matrix, labels), path, kind)


def _print_figures(name: str, figures: Any) -> None:
    typer.echo(
        f"{name}: accuracy {figures['accuracy']:.1%}, macro recall {figures['macro_recall']:.1%}, "
        f"calibration error {figures['calibration_error']:.3f}"
    )


def _print_left_out(left_out: Sequence[tuple[str, str]]) -> None:
    for name, reason in left_out[:_SHOWN_REASONS]:
        typer.echo(f"photo left out: {name}: {reason}", err=True)
    if len(left_out) > _SHOWN_REASONS:
        typer.echo(f"photos left out: {len(left_out)} in all; --json names each", err=True)


def _counter(what: str, *, quiet: bool) -> Callable[[int, int], None]:
    """Return what prints a line each tenth of the way."""

    def tell(done: int, total: int) -> None:
        step = max(1, total // 10)
        if not quiet and total > 100 and (done // step > (done - 8) // step or done == total):
            typer.echo(f"{what}: {done} of {total}", err=True)

    return tell


def _teller(*, quiet: bool) -> Callable[[str, int, float | None], None]:
    def tell(stage: str, epoch: int, score: float | None) -> None:
        if not quiet and epoch % 10 == 0:
            typer.echo(f"{stage}: epoch {epoch}" + (f", score {score:.4f}" if score is not None else ""), err=True)

    return tell
