"""Keeps a trained collaborative model as one safetensors file: arrays, ids, and how it was made; never a pickle.

It checks what it reads and refuses strangers. Read next: :mod:`trendloom.collaborative.model`.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from trendloom.collaborative.model import CollaborativeModel
from trendloom.errors import CollaborativeModelError
from trendloom.whole_files import write_whole

__all__ = ["load_model", "save_model"]

_FORMAT = "trendloom collaborative model 1"
_ARRAYS = (
    "user_dot",
    "item_dot",
    "item_bias",
    "user_hidden",
    "item_hidden",
    "out",
    "start",
    "taken",
    "image_hidden",
)


def save_model(model: CollaborativeModel, path: Path) -> None:
    """Write a model; the file appears complete or not at all."""
    tensors: dict[str, npt.NDArray[Any]] = {name: np.ascontiguousarray(getattr(model, name)) for name in _ARRAYS}
    for place, (weights, bias) in enumerate(model.layers):
        tensors[f"layer{place}.weights"] = np.ascontiguousarray(weights)
        tensors[f"layer{place}.bias"] = np.ascontiguousarray(bias)
    for name in ("user_ids", "item_ids"):
        tensors[name] = np.frombuffer(orjson.dumps(getattr(model, name)), np.uint8)
    told = {"format": _FORMAT, "kind": model.kind, "provenance": json.dumps(model.provenance)}
    write_whole(path, save(tensors, told))


def load_model(path: Path) -> CollaborativeModel:
    """Read a model. Raises :class:`CollaborativeModelError` if the file is missing, broken, or something else."""
    try:
        with safe_open(path, framework="np") as file:
            told = file.metadata() or {}
            if told.get("format") != _FORMAT:
                raise CollaborativeModelError(
                    f"{path.name} holds no collaborative model that this version knows. "
                    "Action: train one with trendloom train."
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        layers = sum(name.startswith("layer") for name in tensors) // 2
        model = CollaborativeModel(
            kind=told["kind"],
            user_ids=tuple(orjson.loads(tensors["user_ids"].tobytes())),
            item_ids=tuple(orjson.loads(tensors["item_ids"].tobytes())),
            layers=tuple((tensors[f"layer{place}.weights"], tensors[f"layer{place}.bias"]) for place in range(layers)),
            provenance=json.loads(told["provenance"]),
            **{name: tensors[name] for name in _ARRAYS},
        )
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CollaborativeModelError(f"{path} cannot be read: {error}. Action: train the model again.") from error
    if fault := _fault(model):
        raise CollaborativeModelError(f"{path.name} contradicts itself: {fault}. Action: train the model again.")
    return model


def _fault(model: CollaborativeModel) -> str:
    """Return what about a model's shapes or values cannot be, or nothing."""
    users, items = model.n_users, model.n_items
    width, hidden = model.item_dot.shape[-1], model.item_hidden.shape[-1]
    shapes = {
        "user_dot": (users, width),
        "item_dot": (items, width),
        "item_bias": (items,),
        "user_hidden": (users, hidden),
        "item_hidden": (items, hidden),
        "start": (users + 1,),
    }
    for name, shape in shapes.items():
        if getattr(model, name).shape != shape:
            return f"{name} is {getattr(model, name).shape}, not {shape}"
    for weights, bias in model.layers:
        if weights.shape != (hidden, bias.size):
            return f"a layer is {weights.shape}, not {(hidden, bias.size)}"
        hidden = bias.size
    if model.out.shape != (hidden,):
        return f"out is {model.out.shape}, not {(hidden,)}"
    if model.start[0] != 0 or (np.diff(model.start) < 0).any() or model.start[-1] != model.taken.size:
        return "the customers' items do not add up"
    if model.taken.size and (int(model.taken.min()) < 0 or int(model.taken.max()) >= items):
        return "a customer took an item that is not there"
    floats = (field.name for field in dataclasses.fields(model) if field.name in _ARRAYS)
    if not all(np.isfinite(getattr(model, name)).all() for name in floats):
        return "a value is not finite"
    return ""
