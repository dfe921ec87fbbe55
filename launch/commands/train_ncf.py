"""``trendloom train gmf|mlp|neumf|image-mlp``: a collaborative network from a log, measured on each user's last item.

Everything that decides stands in :mod:`evaluation.leave_one_out` and :mod:`models.collaborative`; this asks and prints.
Flags that are not given come from ``--settings``: ``tuned`` (ours) or ``source`` (those of the source system).
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from launch.options import AsJson
from trendloom.errors import InputError

__all__ = ["gmf", "image_mlp", "mlp", "neumf"]

Log = Annotated[
    Path | None,
    typer.Argument(help="Amazon 5-core reviews (.json, .json.gz), sequences (.txt, .txt.gz), or a purchase log."),
]
Kind = Annotated[str, typer.Option("--log-kind", help="auto, amazon, sequences, hm, purchases or uci.")]
Folder = Annotated[str, typer.Option("--path", help="Instead of LOG: the folder of the data set.")]
Dataset = Annotated[str, typer.Option("--dataset", help="Instead of LOG: the file's name in --path.")]
Settings = Annotated[str, typer.Option("--settings", help="tuned: our defaults. source: the source system's.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Times that every interaction is shown, at most.")]
Batch = Annotated[
    int | None, typer.Option("--batch-size", "--batch_size", min=1, help="Pairs of a user and an item a step.")
]
Factors = Annotated[
    int | None, typer.Option("--num-factors", "--num_factors", min=1, help="Width of the embeddings multiplied.")
]
Regs = Annotated[str | None, typer.Option("--regs", help="L2 of the user and the item embeddings, as [0,0].")]
Layers = Annotated[
    str | None,
    typer.Option("--layers", help="Widths as [16,8]: the input, half of it the user's, then each hidden layer."),
]
LayerRegs = Annotated[
    str | None,
    typer.Option("--reg-layers", "--reg_layers", help="L2 of the perceptron's embeddings and each hidden layer."),
]
Negatives = Annotated[
    int | None, typer.Option("--num-neg", "--num_neg", min=1, help="Untaken items drawn for each taken one.")
]
Rate = Annotated[float | None, typer.Option("--lr", min=0.0, help="Learning rate.")]
Learner = Annotated[str | None, typer.Option("--learner", help="adagrad, adam, rmsprop or sgd.")]
Dropout = Annotated[float | None, typer.Option(min=0.0, max=0.9, help="Share of the embeddings left out of a step.")]
Decay = Annotated[float | None, typer.Option("--weight-decay", min=0.0, help="Decay of the embeddings (adam).")]
ItemBias = Annotated[bool | None, typer.Option("--item-bias/--no-item-bias", help="A bias for each item.")]
Patience = Annotated[
    int | None, typer.Option(min=0, help="Epochs without a better validation figure before it stops; 0 trains all.")
]
ChooseBy = Annotated[str, typer.Option("--choose-by", help="What chooses the epoch: hit@10 `sampled` or `full`.")]
Refit = Annotated[
    bool, typer.Option("--refit", help="Train again with the validation items of nine users in ten, for the test.")
]
EvalNegatives = Annotated[
    int, typer.Option("--eval-negatives", min=1, help="Items drawn beside each held-out one (sampled protocol).")
]
Seed = Annotated[int, typer.Option(help="Decides the first weights, the drawn items and their order.")]
Verbose = Annotated[int, typer.Option("--verbose", min=0, help="Print a line every so many epochs; 0 none.")]
Out = Annotated[str, typer.Option("--out", help="File to write; 1: var/models/DATASET_KIND.safetensors; 0: none.")]


def gmf(
    log: Log = None,
    log_kind: Kind = "auto",
    path: Folder = "",
    dataset: Dataset = "",
    settings: Settings = "tuned",
    epochs: Epochs = None,
    batch_size: Batch = None,
    num_factors: Factors = None,
    regs: Regs = None,
    num_neg: Negatives = None,
    lr: Rate = None,
    learner: Learner = None,
    dropout: Dropout = None,
    weight_decay: Decay = None,
    item_bias: ItemBias = None,
    patience: Patience = None,
    choose_by: ChooseBy = "sampled",
    refit: Refit = False,
    eval_negatives: EvalNegatives = 99,
    seed: Seed = 1,
    verbose: Verbose = 1,
    out: Out = "1",
    as_json: AsJson = False,
) -> None:
    """Train generalised matrix factorisation: the weighted product of two embeddings."""
    _train("gmf", locals())


def mlp(
    log: Log = None,
    log_kind: Kind = "auto",
    path: Folder = "",
    dataset: Dataset = "",
    settings: Settings = "tuned",
    epochs: Epochs = None,
    batch_size: Batch = None,
    layers: Layers = None,
    reg_layers: LayerRegs = None,
    num_neg: Negatives = None,
    lr: Rate = None,
    learner: Learner = None,
    dropout: Dropout = None,
    weight_decay: Decay = None,
    item_bias: ItemBias = None,
    patience: Patience = None,
    choose_by: ChooseBy = "sampled",
    refit: Refit = False,
    eval_negatives: EvalNegatives = 99,
    seed: Seed = 1,
    verbose: Verbose = 1,
    out: Out = "1",
    as_json: AsJson = False,
) -> None:
    """Train a perceptron over two embeddings side by side."""
    _train("mlp", locals())


def neumf(
    log: Log = None,
    log_kind: Kind = "auto",
    path: Folder = "",
    dataset: Dataset = "",
    settings: Settings = "tuned",
    epochs: Epochs = None,
    batch_size: Batch = None,
    num_factors: Factors = None,
    regs: Regs = None,
    layers: Layers = None,
    reg_layers: LayerRegs = None,
    num_neg: Negatives = None,
    lr: Rate = None,
    learner: Learner = None,
    dropout: Dropout = None,
    weight_decay: Decay = None,
    item_bias: ItemBias = None,
    patience: Patience = None,
    choose_by: ChooseBy = "sampled",
    refit: Refit = False,
    eval_negatives: EvalNegatives = 99,
    seed: Seed = 1,
    verbose: Verbose = 1,
    out: Out = "1",
    as_json: AsJson = False,
) -> None:
    """Train NeuMF: both of the others under one output layer."""
    _train("neumf", locals())


def image_mlp(
    log: Log = None,
    log_kind: Kind = "auto",
    path: Folder = "",
    dataset: Dataset = "",
    catalogue: Annotated[
        Path | None, typer.Option("--catalogue", help="Catalogue directory whose looks of the items are seen.")
    ] = None,
    image_width: Annotated[
        int | None, typer.Option("--image-width", min=1, help="Width to which an item's look is projected.")
    ] = None,
    settings: Settings = "tuned",
    epochs: Epochs = None,
    batch_size: Batch = None,
    layers: Layers = None,
    reg_layers: LayerRegs = None,
    num_neg: Negatives = None,
    lr: Rate = None,
    learner: Learner = None,
    dropout: Dropout = None,
    weight_decay: Decay = None,
    item_bias: ItemBias = None,
    patience: Patience = None,
    choose_by: ChooseBy = "sampled",
    refit: Refit = False,
    eval_negatives: EvalNegatives = 99,
    seed: Seed = 1,
    verbose: Verbose = 1,
    out: Out = "1",
    as_json: AsJson = False,
) -> None:
    """Train the perceptron with a third part side by side: what the item looks like."""
    _train("image-mlp", locals())


#: Flags by the recipe's field.
_FIELDS = {
    "epochs": "epochs",
    "batch_size": "batch",
    "num_factors": "factors",
    "num_neg": "negatives",
    "lr": "learning_rate",
    "learner": "learner",
    "dropout": "dropout",
    "weight_decay": "weight_decay",
    "item_bias": "item_bias",
    "patience": "patience",
    "image_width": "image_width",
}


def _train(kind: Literal["gmf", "mlp", "neumf", "image-mlp"], given: dict[str, Any]) -> None:
    from evaluation.leave_one_out.networks_study import train_and_measure
    from trendloom.collaborative.model_file import save_model
    from trendloom.logs.interaction_files import read_interactions

    recipe = _recipe(kind, given)
    if given["choose_by"] not in {"sampled", "full"}:
        raise InputError(f"--choose-by {given['choose_by']}: no protocol. Action: use sampled or full.")
    path = given["log"] or (Path(given["path"]) / given["dataset"] if given["dataset"] else None)
    if path is None:
        raise InputError("There is no log to learn from. Action: name one, or give --path and --dataset.")
    interactions = read_interactions(path, given["log_kind"])
    images = _images(given["catalogue"], interactions.item_ids) if kind == "image-mlp" else None

    def tell(epoch: Any) -> None:
        if given["verbose"] and epoch.number % given["verbose"] == 0 and not given["as_json"]:
            said = "" if math.isnan(epoch.figure) else f", validation hit@10 {epoch.figure:.4f}"
            typer.echo(f"epoch {epoch.number}: loss {epoch.loss:.4f}{said} [{epoch.train_s:.1f} s]", err=True)

    measured = train_and_measure(
        interactions,
        recipe,
        seed=given["seed"],
        images=images,
        choose_by=cast("Literal['sampled', 'full']", given["choose_by"]),
        refit=given["refit"],
        eval_negatives=given["eval_negatives"],
        progress=tell,
    )
    file = _file(given["out"], path, kind)
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
    if given["as_json"]:
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


def _recipe(kind: Literal["gmf", "mlp", "neumf", "image-mlp"], given: dict[str, Any]) -> Any:
    from models.collaborative.recipe import LEARNERS, SOURCE, TUNED

    if given["settings"] not in {"source", "tuned"}:
        raise InputError(f"--settings {given['settings']}: unknown. Action: use tuned or source.")
    if given["learner"] is not None and given["learner"] not in LEARNERS:
        raise InputError(f"--learner {given['learner']}: unknown. Action: use one of {', '.join(LEARNERS)}.")
    changes = {field: given[flag] for flag, field in _FIELDS.items() if given.get(flag) is not None}
    if given.get("regs") is not None:
        factor_regs = _numbers("--regs", given["regs"])
        if len(factor_regs) != 2:
            raise InputError("--regs wants two numbers. Action: write --regs [0,0].")
        changes["factor_regs"] = factor_regs
    if given.get("layers") is not None:
        layers = tuple(int(width) for width in _numbers("--layers", given["layers"]))
        if len(layers) < 2 or min(layers) < 1 or layers[0] % 2:
            raise InputError("--layers wants an even input and at least one layer. Action: write --layers [16,8].")
        changes["layers"] = layers
        changes["layer_regs"] = (0.0,) * len(layers)
    if given.get("reg_layers") is not None:
        changes["layer_regs"] = _numbers("--reg-layers", given["reg_layers"])
    recipe = replace((TUNED if given["settings"] == "tuned" else SOURCE)[kind], **changes)
    if kind != "gmf" and len(recipe.layer_regs) != len(recipe.layers):
        raise InputError(f"--reg-layers wants {len(recipe.layers)} numbers. Action: give one for each of --layers.")
    return recipe


def _numbers(flag: str, text: str) -> tuple[float, ...]:
    """Return the numbers of ``[0,0]`` or ``0,0``."""
    try:
        return tuple(float(word) for word in text.strip().removeprefix("[").removesuffix("]").split(","))
    except ValueError:
        raise InputError(f"{flag} {text}: not numbers. Action: write them as [0,0].") from None


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
