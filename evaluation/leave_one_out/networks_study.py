"""Trains a collaborative network on a split, chooses its epoch on validation, and measures it, the test once.

It reads and writes no files. Read next: :mod:`models.collaborative.training` and
:mod:`evaluation.leave_one_out.protocols`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from evaluation.leave_one_out.baselines import Popularity
from evaluation.leave_one_out.protocols import (
    Questions,
    Scorer,
    ask_test,
    ask_validation,
    figures,
    rank_in_full,
    rank_sampled,
)
from evaluation.leave_one_out.split import Split, leave_one_out
from models.collaborative.recipe import SOURCE, NetworkRecipe
from models.collaborative.training import Epoch, train
from trendloom.collaborative.model import CollaborativeModel
from trendloom.errors import LogFormatError, MissingExtra
from trendloom.logs.interactions import Interactions

__all__ = ["Measured", "both_protocols", "fit_model", "nearly_all", "questions_of", "train_and_measure"]

#: Drawn with the seed of the questions, so that every model is asked the same; apart from the seed of training.
_QUESTION_SEED = 99

#: With ``refit``, the share of users whose validation items choose the epoch.
_CHOOSING = 0.1

Protocol = Literal["sampled", "full"]
Told = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Measured:
    """A trained model, how training went, and its figures (and popularity's) by part and protocol."""

    model: CollaborativeModel
    best_epoch: int
    epochs: tuple[Epoch, ...]
    validation: Told
    test: Told
    popularity_validation: Told
    popularity_test: Told


def questions_of(split: Split, *, negatives: int = 99, seed: int = _QUESTION_SEED) -> tuple[Questions, Questions]:
    """Return the validation and the test questions, their negatives drawn with ``seed``.

    Raises :class:`LogFormatError` if no user has three items, or too few items are left to draw from.
    """
    if not (split.test >= 0).any():
        raise LogFormatError("No user has three items, so none can be held out. Action: give a longer log.")
    validation_rng, test_rng = np.random.default_rng(seed).spawn(2)
    try:
        return (
            ask_validation(split, negatives=negatives, rng=validation_rng),
            ask_test(split, negatives=negatives, rng=test_rng),
        )
    except ValueError as error:
        raise LogFormatError(
            f"{negatives} other items cannot be drawn: {error}. Action: ask for fewer with --eval-negatives."
        ) from error


def both_protocols(scorer: Scorer, questions: Questions, *, in_full: Questions | None = None) -> Told:
    """Return the figures of a scorer, full ranking first; of ``in_full`` only, if all questions would take too long."""
    return {
        "full": figures(rank_in_full(scorer, questions if in_full is None else in_full)),
        "sampled": figures(rank_sampled(scorer, questions)),
    }


def fit_model(
    known: Interactions,
    recipe: NetworkRecipe,
    *,
    seed: int,
    images: npt.NDArray[np.float32] | None = None,
    choose_by: Protocol = "sampled",
    validation: Questions | None = None,
    progress: Callable[[Epoch], None] = lambda epoch: None,
) -> tuple[CollaborativeModel, int, tuple[Epoch, ...]]:
    """Train on what is known; return the model of the best epoch, that epoch's number, and all epochs.

    With ``validation`` the epoch with the best hit@10 by ``choose_by`` is kept, else the last. Raises
    :class:`MissingExtra` without torch.
    """

    def model_of(arrays: dict[str, Any]) -> CollaborativeModel:
        return CollaborativeModel(
            kind=recipe.kind,
            user_ids=known.user_ids,
            item_ids=known.item_ids,
            start=known.start,
            taken=known.item,
            provenance={"recipe": asdict(recipe), "seed": seed, "interactions": int(known.item.size)},
            **arrays,
        )

    if recipe.kind == "neumf" and recipe.joined:
        parts: list[CollaborativeModel] = []
        steps: list[Epoch] = []
        for part in (
            replace(SOURCE["gmf"], factors=recipe.factors, factor_regs=recipe.factor_regs),
            replace(SOURCE["mlp"], layers=recipe.layers, layer_regs=recipe.layer_regs),
        ):
            part_model, best_epoch, part_epochs = fit_model(
                known, part, seed=seed, choose_by=choose_by, validation=validation, progress=progress
            )
            parts.append(part_model)
            steps += part_epochs
        told = {"recipe": asdict(recipe), "seed": seed, "interactions": int(known.item.size)}
        both = replace(parts[0].joined(parts[1], recipe.joined), provenance=told)
        return both.with_popularity(recipe.popularity), best_epoch, tuple(steps)
    rank = rank_sampled if choose_by == "sampled" else rank_in_full
    try:
        trained = train(
            recipe,
            known.start,
            known.item,
            known.n_items,
            seed=seed,
            images=images,
            validate=None
            if validation is None
            else lambda arrays: float(rank(model_of(arrays), validation).hit_at(10).mean()),
            progress=progress,
        )
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"Training a network needs the package {error.name}, which is not installed. "
            "Action: pip install 'trendloom[vision]'."
        ) from error
    return model_of(trained.arrays).with_popularity(recipe.popularity), trained.best_epoch, trained.epochs


def train_and_measure(
    interactions: Interactions,
    recipe: NetworkRecipe,
    *,
    seed: int,
    images: npt.NDArray[np.float32] | None = None,
    choose_by: Protocol = "sampled",
    refit: bool = False,
    eval_negatives: int = 99,
    progress: Callable[[Epoch], None] = lambda epoch: None,
) -> Measured:
    """Train with the validation items held out, keep the best epoch, and measure it on the test items once.

    With ``refit`` another one is trained before the test, on the validation items too, as a shop would use its newest
    purchases: those of nine users in ten are learnt, and the tenth user's choose its epoch.
    """
    split = leave_one_out(interactions)
    validation, test = questions_of(split, negatives=eval_negatives)
    model, best_epoch, epochs = fit_model(
        split.learnt, recipe, seed=seed, images=images, choose_by=choose_by, validation=validation, progress=progress
    )
    on_validation = both_protocols(model, validation)
    if refit:
        known, inner = nearly_all(split, validation, np.random.default_rng(seed))
        model, _, _ = fit_model(
            known, recipe, seed=seed, images=images, choose_by=choose_by, validation=inner, progress=progress
        )
        model = replace(model, start=split.before_test.start, taken=split.before_test.item)
    return Measured(
        model,
        best_epoch,
        epochs,
        on_validation,
        both_protocols(model, test),
        both_protocols(Popularity(split.learnt), validation),
        both_protocols(Popularity(split.before_test), test),
    )


def nearly_all(split: Split, validation: Questions, rng: np.random.Generator) -> tuple[Interactions, Questions]:
    """Return the learnt items with the validation items of nine users in ten, and the questions of the tenth."""
    asked = rng.random(validation.users.size) < _CHOOSING
    added = split.validation.copy()
    added[validation.users[asked]] = -1
    known = split.learnt.extended(added)
    return known, Questions(validation.users[asked], validation.target[asked], validation.negatives[asked], known)
