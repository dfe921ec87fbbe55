"""GMF, MLP, NeuMF and the image-MLP as plain functions of named tensors: numbers of users and items in, logits out.

* GMF: out · (user * item) + bias, element by element.
* MLP: user and item side by side -> hidden layers with ReLU -> out.
* NeuMF: the sum of both, with embeddings of their own, under one output layer.
* image-MLP: the MLP with a third part side by side, a projection of the item's image embedding.

It trains nothing; torch is imported when a network is built. Read next: :mod:`models.collaborative.training`.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from models.collaborative.recipe import NetworkRecipe

__all__ = ["as_arrays", "build", "logits", "penalty"]

#: A torch tensor; torch is not imported here.
Tensor = Any
Floats = npt.NDArray[np.float32]


def build(
    recipe: NetworkRecipe, n_users: int, n_items: int, *, seed: int, images: Floats | None = None
) -> dict[str, Tensor]:
    """Return a network's tensors by name, at their first values: leaves that a learner may change.

    Embeddings are N(0, spread), hidden layers He-normal, the output layer uniform in ±sqrt(3 / inputs) (LeCun), biases
    0. ``images`` (N, D) are unit rows, zero rows for items without a picture; they are kept as "images", not learnt.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, spread: float) -> Tensor:
        return (torch.randn(*shape, generator=generator) * spread).requires_grad_()

    tensors: dict[str, Tensor] = {}
    joined = 0
    if recipe.kind in {"gmf", "neumf"}:
        tensors["factors.user"] = normal(n_users, recipe.factors, spread=recipe.spread)
        tensors["factors.item"] = normal(n_items, recipe.factors, spread=recipe.spread)
        joined += recipe.factors
    if recipe.kind != "gmf":
        half = recipe.layers[0] // 2
        tensors["perceptron.user"] = normal(n_users, half, spread=recipe.spread)
        tensors["perceptron.item"] = normal(n_items, half, spread=recipe.spread)
        inputs = 2 * half
        if recipe.kind == "image-mlp":
            if images is None:
                raise ValueError("an image-mlp needs images")
            tensors["images"] = torch.from_numpy(images)
            tensors["project.weights"] = normal(
                images.shape[1], recipe.image_width, spread=math.sqrt(1 / images.shape[1])
            )
            inputs += recipe.image_width
        for place, (wide, narrow) in enumerate(itertools.pairwise((inputs, *recipe.layers[1:]))):
            tensors[f"layer{place}.weights"] = normal(wide, narrow, spread=math.sqrt(2 / wide))
            tensors[f"layer{place}.bias"] = torch.zeros(narrow, requires_grad=True)
        joined += recipe.layers[-1] if len(recipe.layers) > 1 else inputs
    limit = math.sqrt(3 / joined)
    tensors["out"] = (torch.rand(joined, generator=generator) * (2 * limit) - limit).requires_grad_()
    tensors["bias"] = torch.zeros(1, requires_grad=True)
    if recipe.item_bias:
        tensors["item_bias"] = torch.zeros(n_items, 1, requires_grad=True)
    return tensors


def logits(
    tensors: dict[str, Tensor], recipe: NetworkRecipe, users: Tensor, items: Tensor, *, dropout: float = 0.0
) -> Tensor:
    """Return the logits (B,) of pairs of users (B,) and items (B,)."""
    from torch.nn import functional

    def looked_up(name: str, rows: Tensor) -> Tensor:
        found = functional.embedding(rows, tensors[name])  # (B, F)
        return functional.dropout(found, dropout) if dropout else found

    joined = []
    if "factors.user" in tensors:
        joined.append(looked_up("factors.user", users) * looked_up("factors.item", items))
    if "perceptron.user" in tensors:
        sides = [looked_up("perceptron.user", users), looked_up("perceptron.item", items)]
        if "images" in tensors:
            sides.append(tensors["images"][items] @ tensors["project.weights"])
        hidden = _cat(sides)  # (B, inputs)
        for place in range(len(recipe.layers) - 1):
            hidden = (hidden @ tensors[f"layer{place}.weights"] + tensors[f"layer{place}.bias"]).relu()
        joined.append(hidden)
    answer = _cat(joined) @ tensors["out"] + tensors["bias"]  # (B,)
    if "item_bias" in tensors:
        answer = answer + functional.embedding(items, tensors["item_bias"])[:, 0]
    return answer


def _cat(parts: list[Tensor]) -> Tensor:
    import torch

    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def penalty(tensors: dict[str, Tensor], recipe: NetworkRecipe) -> Tensor | float:
    """Return Σ reg · Σ w² over the tensors that have a reg above 0; 0.0 without any."""
    regs: dict[str, float] = {}
    if "factors.user" in tensors:
        regs |= {"factors.user": recipe.factor_regs[0], "factors.item": recipe.factor_regs[1]}
    if "perceptron.user" in tensors:
        regs |= dict.fromkeys(("perceptron.user", "perceptron.item"), recipe.layer_regs[0])
        regs |= {f"layer{place}.weights": reg for place, reg in enumerate(recipe.layer_regs[1:])}
    return sum((reg * tensors[name].square().sum() for name, reg in regs.items() if reg), 0.0)


def as_arrays(tensors: dict[str, Tensor], recipe: NetworkRecipe) -> dict[str, Any]:
    """Return what :class:`trendloom.collaborative.model.CollaborativeModel` scores with: the same logits, no torch.

    The output weights of the product part are folded into the users' factors; the first hidden layer is applied to
    users, items and images apart, which is exact because it is linear up to its ReLU.
    """
    kept: dict[str, Floats] = {name: tensor.detach().numpy().copy() for name, tensor in tensors.items()}
    n_users, n_items = (len(kept[_first(kept, side)]) for side in ("user", "item"))
    bias = np.full(n_items, kept["bias"][0], np.float32)
    if "item_bias" in kept:
        bias += kept["item_bias"][:, 0]
    out = kept["out"]
    arrays: dict[str, Any] = {
        "user_dot": np.zeros((n_users, 0), np.float32),
        "item_dot": np.zeros((n_items, 0), np.float32),
        "item_bias": bias,
        "user_hidden": np.zeros((n_users, 0), np.float32),
        "item_hidden": np.zeros((n_items, 0), np.float32),
        "layers": (),
        "out": np.zeros(0, np.float32),
        "image_hidden": np.zeros((0, 0), np.float32),
    }
    if "factors.user" in kept:
        width = kept["factors.user"].shape[1]
        arrays["user_dot"] = kept["factors.user"] * out[:width]
        arrays["item_dot"] = kept["factors.item"]
        out = out[width:]
    if "perceptron.user" in kept:
        half = kept["perceptron.user"].shape[1]
        first = kept["layer0.weights"]
        arrays["user_hidden"] = kept["perceptron.user"] @ first[:half] + kept["layer0.bias"]
        arrays["item_hidden"] = kept["perceptron.item"] @ first[half : 2 * half]
        if "images" in kept:
            seen = kept["images"] @ kept["project.weights"] @ first[2 * half :]
            arrays["item_hidden"] = arrays["item_hidden"] + seen
            arrays["image_hidden"] = seen + (kept["perceptron.item"] @ first[half : 2 * half]).mean(axis=0)
        arrays["layers"] = tuple(
            (kept[f"layer{place}.weights"], kept[f"layer{place}.bias"]) for place in range(1, len(recipe.layers) - 1)
        )
        arrays["out"] = out
    return arrays


def _first(names: dict[str, Floats], side: str) -> str:
    return next(name for name in names if name.endswith(f".{side}"))
