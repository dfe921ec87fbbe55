from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from config.loading import load_settings
from launch.assembly import list_rules
from trendloom.errors import RankerError, SeasonError, SettingsError
from trendloom.relevance.presets import PRESETS


def test_weights_of_the_settings_replace_those_of_the_preset() -> None:
    rules = list_rules(load_settings(None, {"lists.preset": "paper", "lists.weights": {"gender": 0.2}}).settings)
    assert rules.preset.weights == {**PRESETS["paper"].weights, "gender": 0.2}
    assert rules.preset.parts == ("visual", "popularity_fit", "gender")


def test_weights_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRENDLOOM_LISTS__WEIGHTS", '{"visual": 0}')
    rules = list_rules(load_settings().settings)
    assert "visual" not in rules.preset.parts


def test_an_unknown_part_and_an_unknown_preset_are_named() -> None:
    with pytest.raises(SettingsError, match=r"mood.*Action: use some of"):
        list_rules(load_settings(None, {"lists.weights": {"mood": 1.0}}).settings)
    with pytest.raises(SettingsError, match=r"no preset 'best'.*balanced, learned, paper"):
        list_rules(load_settings(None, {"lists.preset": "best"}).settings)


def test_parts_that_need_a_file_say_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"`trained` weighs.*Action: set lists.trained_model"):
        list_rules(load_settings(None, {"lists.weights": {"trained": 1.0}}).settings)
    with pytest.raises(SettingsError, match=r"`season` weighs.*Action: set lists.season_file"):
        list_rules(load_settings(None, {"lists.weights": {"season": 1.0}}).settings)
    missing = {"lists.weights": {"season": 1.0}, "lists.season_file": str(tmp_path / "none.safetensors")}
    with pytest.raises(SeasonError, match=r"none\.safetensors.*Action: make it again"):
        list_rules(load_settings(None, missing).settings)


def test_learned_lists_need_trees_and_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"needs trees.*Action: train some with `trendloom train ranker"):
        list_rules(load_settings(None, {"lists.preset": "learned"}).settings)
    pytest.importorskip("numba", reason="the extra fast is not installed")
    settings = load_settings(None, {"lists.preset": "learned", "lists.ranker": str(tmp_path / "none.npz")}).settings
    with pytest.raises(RankerError, match=r"no ranker .*none\.npz.*Action: train one"):
        list_rules(settings)


def test_learned_lists_fall_back_on_the_linear_form_with_its_weights(tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="the extra fast is not installed")
    from trendloom.relevance.learned.forest import Forest
    from trendloom.relevance.learned.ranker_file import RankerFile, write_ranker

    leaf, zero = np.array([-1], np.int32), np.zeros(1, np.int32)
    path = tmp_path / "ranker.npz"
    write_ranker(path, RankerFile(Forest(leaf, np.zeros(1), zero, zero, np.array([0.5]), zero), {}))
    flags = {"lists.preset": "learned", "lists.ranker": str(path), "lists.weights": {"gender": 0.3}}
    rules = list_rules(load_settings(None, flags).settings)
    assert rules.preset.name == "balanced"
    assert rules.preset.weights["gender"] == 0.3
    assert rules.learned is not None
    assert rules.learned.preset.name == "learned"
    assert rules.learned.forest.base == 0.5
