"""``trendloom train ranker`` grows trees from a log and keeps where they come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("numba", reason="the extra fast is not installed")
pytest.importorskip("lightgbm", reason="the extra ranking is not installed")

from launch.cli import app
from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.relevance.learned.ranker_file import read_ranker

pytestmark = pytest.mark.timeout(300)  # the first one compiles the kernel

DAYS = 4


def a_log(folder: Path, item_ids: list[str], *, first: str, rows: int) -> Path:
    rng = np.random.default_rng(5)
    lines = ["customer_id,item_id,occurred_at,price"]
    day = np.sort(rng.integers(0, DAYS, size=rows))
    for row in range(rows):
        at = np.datetime64(first) + np.timedelta64(int(day[row]) * 86_400 + row, "s")
        item = item_ids[int(rng.integers(len(item_ids)) * rng.random())]
        lines.append(f"c{rng.integers(40)},{item},{at}Z,{rng.integers(5, 60)}")
    path = folder / f"log-{first[:4]}.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_trees_know_the_season_that_they_were_grown_with(tmp_path: Path) -> None:
    item_ids = list(load_catalogue(demo_catalogue_path()).item_ids)[:60]
    log = a_log(tmp_path, item_ids, first="2020-09-16T00:00:00", rows=1_500)
    earlier = a_log(tmp_path, item_ids, first="2019-09-16T00:00:00", rows=900)
    run = CliRunner()
    made = run.invoke(app, ["train", "season", str(earlier), "--out", str(tmp_path / "season.safetensors")])
    assert made.exit_code == 0, made.output
    flags = ["--catalogue", str(demo_catalogue_path()), "--out", str(tmp_path / "ranker.npz"), "--rounds", "5"]
    season = ["--season", str(tmp_path / "season.safetensors")]
    grown = run.invoke(app, ["train", "ranker", str(log), *flags, *season])
    assert grown.exit_code == 0, grown.output
    told = read_ranker(tmp_path / "ranker.npz").provenance
    assert isinstance(told["season"], dict)
    assert told["season"]["log"] == earlier.name
    assert told["log"] == log.name
