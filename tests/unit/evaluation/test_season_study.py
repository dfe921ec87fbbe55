import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.season_study import WEIGHTS, day_shares, main
from trendloom.logs.event_time import DAY_MS, parse_moment
from trendloom.logs.read import read_log


@pytest.fixture
def seasonal(tmp_path: Path) -> Path:
    """Two years in which other items sell in each quarter, and nothing else repeats."""
    rng = np.random.default_rng(3)
    lines = ["t_dat,customer_id,article_id,price,sales_channel_id"]
    for day in range(730):
        quarter = day % 365 // 92
        for _ in range(6):
            item = 100 * quarter + int(rng.integers(10))
            lines.append(f"{np.datetime64('2018-01-01') + day},c{rng.integers(500)},{item:010d},1,1")
    path = tmp_path / "log.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_where_there_are_seasons_they_beat_what_was_popular_all_year(seasonal: Path) -> None:
    log = read_log(seasonal, "hm")
    from_day = parse_moment("2019-01-10") // DAY_MS
    days, sizes, held = day_shares(log, half_life_days=3_650.0, from_day=from_day, k=10)
    assert days.min() == from_day
    share = held.sum(axis=0) / sizes.sum()
    assert share[WEIGHTS.index(2.0)] > share[0] + 0.05


def test_a_log_becomes_a_report(seasonal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(seasonal), "--columns", "hm", "--from", "2019-01-10", "--split", "2019-06-01"]
    assert main([*arguments, "--half-life-days", "3650", "--out", str(tmp_path / "out.json")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "out.json").read_text()) == report
    assert str(tmp_path) not in json.dumps(report)
    told = report["half_lives_days"]["3650"]["10 items"]
    assert told["chosen_weight"] > 0
    low, high = told["gain_interval"]
    assert 0 < low < high
    assert told["purchases_to_choose_by"] + told["purchases_read"] > 2000
