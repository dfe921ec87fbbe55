from __future__ import annotations

from pathlib import Path

import pytest

from launch.options import read_settings, read_settings_with_origins
from trendloom.errors import SettingsError


def test_flags_that_were_not_given_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = read_settings_with_origins(None, {"kafka.bootstrap": None, "redis.url": "redis://h:1/0"})
    assert loaded.origins["kafka.bootstrap"] == "default"
    assert loaded.settings.redis.url == "redis://h:1/0"


def test_an_empty_flag_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not read_settings(None, {"kafka.bootstrap": ""}).kafka.bootstrap


def test_a_wrong_setting_is_an_error_of_the_tree(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read") as caught:
        read_settings(tmp_path / "none.toml")
    assert caught.value.exit_code == 2
