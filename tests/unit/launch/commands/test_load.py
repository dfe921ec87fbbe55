from __future__ import annotations

from pathlib import Path

import pytest

from launch.commands.load import load
from trendloom.errors import SettingsError


def test_rate_and_steps_contradict() -> None:
    with pytest.raises(SettingsError, match="contradict.* Action: "):
        load(rate=5.0, steps="1,2")


def test_a_drain_has_nothing_to_plot(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--plot needs a step.* Action: "):
        load(drain=10, plot=tmp_path / "plot.svg")


def test_rates_are_numbers() -> None:
    with pytest.raises(SettingsError, match="no list of rates"):
        load(steps="fast")


def test_more_items_than_there_are() -> None:
    from config.settings import Settings
    from launch.load_run import LoadPlan, run_load

    with pytest.raises(SettingsError, match="--items 1000000 of a catalogue of .* Action: "):
        run_load(LoadPlan([1.0], 1.0, items=1_000_000), Settings(), embedded=False)
