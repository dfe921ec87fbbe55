from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.unit.trendloom.classifier.drawn import fill_folders, nearest_mean_head
from trendloom.classifier.checkpoint import SHIPPED, as_kept, load_classifier, save_classifier
from trendloom.classifier.head import Classifier
from trendloom.errors import ClassifierError


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """A head of two layers, so that both kinds of numbers are kept."""
    linear = nearest_mean_head(fill_folders(tmp_path_factory.mktemp("drawn") / "photos"))
    rng = np.random.default_rng(8)
    hidden = (rng.normal(size=(24, 40)).astype(np.float32), rng.normal(size=40).astype(np.float32))
    last = (rng.normal(size=(40, 3)).astype(np.float32), np.zeros(3, np.float32))
    return replace(linear, layers=(hidden, last), temperature=1.3, trained_on=frozenset({"00ff00ff00ff00ff", "a" * 16}))


def test_what_is_kept_comes_back(head: Classifier, tmp_path: Path) -> None:
    back = as_kept(head, tmp_path / "deep" / "head.safetensors")
    assert (back.labels, back.temperature, back.mirrored) == (head.labels, head.temperature, head.mirrored)
    assert (back.backbone, back.provenance, back.trained_on) == (head.backbone, head.provenance, head.trained_on)
    features = np.random.default_rng(1).normal(size=(200, 24))
    assert np.abs(back.probabilities(features) - head.probabilities(features)).max() < 0.05
    assert (back.logits(features).argmax(axis=1) == head.logits(features).argmax(axis=1)).mean() > 0.97
    # rounding twice changes nothing more
    again = as_kept(back, tmp_path / "again.safetensors")
    assert np.allclose(again.logits(features), back.logits(features), atol=1e-4)


def test_the_same_head_gives_the_same_bytes(head: Classifier, tmp_path: Path) -> None:
    sizes = [save_classifier(head, tmp_path / f"{number}.safetensors") for number in range(2)]
    assert (tmp_path / "0.safetensors").read_bytes() == (tmp_path / "1.safetensors").read_bytes()
    assert sizes[0] == (tmp_path / "0.safetensors").stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.safetensors", "1.safetensors"]


def test_strangers_are_refused(head: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    with pytest.raises(ClassifierError, match="There is no classifier .*Action: name a file"):
        load_classifier(path)
    for content in (b"", b"not tensors at all", b"\x00" * 64):
        path.write_bytes(content)
        with pytest.raises(ClassifierError, match="is no classifier.*Action: "):
            load_classifier(path)
    save_file({"mean": np.zeros(3)}, path)
    with pytest.raises(ClassifierError, match="something else, format unknown"):
        load_classifier(path)
    for wrong in (
        {"labels": ("one", "two")},
        {"labels": ("one", "one", "two")},
        {"temperature": 0.0},
        {"layers": head.layers[1:]},
        {"layers": (head.layers[0], (np.full((40, 3), np.nan, np.float32), np.zeros(3, np.float32)))},
    ):
        save_classifier(replace(head, **wrong), path)
        with pytest.raises(ClassifierError, match="do not fit each other"):
            load_classifier(path)


def test_a_file_cut_short_is_refused(head: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    save_classifier(head, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ClassifierError, match="is no classifier"):
        load_classifier(path)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_the_head_that_ships_says_where_it_comes_from(name: str) -> None:
    head = load_classifier(name)
    assert len(head.labels) == 17
    assert not {"Not sure", "Other", "Skip"} & set(head.labels)
    assert SHIPPED[name].stat().st_size < 1_000_000
    assert head.backbone["name"] == "efficientnet_lite0"
    assert "CC0" in str(head.provenance["credit"])
    assert {"seed", "recipe", "photos", "held_out", "versions"} <= set(head.provenance)
    assert len(head.trained_on) > 4_000
    probabilities = head.probabilities(np.zeros((1, head.dim)))
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-5)
