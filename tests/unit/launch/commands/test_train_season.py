"""``trendloom train season`` on a small log, and what a worker's settings make of the file."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from config.loading import load_settings
from launch.assembly import list_rules
from launch.cli import app
from trendloom.refresh.season_file import read_season


def test_a_log_is_counted_and_a_worker_can_weigh_it(tmp_path: Path) -> None:
    log, out = tmp_path / "log.csv", tmp_path / "season.safetensors"
    log.write_text("customer_id,item_id,occurred_at\nann,hat,2019-12-02\nbob,hat,2019-12-03\nbob,tee,2020-06-01\n")
    done = CliRunner().invoke(app, ["train", "season", str(log), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "2 counts of 2 items in 2 weeks" in done.output
    assert sorted(read_season(out).count.tolist()) == [1.0, 2.0]
    rules = list_rules(load_settings(None, {"lists.season_file": str(out), "lists.weights": {"season": 0.1}}).settings)
    assert rules.season is not None
    assert rules.preset.parts[-1] == "season"
