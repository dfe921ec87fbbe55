"""``trendloom train`` and ``trendloom recommend --model`` on a small log."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from launch.cli import app
from trendloom.errors import InputError

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs torch: pip install 'trendloom[vision]'"
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    rng = np.random.default_rng(2)
    path = tmp_path / "small.txt"
    lines = [" ".join([f"c{user}", *map(str, rng.choice(150, 6, replace=False))]) for user in range(40)]
    path.write_text("\n".join(lines) + "\n")
    return path


def run(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@needs_torch
@pytest.mark.vision
@pytest.mark.parametrize(
    ("kind", "flags"),
    [
        ("gmf", ["--num_factors", "4", "--regs", "[0,1e-6]", "--batch_size", "64", "--refit"]),
        ("mlp", ["--layers", "[16,8]", "--reg_layers", "[0,0]", "--num_neg", "2", "--learner", "rmsprop"]),
        ("neumf", ["--settings", "source", "--lr", "0.01", "--choose-by", "full"]),
    ],
)
def test_a_model_is_trained_kept_and_asked(kind: str, flags: list[str], log: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    told = json.loads(
        run(
            *("train", kind, "--path", str(log.parent), "--dataset", log.name, "--epochs", "2", "--out", str(file)),
            *("--eval-negatives", "60", "--json", *flags),
        )
    )
    assert (told["users"], told["interactions"], told["file"]) == (40, 240, str(file))
    assert 0 <= told["test"]["full"]["hit@10"] <= 1
    listed = json.loads(run("recommend", "--model", str(file), "--customer", "c7", "--top-k", "5", "--json"))
    taken = log.read_text().splitlines()[7].split()[1:]
    assert (listed["model"], listed["rule"], len(listed["entries"])) == (kind, "model", 5)
    assert not {entry["item_id"] for entry in listed["entries"]} & set(taken[:4])
    assert json.loads(run("recommend", "new", "--model", str(file), "--json"))["rule"] == "popular"


@needs_torch
@pytest.mark.vision
def test_the_image_network_sees_a_catalogue(tmp_path: Path) -> None:
    from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue

    catalogue = load_catalogue(demo_catalogue_path())
    known = [item for row, item in enumerate(catalogue.item_ids) if catalogue.photo_row[row] >= 0][:150]
    rng = np.random.default_rng(2)
    lines = [" ".join([f"c{user}", *rng.choice(known, 6, replace=False)]) for user in range(30)]
    log, file = tmp_path / "small.txt", tmp_path / "model.safetensors"
    log.write_text("\n".join(lines))
    run(
        *("train", "image-mlp", str(log), "--catalogue", str(demo_catalogue_path()), "--epochs", "2"),
        *("--image-width", "4", "--eval-negatives", "9", "--out", str(file)),
    )
    assert json.loads(run("recommend", "c1", "--model", str(file), "--json"))["model"] == "image-mlp"


def test_what_is_wrong_is_said(log: Path) -> None:
    for words in (
        ["train", "gmf"],
        ["train", "gmf", str(log), "--settings", "best"],
        ["train", "gmf", str(log), "--learner", "newton"],
        ["train", "gmf", str(log), "--regs", "[0]"],
        ["train", "mlp", str(log), "--layers", "[15,8]"],
        ["train", "mlp", str(log), "--reg_layers", "[0]"],
        ["train", "image-mlp", str(log)],
        ["recommend", "--model", "gmf"],
        ["recommend", "c1", "--model", "gmf-of-nobody"],
    ):
        with pytest.raises(InputError, match="Action: "):
            run(*words)
