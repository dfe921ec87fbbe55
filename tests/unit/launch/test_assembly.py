from __future__ import annotations

import pytest

from config.loading import load_settings
from launch.assembly import list_rules
from trendloom.errors import SettingsError
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
    with pytest.raises(SettingsError, match=r"colour.*Action: use some of"):
        list_rules(load_settings(None, {"lists.weights": {"colour": 1.0}}).settings)
    with pytest.raises(SettingsError, match=r"no preset 'best'.*balanced, learned, paper"):
        list_rules(load_settings(None, {"lists.preset": "best"}).settings)
