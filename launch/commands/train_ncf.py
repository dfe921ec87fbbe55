"""``trendloom train gmf|mlp|neumf|image-mlp``: a collaborative network from a log, measured on each user's last item.

Everything that decides stands in :mod:`evaluation.leave_one_out` and :mod:`models.collaborative`; this asks and prints.
The options stand in :mod:`launch.network_options`.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Literal, cast

import typer

from launch.network_options import (
    FactorOptions,
    ImageOptions,
    JoinedOptions,
    NetworkOptions,
    PerceptronOptions,
    recipe_of,
)
from launch.option_sets import command_of
from trendloom.errors import InputError

__all__ = ["gmf", "image_mlp", "mlp", "neumf"]


def _train(kind: Literal["gmf", "mlp", "neumf", "image-mlp"], given: NetworkOptions) -> None:
    from evaluation.leave_one_out.networks_study import train_and_measure
    from trendloom.collaborative.model_file import save_model
    from trendloom.logs.interaction_files import read_interactions

    recipe = recipe_of(kind, given)
    if given.choose_by not in {"sampled", "full"}:
        raise InputError(f"--choose-by {given.choose_by}: no protocol. Action: use sampled or full.")
    path = given.log or (Path(given.path) / given.dataset if given.dataset else None)
    if path is None:
        raise InputError("There is no log to learn from. Action: name one, or give --path and --dataset.")
    interactions = read_interactions(path, given.log_kind)
    images = _images(given.catalogue, interactions.item_ids) if isinstance(given, ImageOptions) else None

    def tell(epoch: Any) -> None:
        if given.verbose and epoch.number % given.verbose == 0 and not given.as_json:
            said = "" if math.isnan(epoch.figure) else f", validation hit@10 {epoch.figure:.4f}"
            typer.echo(f"epoch {epoch.number}: loss {epoch.loss:.4f}{said} [{epoch.train_s:.1f} s]", err=True)

    measured = train_and_measure(
        interactions,
        recipe,
        seed=given.seed,
        images=images,
        choose_by=cast("Literal['sampled', 'full']", given.choose_by),
        refit=given.refit,
        eval_negatives=given.eval_negatives,
        progress=tell,
    )
    file = _file(given.out, path, kind)
    if file is not None:
        save_model(measured.model, file)
    told = {
        "kind": kind,
        "log": path.name,
        "users": interactions.n_users,
        "items": interactions.n_items,
        "interactions": int(interactions.item.size),
        "provenance": measured.model.provenance,
        "best_epoch": measured.best_epoch,
        "epoch_s": sum(epoch.train_s for epoch in measured.epochs) / len(measured.epochs),
        "validation": measured.validation,
        "test": measured.test,
        "popularity": {"validation": measured.popularity_validation, "test": measured.popularity_test},
        "file": None if file is None else str(file),
    }
    if given.as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    typer.echo(f"{kind}: {interactions.n_users} users, {interactions.n_items} items; best epoch {measured.best_epoch}")
    for part, ours, popular in (
        ("validation", measured.validation, measured.popularity_validation),
        ("test", measured.test, measured.popularity_test),
    ):
        for protocol in ("full", "sampled"):
            one, other = ours[protocol], popular[protocol]
            typer.echo(
                f"{part}, {protocol}: hit@10 {one['hit@10']:.4f}  ndcg@10 {one['ndcg@10']:.4f}  "
                f"(popularity {other['hit@10']:.4f}  {other['ndcg@10']:.4f})"
            )
    if file is not None:
        typer.echo(f"written: {file}")


def _images(directory: Path | None, item_ids: tuple[str, ...]) -> Any:
    """Return the photos' embeddings of the items (N, D), zero rows for those without a photo in the catalogue."""
    import numpy as np

    from trendloom.catalogue.directory import load_catalogue

    if directory is None:
        raise InputError("An image-mlp sees pictures. Action: name a catalogue with --catalogue.")
    catalogue = load_catalogue(directory)
    row = np.array([catalogue.row_of.get(item, -1) for item in item_ids])
    photo = np.where(row >= 0, catalogue.photo_row[np.maximum(row, 0)], -1)
    if not (photo >= 0).any():
        raise InputError(
            "The catalogue has a photo of none of the log's items. Action: build it with the log's item ids."
        )
    looks = np.asarray(catalogue.photo_embeddings[np.maximum(photo, 0)], np.float32)
    looks[photo < 0] = 0.0
    return looks


def _file(out: str, log: Path, kind: str) -> Path | None:
    if out == "0":
        return None
    if out == "1":
        return Path("var") / "models" / f"{log.name.split('.')[0]}_{kind}.safetensors"
    return Path(out)


gmf = command_of(
    FactorOptions,
    lambda given: _train("gmf", given),
    says="Train generalised matrix factorisation: the weighted product of two embeddings.",
)
mlp = command_of(
    PerceptronOptions,
    lambda given: _train("mlp", given),
    says="Train a perceptron over two embeddings side by side.",
)
neumf = command_of(
    JoinedOptions,
    lambda given: _train("neumf", given),
    says="Train NeuMF: both of the others under one output layer.",
)
image_mlp = command_of(
    ImageOptions,
    lambda given: _train("image-mlp", given),
    says="Train the perceptron with a third part side by side: what the item looks like.",
)
