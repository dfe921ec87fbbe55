"""Networks learn what there is to learn, and score the same with and without torch."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.collaborative.networks import as_arrays, build, logits
from models.collaborative.recipe import KINDS, SOURCE, Kind, NetworkRecipe
from models.collaborative.training import train
from trendloom.collaborative.model import CollaborativeModel
from trendloom.collaborative.model_file import load_model, save_model

pytestmark = [
    pytest.mark.vision,
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="needs torch: pip install 'trendloom[vision]'"
    ),
]

USERS, ITEMS = 40, 30


def two_tastes(seed: int = 1) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Even users take even items, odd users odd ones; five each."""
    rng = np.random.default_rng(seed)
    taken = [rng.choice(np.arange(user % 2, ITEMS, 2), 5, replace=False) for user in range(USERS)]
    return np.arange(0, 5 * USERS + 1, 5), np.concatenate(taken).astype(np.int32)


def recipe_of(kind: Kind, **changes: Any) -> NetworkRecipe:
    return replace(SOURCE[kind], layers=(16, 8, 4), layer_regs=(0.0, 0.0, 0.0), epochs=30, batch=256, **changes)


def model_of(kind: str, arrays: dict[str, Any]) -> CollaborativeModel:
    start, item = two_tastes()
    users, items = tuple(str(user) for user in range(USERS)), tuple(str(one) for one in range(ITEMS))
    return CollaborativeModel(kind, users, items, start=start, taken=item, **arrays)


def looks() -> np.ndarray[Any, Any]:
    return np.random.default_rng(5).normal(size=(ITEMS, 12)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_learns_tastes(kind: Kind) -> None:
    start, item = two_tastes()
    recipe = recipe_of(kind, item_bias=True)
    trained = train(recipe, start, item, ITEMS, seed=2, images=looks() if kind == "image-mlp" else None)
    scores = model_of(kind, trained.arrays).score_all(np.arange(USERS))
    same = (np.arange(USERS)[:, None] + np.arange(ITEMS)) % 2 == 0
    scores[np.repeat(np.arange(USERS), 5), item] = np.nan  # what they took says nothing
    assert np.nanmean(scores[same]) > np.nanmean(scores[~same]) + 1
    assert trained.epochs[-1].loss < trained.epochs[0].loss


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_score_as_the_network_does(kind: Kind, tmp_path: Path) -> None:
    import torch

    recipe = recipe_of(kind, item_bias=True)
    tensors = build(recipe, USERS, ITEMS, seed=3, images=looks() if kind == "image-mlp" else None)
    with torch.no_grad():
        for name in ("bias", "item_bias", "layer0.bias"):
            if name in tensors:
                tensors[name] += torch.randn(tensors[name].shape)
        users, items = np.arange(USERS), np.random.default_rng(1).integers(0, ITEMS, (USERS, 6))
        wanted = logits(tensors, recipe, torch.from_numpy(np.repeat(users, 6)), torch.from_numpy(items.ravel()))
    model = model_of(kind, as_arrays(tensors, recipe))
    pairs = model.score_pairs(users, items)
    np.testing.assert_allclose(pairs.ravel(), wanted.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(model.score_all(users), items, 1), pairs, rtol=1e-4, atol=1e-5)
    save_model(model, tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.score_pairs(users, items), pairs)
    assert (again.user_ids, again.kind) == (model.user_ids, kind)


def test_the_best_epoch_is_kept_and_patience_ends_training() -> None:
    start, item = two_tastes()
    figures = iter([0.1, 0.4, 0.3, 0.2, 0.9])
    trained = train(recipe_of("gmf", patience=2), start, item, ITEMS, seed=1, validate=lambda arrays: next(figures))
    assert (trained.best_epoch, len(trained.epochs)) == (2, 4)


def test_the_same_seed_gives_the_same_network() -> None:
    start, item = two_tastes()
    one, other = (train(recipe_of("neumf", dropout=0.2), start, item, ITEMS, seed=7).arrays for _ in range(2))
    np.testing.assert_array_equal(one["user_dot"], other["user_dot"])
    np.testing.assert_array_equal(one["item_hidden"], other["item_hidden"])
