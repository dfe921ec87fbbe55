"""What can be said when a collaborative network is trained: one list for all kinds, and what each kind has beside it.

Fields that are None come from the recipe that ``settings`` names. Nothing is trained here. Read next:
:mod:`launch.commands.train_ncf`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from launch.options import AsJson
from trendloom.errors import InputError

__all__ = ["FactorOptions", "ImageOptions", "JoinedOptions", "NetworkOptions", "PerceptronOptions", "recipe_of"]


@dataclass(frozen=True)
class NetworkOptions:
    """What every kind can be told."""

    log: Annotated[
        Path | None,
        typer.Argument(help="Amazon 5-core reviews (.json, .json.gz), sequences (.txt, .txt.gz), or a purchase log."),
    ] = None
    log_kind: Annotated[str, typer.Option("--log-kind", help="auto, amazon, sequences, hm, purchases or uci.")] = "auto"
    path: Annotated[str, typer.Option("--path", help="Instead of LOG: the folder of the data set.")] = ""
    dataset: Annotated[str, typer.Option("--dataset", help="Instead of LOG: the file's name in --path.")] = ""
    settings: Annotated[str, typer.Option("--settings", help="tuned: our defaults. source: the source system's.")] = (
        "tuned"
    )
    epochs: Annotated[int | None, typer.Option(min=1, help="Times that every interaction is shown, at most.")] = None
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", "--batch_size", min=1, help="Pairs of a user and an item a step.")
    ] = None
    num_neg: Annotated[
        int | None, typer.Option("--num-neg", "--num_neg", min=1, help="Untaken items drawn for each taken one.")
    ] = None
    lr: Annotated[float | None, typer.Option("--lr", min=0.0, help="Learning rate.")] = None
    learner: Annotated[str | None, typer.Option("--learner", help="adagrad, adam, rmsprop or sgd.")] = None
    dropout: Annotated[
        float | None, typer.Option(min=0.0, max=0.9, help="Share of the embeddings left out of a step.")
    ] = None
    weight_decay: Annotated[
        float | None, typer.Option("--weight-decay", min=0.0, help="Decay of the embeddings (adam).")
    ] = None
    item_bias: Annotated[bool | None, typer.Option("--item-bias/--no-item-bias", help="A bias for each item.")] = None
    patience: Annotated[
        int | None, typer.Option(min=0, help="Epochs without a better validation figure before it stops; 0 trains all.")
    ] = None
    choose_by: Annotated[
        str, typer.Option("--choose-by", help="What chooses the epoch: hit@10 `sampled` or `full`.")
    ] = "sampled"
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Train again with the validation items of nine users in ten, for the test."),
    ] = False
    eval_negatives: Annotated[
        int, typer.Option("--eval-negatives", min=1, help="Items drawn beside each held-out one (sampled protocol).")
    ] = 99
    seed: Annotated[int, typer.Option(help="Decides the first weights, the drawn items and their order.")] = 1
    verbose: Annotated[int, typer.Option("--verbose", min=0, help="Print a line every so many epochs; 0 none.")] = 1
    out: Annotated[
        str, typer.Option("--out", help="File to write; 1: var/models/DATASET_KIND.safetensors; 0: none.")
    ] = "1"
    as_json: AsJson = False


@dataclass(frozen=True)
class FactorOptions(NetworkOptions):
    """What a kind with factors can be told beside it."""

    num_factors: Annotated[
        int | None, typer.Option("--num-factors", "--num_factors", min=1, help="Width of the embeddings multiplied.")
    ] = None
    regs: Annotated[str | None, typer.Option("--regs", help="L2 of the user and the item embeddings, as [0,0].")] = None


@dataclass(frozen=True)
class PerceptronOptions(NetworkOptions):
    """What a kind with a perceptron can be told beside it."""

    layers: Annotated[
        str | None,
        typer.Option("--layers", help="Widths as [16,8]: the input, half of it the user's, then each hidden layer."),
    ] = None
    reg_layers: Annotated[
        str | None,
        typer.Option("--reg-layers", "--reg_layers", help="L2 of the perceptron's embeddings and each hidden layer."),
    ] = None


@dataclass(frozen=True)
class JoinedOptions(PerceptronOptions, FactorOptions):
    """What a kind with both can be told."""


@dataclass(frozen=True)
class ImageOptions(PerceptronOptions):
    """What a perceptron that sees pictures can be told."""

    catalogue: Annotated[
        Path | None, typer.Option("--catalogue", help="Catalogue directory whose looks of the items are seen.")
    ] = None
    image_width: Annotated[
        int | None, typer.Option("--image-width", min=1, help="Width to which an item's look is projected.")
    ] = None


#: Fields of a recipe by option.
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


def recipe_of(kind: Literal["gmf", "mlp", "neumf", "image-mlp"], options: NetworkOptions) -> Any:
    """Return the recipe (:class:`models.collaborative.recipe.NetworkRecipe`) that the options ask for.

    Raises :class:`~trendloom.errors.InputError` for values that no network can have.
    """
    from models.collaborative.recipe import LEARNERS, SOURCE, TUNED

    given = asdict(options)
    if options.settings not in {"source", "tuned"}:
        raise InputError(f"--settings {options.settings}: unknown. Action: use tuned or source.")
    if options.learner is not None and options.learner not in LEARNERS:
        raise InputError(f"--learner {options.learner}: unknown. Action: use one of {', '.join(LEARNERS)}.")
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
    recipe = replace((TUNED if options.settings == "tuned" else SOURCE)[kind], **changes)
    if kind != "gmf" and len(recipe.layer_regs) != len(recipe.layers):
        raise InputError(f"--reg-layers wants {len(recipe.layers)} numbers. Action: give one for each of --layers.")
    return recipe


def _numbers(flag: str, text: str) -> tuple[float, ...]:
    """Return the numbers of ``[0,0]`` or ``0,0``."""
    try:
        return tuple(float(word) for word in text.strip().removeprefix("[").removesuffix("]").split(","))
    except ValueError:
        raise InputError(f"{flag} {text}: not numbers. Action: write them as [0,0].") from None
