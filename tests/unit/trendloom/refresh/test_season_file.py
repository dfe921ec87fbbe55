from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from trendloom.errors import SeasonError
from trendloom.logs.read import read_log
from trendloom.refresh.season_file import SeasonFile, read_season, season_of_log, write_season
from trendloom.relevance.season import WEEK_MS

LOG = """customer_id,item_id,occurred_at
ann,hat,2019-12-02
ann,hat,2019-12-02
bob,hat,2019-12-03
bob,tee,2020-06-01
"""


@pytest.fixture
def season(tmp_path: Path) -> SeasonFile:
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    return season_of_log(read_log(path))


def test_a_log_is_counted_by_week_and_a_repeated_piece_once(season: SeasonFile) -> None:
    told = {
        (season.item_ids[item], int(week)): float(count)
        for item, week, count in zip(season.item.tolist(), season.week, season.count, strict=True)
    }
    assert sorted((item, count) for (item, _), count in told.items()) == [("hat", 2.0), ("tee", 1.0)]
    assert season.provenance["purchases"] == 3


def test_what_is_written_is_read(season: SeasonFile, tmp_path: Path) -> None:
    write_season(tmp_path / "a" / "season.safetensors", season)
    read = read_season(tmp_path / "a" / "season.safetensors")
    assert read.item_ids == season.item_ids
    assert read.provenance == season.provenance
    number_of = {"tee": 0, "hat": 3}
    december = (int(season.week.min()) + 52) * WEEK_MS
    for one in (season, read):
        assert one.by_number(number_of, 5).same_weeks(december, spread_weeks=0).tolist() == [0, 0, 0, 2, 0]
        assert one.by_number(number_of, 2).same_weeks(december, spread_weeks=0).tolist() == [0, 0]  # no room for hats


@pytest.mark.parametrize("fault", ["missing", "stranger", "broken", "item", "count"])
def test_what_is_no_season_file_is_refused(fault: str, season: SeasonFile, tmp_path: Path) -> None:
    path = tmp_path / "season.safetensors"
    if fault == "stranger":
        save_file({"item": np.zeros(1)}, path)
    elif fault == "broken":
        path.write_bytes(b"no tensors")
    elif fault == "item":
        write_season(path, SeasonFile(("a",), season.item + 7, season.week, season.count))
    elif fault == "count":
        write_season(path, SeasonFile(season.item_ids, season.item, season.week, -season.count))
    with pytest.raises(SeasonError, match="Action:"):
        read_season(path)
