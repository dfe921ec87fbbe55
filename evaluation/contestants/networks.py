"""GMF, MLP and NeuMF as contestants: the networks' customers are the baskets of the earlier days.

A history stands for the mean of the baskets that held its items, each item weighed, as strangers do on the stream
(:mod:`trendloom.collaborative.on_stream`). Read next: :mod:`evaluation.contestants.trained`, which says when they are
trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from evaluation.contestants.baskets import Baskets
from evaluation.contestants.trained import Model, Silent
from evaluation.leave_one_out.networks_study import fit_model
from models.collaborative.recipe import TUNED, NetworkRecipe
from trendloom.collaborative.model import CollaborativeModel
from trendloom.collaborative.on_stream import mean_takers
from trendloom.logs.interactions import Interactions

__all__ = ["NetworkModel", "train_gmf", "train_mlp", "train_network", "train_neumf"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NetworkModel:
    """A trained network, and for each item (C, W) the mean vector of the baskets that held it."""

    model: CollaborativeModel
    takers: Floats

    def scores(self, column: Ints, weight: Floats) -> Floats:
        """Return the logits (B, C) of the history's mean vector: sum of w_j t_j over sum of w_j."""
        total = np.maximum(weight.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        vectors = np.einsum("bh,bhw->bw", weight, self.takers[column], optimize=True) / total
        width = self.model.user_dot.shape[1]
        return self.model.score_vectors(vectors[:, :width], vectors[:, width:])


def train_network(baskets: Baskets, rng: np.random.Generator, recipe: NetworkRecipe) -> Model:
    """Return a network of the baskets, the last epoch of it: nothing is held out.

    Of baskets of which one holds every item nothing is learnt: there is nothing untaken to tell them from. Raises
    :class:`~trendloom.errors.MissingExtra` without torch.
    """
    start = np.searchsorted(baskets.basket, np.arange(baskets.count + 1))
    if not baskets.count or (np.diff(start) >= baskets.item.size).any():
        return Silent(baskets.item.size)
    known = Interactions(
        start.astype(np.int64),
        baskets.column.astype(np.int32),
        tuple(map(str, range(baskets.count))),
        tuple(map(str, baskets.item.tolist())),
    )
    model, _, _ = fit_model(known, recipe, seed=int(rng.integers(2**31)))
    return NetworkModel(model, mean_takers(model))


def _of_kind(kind: Literal["gmf", "mlp", "neumf"], baskets: Baskets, rng: np.random.Generator) -> Model:
    return train_network(baskets, rng, TUNED[kind])


def train_gmf(baskets: Baskets, rng: np.random.Generator) -> Model:
    """Return a GMF at our settings."""
    return _of_kind("gmf", baskets, rng)


def train_mlp(baskets: Baskets, rng: np.random.Generator) -> Model:
    """Return an MLP at our settings."""
    return _of_kind("mlp", baskets, rng)


def train_neumf(baskets: Baskets, rng: np.random.Generator) -> Model:
    """Return a NeuMF at our settings."""
    return _of_kind("neumf", baskets, rng)
