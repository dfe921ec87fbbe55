"""Heads: small networks from a frozen backbone's features to classes, and the one loop that trains them.

Features and labels in, layers out as numpy arrays; knows no photo, no shop, and keeps nothing on disk. torch is
imported when a head is trained, never to apply one.
Read next: :mod:`trendloom.classifier.head`, which applies the layers.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["HeadRecipe", "Layer", "TrainedHead", "class_weights", "train_head"]

#: Weights (in, out) and bias (out,) of one layer.
Layer = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class HeadRecipe:
    """How a head is built and trained; ``hidden=()`` is a linear probe."""

    hidden: tuple[int, ...] = (512, 128)
    #: Share of the inputs, and of each hidden layer's values, that a step leaves out.
    input_dropout: float = 0.2
    dropout: float = 0.4
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    batch: int = 128
    most_epochs: int = 30
    #: Epochs without a better validation score before the loop stops.
    patience: int = 6
    label_smoothing: float = 0.05
    #: A class of n photos weighs n ** -power in the loss: 0 treats photos alike, 1 treats classes alike.
    class_weight_power: float = 0.5
    #: The kept weights are a moving average: each step moves them by 1 - this.
    average_decay: float = 0.98


@dataclass(frozen=True)
class TrainedHead:
    """The layers of the best epoch, and how the training went."""

    layers: tuple[Layer, ...]
    best_epoch: int
    #: Validation score of each epoch; empty when there was no validation part.
    scores: tuple[float, ...]


def class_weights(labels: npt.NDArray[np.integer], classes: int, power: float) -> npt.NDArray[np.float32]:
    """Return (C,) weights proportional to count ** -power whose mean over the photos is 1; 0 for absent classes.

    >>> [round(float(one), 3) for one in class_weights(np.array([0, 0, 0, 0, 1]), 2, 0.5)]
    [0.833, 1.667]
    """
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    raw = np.where(counts > 0, np.maximum(counts, 1) ** -power, 0.0)
    weights: npt.NDArray[np.float32] = (raw * counts.sum() / (raw * counts).sum()).astype(np.float32)
    return weights


def train_head(
    views: Sequence[npt.NDArray[np.float32]],
    labels: npt.NDArray[np.integer],
    classes: int,
    recipe: HeadRecipe,
    *,
    seed: int,
    validation: tuple[npt.NDArray[np.float32], npt.NDArray[np.integer]] | None = None,
    epochs: int | None = None,
    progress: Callable[[int, float | None], None] = lambda epoch, score: None,
) -> TrainedHead:
    """Return a head for (N, F) features, trained with AdamW on class-weighted, smoothed cross-entropy.

    ``views`` are the features of the same N photos seen in several ways (as they are, mirrored, cropped): every step
    draws one of them for each photo. With ``validation`` (features, labels) the epoch with the best mean of accuracy
    and macro recall is kept and the loop stops early; with ``epochs`` it runs so long and keeps the last.
    The same arguments give the same head on the same machine.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    if (validation is None) == (epochs is None):
        raise ValueError("Give a validation part or a number of epochs, one of the two.")
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # the weights' first values and dropout
    stacked = torch.from_numpy(np.stack(views))  # (V, N, F)
    wanted = torch.from_numpy(labels.astype(np.int64))
    sizes = (stacked.shape[2], *recipe.hidden, classes)
    parts: list[nn.Module] = [nn.Dropout(recipe.input_dropout)]
    for inputs, outputs in itertools.pairwise(sizes[:-1]):
        parts += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(recipe.dropout)]
    network = nn.Sequential(*parts, nn.Linear(sizes[-2], classes))
    averaged = copy.deepcopy(network).eval()
    weights = torch.from_numpy(class_weights(labels, classes, recipe.class_weight_power))
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    photos, step = len(wanted), 0
    scores: list[float] = []
    best, best_epoch, kept = -1.0, 0, copy.deepcopy(averaged.state_dict())
    for epoch in range(1, (epochs if epochs is not None else recipe.most_epochs) + 1):
        network.train()
        for rows in torch.randperm(photos, generator=generator).split(recipe.batch):
            view = torch.randint(len(stacked), (len(rows),), generator=generator)
            loss = functional.cross_entropy(
                network(stacked[view, rows]), wanted[rows], weight=weights, label_smoothing=recipe.label_smoothing
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            step += 1
            # the average begins as the first weights and slows down as steps go by
            move = max(1 - recipe.average_decay, 1 / step)
            with torch.no_grad():
                for mean, now in zip(averaged.parameters(), network.parameters(), strict=True):
                    mean.lerp_(now, move)
        if validation is None:
            progress(epoch, None)
            continue
        with torch.inference_mode():
            chosen = averaged(torch.from_numpy(validation[0])).argmax(1).numpy()
        scores.append(_score(chosen, validation[1]))
        progress(epoch, scores[-1])
        if scores[-1] > best:
            best, best_epoch, kept = scores[-1], epoch, copy.deepcopy(averaged.state_dict())
        elif epoch - best_epoch >= recipe.patience:
            break
    if validation is None:
        best_epoch, kept = epochs or 0, averaged.state_dict()
    averaged.load_state_dict(kept)
    layers = tuple(
        (part.weight.detach().numpy().T.copy(), part.bias.detach().numpy().copy())
        for part in averaged
        if isinstance(part, nn.Linear)
    )
    return TrainedHead(layers, best_epoch, tuple(scores))


def _score(chosen: npt.NDArray[np.integer], wanted: npt.NDArray[np.integer]) -> float:
    """Return the mean of accuracy and macro recall, both matter to whoever uses the labels."""
    hit = chosen == wanted
    counts = np.bincount(wanted)
    recalls = np.bincount(wanted, weights=hit)[counts > 0] / counts[counts > 0]
    return float(hit.mean() + recalls.mean()) / 2
