"""``trendloom paper``: the source paper's experiment, repaired, with its flags as flags and as environment variables.

The flags keep the source's names and defaults (``--num_customers``, also ``--num-customers``); each can be set in the
environment (``PAPER_NUM_CUSTOMERS``). What is computed stands in :mod:`evaluation.paper`, what was wrong before in
``docs/paper.md``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from launch.options import AsJson, CatalogueDirectory, ConfigFile, read_settings
from trendloom.errors import SettingsError

if TYPE_CHECKING:
    from evaluation.paper.looks import Progress
    from trendloom.catalogue.embedding import Embedder

__all__ = ["paper"]

BACKBONES = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
FAULTS = ("threshold-of-sum", "gender-of-bought")
#: What is shown for people; the JSON has all.
_SHOWN = ("category_similarity", "same_category", "popularity_mae", "gender_agreement", "distance_km")


def paper(
    seed: Annotated[int, typer.Option(envvar="PAPER_SEED", help="Seed: the same seed buys the same. >= 0.")] = 42,
    num_customers: Annotated[
        int, typer.Option("--num_customers", "--num-customers", envvar="PAPER_NUM_CUSTOMERS", help="Customers. >= 1.")
    ] = 15,
    max_purchases_per_customer: Annotated[
        int,
        typer.Option(
            "--max_purchases_per_customer",
            "--max-purchases-per-customer",
            envvar="PAPER_MAX_PURCHASES_PER_CUSTOMER",
            help="Most purchases of a customer, who makes 1 to so many. >= 1.",
        ),
    ] = 3,
    top_k: Annotated[
        int,
        typer.Option("--top_k", "--top-k", envvar="PAPER_TOP_K", help="Garments recommended for each purchase. >= 1."),
    ] = 10,
    p_max: Annotated[
        int,
        typer.Option(
            "--P_max", "--P-max", envvar="PAPER_P_MAX", help="Popularity before the first purchase: 0 .. P_max."
        ),
    ] = 100,
    p_threshold: Annotated[
        float,
        typer.Option(
            "--P_threshold",
            "--P-threshold",
            envvar="PAPER_P_THRESHOLD",
            help="Share of garments that are popular, in [0, 1]: those of the highest popularity.",
        ),
    ] = 0.15,
    penalty_exponent: Annotated[
        float,
        typer.Option(
            "--Penalty_exponent",
            "--Penalty-exponent",
            envvar="PAPER_PENALTY_EXPONENT",
            help="Power of the gap between popularity and trendiness, above 0; any number, odd ones too.",
        ),
    ] = 4.0,
    train_folder: Annotated[
        Path | None,
        typer.Option(
            "--train_folder",
            "--train-folder",
            envvar="PAPER_TRAIN_FOLDER",
            help="Folder or zip file of photos (DeepFashion's names, or a folder a category). Empty: the catalogue's.",
        ),
    ] = None,
    seg_folder: Annotated[
        Path | None,
        typer.Option(
            "--seg_folder",
            "--seg-folder",
            envvar="PAPER_SEG_FOLDER",
            help="Folder or zip file of the colour masks, PHOTO_segm.png. Empty: photos are looked at whole.",
        ),
    ] = None,
    catalogue: CatalogueDirectory = None,
    backbone: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=FILE]",
            help="A network that looks at the photos, with its weights; repeat. Default: "
            + ", ".join(BACKBONES)
            + ". The source's: resnet50, densenet121, vgg16.",
        ),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART=NUMBER",
            help="Weight of visual, popularity_fit, category, gender or proximity; repeat. Default: visual .4, "
            "popularity_fit .2.",
        ),
    ] = None,
    repeats: Annotated[
        int, typer.Option(min=1, help="Runs, with seeds SEED, SEED + 1 and so on; measures are their means.")
    ] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Put a fault of the original back: {' or '.join(FAULTS)}; repeat."),
    ] = None,
    ablation: Annotated[
        bool, typer.Option("--ablation/--no-ablation", help="Compare with chance and with other scores as well.")
    ] = True,
    out: Annotated[Path, typer.Option(help="Folder for the tables, and for what the networks saw.")] = Path("results"),
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Run the source paper's experiment: made-up customers buy, several networks recommend, the lists are judged."""
    from config.stores import store_positions
    from evaluation.paper.customers import Faults, Habits
    from evaluation.paper.experiment import Plan, run
    from evaluation.paper.garments import garments_of_catalogue, garments_of_folder
    from evaluation.paper.looks import look_at, masks_digest
    from launch.assembly import open_catalogue
    from trendloom.catalogue.isolation import open_isolator
    from trendloom.catalogue.photos import open_photos

    if seed < 0:
        raise SettingsError(f"--seed {seed} is negative. Action: give 0 or more.")
    if unknown := sorted(set(fault or ()) - set(FAULTS)):
        raise SettingsError(f"There is no fault {unknown[0]!r}. Action: name {' or '.join(FAULTS)}.")
    plan = Plan(
        seeds=tuple(range(seed, seed + repeats)),
        habits=Habits(num_customers, max_purchases_per_customer, p_max, p_threshold),
        top_k=top_k,
        exponent=penalty_exponent,
        faults=Faults("threshold-of-sum" in (fault or ()), "gender-of-bought" in (fault or ())),
        ablation=ablation,
        **({"weights": _weights(weight)} if weight else {}),
    )
    embedders = _embedders(backbone or list(BACKBONES))
    stores = store_positions()
    if train_folder is not None:
        garments = garments_of_folder(train_folder, stores=len(stores), seed=42)
    elif seg_folder is not None:
        raise SettingsError("--seg_folder masks photos of a folder. Action: give --train_folder as well.")
    else:
        held = open_catalogue(read_settings(config, {"catalogue.directory": catalogue}))
        if held.store_ids:  # the catalogue numbers its stores by itself
            stores = {name: stores.get(name, (math.nan, math.nan)) for name in held.store_ids}
        garments = garments_of_catalogue(held, stores=len(stores), seed=42)
    masks = None if seg_folder is None else open_photos(seg_folder)
    with _progress(quiet=as_json) as tell:
        looks = look_at(
            garments,
            embedders,
            isolator=None if masks is None else open_isolator("colour-mask", masks),
            masks="" if masks is None else masks_digest(masks),
            keep_in=out / "features",
            progress=tell,
        )
        report = run(looks, stores, plan, out=out, progress=tell)
    report["left_out"] = [{"photo": photo, "reason": reason} for photo, reason in looks.left_out]
    (out / "paper.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    _print(report, out)


def _embedders(named: list[str]) -> list[Embedder]:
    from trendloom.catalogue.embedding import open_backbone

    pairs = [text.partition("=") for text in named]
    return [open_backbone(name.strip(), weights=file.strip()) for name, _, file in pairs]


def _weights(given: list[str]) -> dict[str, float]:
    weights = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            weights[name.strip()] = float(number)
        except ValueError:
            raise SettingsError(
                f"--weight {text!r} is no PART=NUMBER. Action: write, say, --weight gender=0.2."
            ) from None
    return weights


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress | None]:
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    from launch.progress_bar import progress_columns

    with Progress(*progress_columns(), console=Console(stderr=True)) as shown:
        tasks = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = shown.add_task("scores compared" if stage == "lists" else stage, total=total)
            shown.update(tasks[stage], completed=done, total=total)

        yield tell


def _print(report: dict[str, Any], out: Path) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table

    console = Console()
    sales = report["sales"]
    typer.echo(
        f"{report['garments']} garments, {sales['purchases']:.0f} purchases a run, {sales['popular_share']:.0%} of the "
        f"later ones popular; correlation of that with trendiness {sales['trendiness_popular_correlation']:.2f}"
    )
    for name, variants in report["measures"].items():
        grid = Table(
            Column("score", no_wrap=True),
            *(measure.replace("_", " ") for measure in _SHOWN),
            box=SIMPLE_HEAD,
            title=name,
        )
        for variant, measures in variants.items():
            grid.add_row(variant, *(_said(measures, key) for key in _SHOWN))
        console.print(grid)
    if report["left_out"]:
        typer.echo(f"{len(report['left_out'])} photos left out; {out / 'paper.json'} names them", err=True)
    typer.echo(f"tables: {out / report['files'][0]}" + (" and more" if len(report["files"]) > 1 else ""))


def _said(measures: dict[str, Any], key: str) -> str:
    if measures[key] is None:
        return "-"
    # an agreement of two known pairs is not one of two thousand
    known = f" of {measures['gender_known']:.0f}" if key == "gender_agreement" else ""
    return f"{measures[key]:.4f}{known}"
