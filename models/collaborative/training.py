"""The one loop that trains every collaborative network: draw untaken items, shuffle, step, ask how good it is.

Numbers in, arrays out; it reads no file and knows no metric: ``validate`` says how good the arrays are. torch is
imported when training begins. Read next: :mod:`models.collaborative.negatives`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.collaborative.negatives import Untaken
from models.collaborative.networks import as_arrays, build, logits, penalty
from models.collaborative.recipe import NetworkRecipe

__all__ = ["Epoch", "Trained", "learner_of", "train"]

#: Added to the root of the squared gradients, as in the source's library. It matters: of a batch's mean loss the
#: gradient of one row is as small as this, so that a smaller constant lets rare rows jump.
_EPSILON = 1e-7

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Epoch:
    """One round through all taken items: the mean loss, the validation figure (NaN if not asked) and its seconds."""

    number: int
    loss: float
    figure: float
    train_s: float


@dataclass(frozen=True)
class Trained:
    """The arrays of the best epoch (see :func:`models.collaborative.networks.as_arrays`) and how it went."""

    arrays: dict[str, Any]
    best_epoch: int
    epochs: tuple[Epoch, ...]


def train(
    recipe: NetworkRecipe,
    start: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    n_items: int,
    *,
    seed: int,
    images: Floats | None = None,
    validate: Callable[[dict[str, Any]], float] | None = None,
    progress: Callable[[Epoch], None] = lambda epoch: None,
    clock_s: Callable[[], float] = time.perf_counter,
) -> Trained:
    """Return a network trained with binary cross-entropy on taken items and ``recipe.negatives`` untaken ones each.

    User u took ``item[start[u]:start[u + 1]]``. ``validate`` gets the arrays after each epoch and returns a figure to
    be as high as possible: the best epoch is kept, and after ``recipe.patience`` epochs without a better one training
    stops. Without it the last epoch is kept. The same arguments give the same network on the same machine.
    """
    import torch
    from torch.nn import functional

    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)  # dropout
    n_users = start.size - 1
    tensors = build(recipe, n_users, n_items, seed=seed, images=images)
    learner = learner_of(recipe, tensors)
    untaken = Untaken(start, item, n_items)
    user = np.repeat(np.arange(n_users), np.diff(start))
    each = 1 + recipe.negatives
    users = torch.from_numpy(np.repeat(user, each))
    wanted = torch.zeros(users.numel())
    wanted[::each] = 1.0
    items = np.empty((user.size, each), np.int64)
    items[:, 0] = item
    epochs: list[Epoch] = []
    best, best_epoch, kept = -np.inf, 0, None
    for number in range(1, recipe.epochs + 1):
        began_s = clock_s()
        items[:, 1:] = untaken.draw(user, recipe.negatives, rng)
        order = torch.from_numpy(rng.permutation(users.numel()))
        shuffled = (users[order], torch.from_numpy(items.ravel())[order], wanted[order])
        total = 0.0
        for chosen_users, chosen_items, truth in zip(*(column.split(recipe.batch) for column in shuffled), strict=True):
            told = logits(tensors, recipe, chosen_users, chosen_items, dropout=recipe.dropout)
            loss = functional.binary_cross_entropy_with_logits(told, truth)
            total += float(loss.detach()) * truth.numel()
            learner.zero_grad(set_to_none=True)
            (loss + penalty(tensors, recipe)).backward()
            learner.step()
        train_s = clock_s() - began_s
        figure = np.nan
        if validate is not None:
            arrays = as_arrays(tensors, recipe)
            figure = validate(arrays)
            if figure > best:
                best, best_epoch, kept = figure, number, arrays
        epochs.append(Epoch(number, total / users.numel(), figure, train_s))
        progress(epochs[-1])
        if recipe.patience and validate is not None and number - best_epoch >= recipe.patience:
            break
    if kept is None:
        best_epoch, kept = recipe.epochs, as_arrays(tensors, recipe)
    return Trained(kept, best_epoch, tuple(epochs))


def learner_of(recipe: NetworkRecipe, tensors: dict[str, Any]) -> Any:
    """Return the torch optimiser of a recipe; only embeddings decay."""
    import torch

    embeddings = [tensor for name, tensor in tensors.items() if name.startswith(("factors.", "perceptron."))]
    rest = [
        tensor for name, tensor in tensors.items() if tensor.requires_grad and not any(tensor is e for e in embeddings)
    ]
    groups = [{"params": embeddings, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    rate, learners = recipe.learning_rate, torch.optim
    if recipe.learner == "adam":  # decoupled from its weight decay; without decay it is Adam
        return learners.AdamW(groups, lr=rate, eps=_EPSILON)
    if recipe.learner == "rmsprop":
        return learners.RMSprop(groups, lr=rate, alpha=0.9, eps=_EPSILON)
    if recipe.learner == "adagrad":
        return learners.Adagrad(groups, lr=rate, eps=_EPSILON)
    return learners.SGD(groups, lr=rate)
