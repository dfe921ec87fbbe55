from __future__ import annotations

from pathlib import Path

import pytest

from config.loading import SettingsProblem, load_settings, setting_names


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty directory and no variable of ours, whoever runs the tests."""
    import os

    for name in os.environ:
        if name.upper().startswith("TRENDLOOM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_each_source_beats_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[lists]\ntop_k = 3\npreset = "paper"\nexclude_other_views = false\n[redis]\nkey_prefix = "f"\n')
    monkeypatch.setenv("TRENDLOOM_LISTS__TOP_K", "4")
    monkeypatch.setenv("TRENDLOOM_LISTS__PRESET", "balanced")
    loaded = load_settings(file, {"lists.top_k": 5})
    lists = loaded.settings.lists
    assert (lists.top_k, lists.preset, lists.exclude_other_views) == (5, "balanced", False)
    assert loaded.settings.redis.key_prefix == "f"
    assert loaded.origins["lists.top_k"] == "flag"
    assert loaded.origins["lists.preset"] == "environment"
    assert loaded.origins["lists.exclude_other_views"] == str(file)
    assert loaded.origins["lists.unknown_items"] == "default"
    assert list(loaded.origins) == list(setting_names())


def test_the_file_is_the_named_one_or_the_one_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Path("trendloom.toml").write_text("[lists]\ntop_k = 6\n")
    assert load_settings().settings.lists.top_k == 6
    (tmp_path / "other.toml").write_text("[lists]\ntop_k = 7\n")
    monkeypatch.setenv("TRENDLOOM_CONFIG", "other.toml")
    assert load_settings().settings.lists.top_k == 7
    (tmp_path / "third.toml").write_text("[lists]\ntop_k = 8\n")
    assert load_settings(Path("third.toml")).settings.lists.top_k == 8


def test_the_default_file_loads_and_changes_nothing() -> None:
    shipped = Path(__file__).parents[3] / "config" / "default.toml"
    assert load_settings(shipped).settings == load_settings().settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[lists]\ntop_kk = 3\n", "lists.top_kk: there is no such setting. Did you mean lists.top_k?"),
        ("[list]\ntop_k = 3\n", "list: there is no such setting. Did you mean lists?"),
        ("lists = 3\n", "lists: "),
        ("[lists]\ntop_k = 0\n", "lists.top_k: Input should be greater than or equal to 1 (given: 0)"),
        ("[state]\nfast_half_life_s = 1e6\n", "fast_half_life_s must be below slow_half_life_s"),
        ("[lists\n", "is not TOML"),
    ],
)
def test_a_wrong_file_is_one_sentence(text: str, said: str) -> None:
    Path("wrong.toml").write_text(text)
    with pytest.raises(SettingsProblem) as caught:
        load_settings(Path("wrong.toml"))
    assert said in str(caught.value)
    assert "Action: " in str(caught.value)


def test_a_missing_file_is_said() -> None:
    with pytest.raises(SettingsProblem, match="nowhere.toml cannot be read"):
        load_settings(Path("nowhere.toml"))


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("TRENDLOOM_KAFKA_BOOTSTRAP", "TRENDLOOM_KAFKA__BOOTSTRAP"),
        ("TRENDLOOM_LISTS__TOPK", "TRENDLOOM_LISTS__TOP_K"),
    ],
)
def test_a_misspelt_variable_is_said(monkeypatch: pytest.MonkeyPatch, variable: str, near: str) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(SettingsProblem, match=f"{variable} sets nothing. Did you mean {near}?"):
        load_settings()


@pytest.mark.parametrize(
    "overrides",
    [
        {"kafka.sasl_password": 12345678},
        {"kafka.security_protocol": "SASL_SSL", "kafka.sasl_password": "12345678"},
        {"redis.url": "http://u:12345678@host"},
        {"redis.url": "redis://u:12345678@host/not-a-number"},
        {"redis.password": ["12345678"]},
    ],
)
def test_a_secret_is_in_no_error(overrides: dict[str, object]) -> None:
    with pytest.raises(SettingsProblem) as caught:
        load_settings(overrides=overrides)
    error: BaseException | None = caught.value
    assert "12345678" not in repr(error)
    assert error is not None
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_secret_group_as_json_in_the_environment_is_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRENDLOOM_KAFKA", '{"sasl_password": "12345678"')
    with pytest.raises(SettingsProblem) as caught:
        load_settings()
    assert "12345678" not in str(caught.value)
