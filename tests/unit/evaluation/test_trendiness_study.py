import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.trendiness.estimators import ESTIMATORS
from evaluation.trendiness_study import HALF_LIVES_DAYS, STANDING, main


def test_a_log_becomes_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    lines = ["t_dat,customer_id,article_id,price,sales_channel_id"]
    for _ in range(1500):
        day = np.datetime64("2020-01-01") + int(rng.integers(100))
        lines.append(f"{day},c{rng.integers(40)},{int(30 * rng.random() ** 2):010d},1,1")
    path = tmp_path / "log.csv"
    path.write_text("\n".join(lines) + "\n")
    assert (
        main(
            [str(path), "--warm-up-days", "20", "--resamples", "50", "--to", "2020-03-31", "--out", str(tmp_path / "o")]
        )
        == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "o").read_text()) == report
    assert str(tmp_path) not in json.dumps(report)
    told = report["logs"]["log.csv"]
    assert 1300 < told["purchases"] < 1400
    assert len(told["popularity"]) == len(HALF_LIVES_DAYS)
    for half_life in told["popularity"].values():
        assert sorted(half_life["estimators"]) == sorted(ESTIMATORS)
        assert half_life["best_before"] in ESTIMATORS
        assert half_life["estimators"][STANDING]["r_low"] <= half_life["estimators"][STANDING]["r_high"]
        assert half_life["read_from"] == "2020-02-25"
