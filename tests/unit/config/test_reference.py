from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from config.loading import setting_names
from config.reference import SettingRow, render_default_toml, render_reference, setting_rows

ROOT = Path(__file__).parents[3]


def test_the_committed_default_file_is_what_is_rendered() -> None:
    assert (ROOT / "config" / "default.toml").read_text(encoding="utf-8") == render_default_toml(), "run make generate"


def test_the_committed_reference_is_what_is_rendered() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == render_reference(), "run make generate"


def test_the_default_file_holds_every_setting() -> None:
    tree = tomllib.loads(render_default_toml())
    assert [f"{group}.{name}" for group, values in tree.items() for name in values] == list(setting_names())


@pytest.mark.parametrize("row", list(setting_rows()), ids=lambda row: f"{row.group}.{row.name}")
def test_every_setting_says_what_it_is_its_range_and_why(row: SettingRow) -> None:
    assert row.what.endswith(".")
    assert row.reason.endswith(".")
    assert len(row.reason) > 4
    if row.type_name in {"number", "whole number"}:
        assert " to " in row.allowed
        endings = ("_s", "_ms", "port", "partitions", "factor", "batch", "length", "shards", "keep", "limit", "window")
        assert row.name.endswith((*endings, "items", "weight", "top_k", "candidates")), "a unit, or a counted noun"
