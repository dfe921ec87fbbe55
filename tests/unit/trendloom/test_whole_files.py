"""A file is there whole, or as it was; others may read it as far as the umask says."""

from pathlib import Path

import numpy as np
import pytest

from trendloom.refresh.season_file import SeasonFile, write_season
from trendloom.whole_files import write_whole


def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "file"
    write_whole(place, b"old")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(place, b"new")
    assert place.read_bytes() == b"old"


def test_a_file_of_counts_may_be_read_by_whoever_may_read_other_files(tmp_path: Path) -> None:
    other, counts = tmp_path / "other", tmp_path / "season.safetensors"
    other.write_bytes(b"")
    write_season(counts, SeasonFile(("a",), np.zeros(1, np.int32), np.ones(1, np.int32), np.ones(1, np.float32)))
    assert counts.stat().st_mode == other.stat().st_mode
