"""A model's file: strangers and broken ones are refused in one sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from trendloom.collaborative.listing import list_for
from trendloom.collaborative.model import CollaborativeModel
from trendloom.collaborative.model_file import load_model, save_model
from trendloom.errors import CollaborativeModelError


def small_model() -> CollaborativeModel:
    rng = np.random.default_rng(1)
    return CollaborativeModel(
        kind="neumf",
        user_ids=("ann", "bob"),
        item_ids=("hat", "cap", "tie", "bag"),
        user_dot=rng.normal(size=(2, 3)).astype(np.float32),
        item_dot=rng.normal(size=(4, 3)).astype(np.float32),
        item_bias=rng.normal(size=4).astype(np.float32),
        user_hidden=rng.normal(size=(2, 5)).astype(np.float32),
        item_hidden=rng.normal(size=(4, 5)).astype(np.float32),
        layers=((rng.normal(size=(5, 2)).astype(np.float32), np.zeros(2, np.float32)),),
        out=np.ones(2, np.float32),
        start=np.array([0, 1, 3]),
        taken=np.array([2, 2, 1], np.int32),
        provenance={"seed": 1},
    )


def test_a_list_leaves_out_what_the_customer_took_and_is_ordered() -> None:
    model = small_model()
    listed = list_for(model, "bob", 10)
    assert sorted(listed.items) == ["bag", "hat"]
    assert list(listed.scores) == sorted(listed.scores, reverse=True)
    assert all(0 < score < 1 for score in listed.scores)
    assert list_for(model, "eve", 2) == replace(list_for(model, "eve", 2), items=("tie", "cap"), rule="popular")


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model.safetensors"
    save_model(small_model(), path)
    again = load_model(path)
    np.testing.assert_array_equal(again.score_all(np.arange(2)), small_model().score_all(np.arange(2)))
    assert (again.provenance, [file.name for file in path.parent.iterdir()]) == ({"seed": 1}, [path.name])


def test_strangers_are_refused(tmp_path: Path) -> None:
    other, broken = tmp_path / "other.safetensors", tmp_path / "broken.safetensors"
    save_file({"a": np.zeros(2)}, other)
    broken.write_bytes(b"no tensors")
    for path, said in ((other, "no collaborative model"), (broken, "cannot be read"), (tmp_path / "none", "read")):
        with pytest.raises(CollaborativeModelError, match=said):
            load_model(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("item_bias", np.zeros(3, np.float32)),
        ("item_bias", np.full(4, np.nan, np.float32)),
        ("taken", np.array([2, 2, 4], np.int32)),
        ("out", np.zeros(3, np.float32)),
        ("start", np.array([0, 2, 1])),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(
    tmp_path: Path, name: str, value: np.ndarray[tuple[int], np.dtype[np.float32]]
) -> None:
    save_model(replace(small_model(), **{name: value}), tmp_path / "model.safetensors")  # type: ignore[arg-type]
    with pytest.raises(CollaborativeModelError, match="contradicts itself"):
        load_model(tmp_path / "model.safetensors")
