"""A ranker's file: written whole, read back, refused with what to do when it is not what it should be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trendloom.errors import RankerError
from trendloom.relevance.learned import ranker_file
from trendloom.relevance.learned.forest import Forest
from trendloom.relevance.learned.ranker_file import RankerFile, read_ranker, write_ranker
from trendloom.relevance.learned.signals import SIGNALS

FOREST = Forest(
    np.array([3, -1, -1], np.int32),
    np.array([0.5, 0.0, 0.0]),
    np.array([1, 0, 0], np.int32),
    np.array([2, 0, 0], np.int32),
    np.array([0.0, -1.0, 2.0]),
    np.array([0], np.int32),
)


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "made" / "ranker.npz"
    write_ranker(path, RankerFile(FOREST, {"log": "small", "rows": 7}))
    write_ranker(path, RankerFile(FOREST, {"log": "small", "rows": 8}))
    back = read_ranker(path)
    assert back.provenance == {"log": "small", "rows": 8}
    for name in ("signal", "threshold", "left", "right", "value", "root"):
        mine, theirs = getattr(FOREST, name), getattr(back.forest, name)
        assert mine.tolist() == theirs.tolist()
        assert mine.dtype == theirs.dtype
    assert [found.name for found in path.parent.iterdir()] == ["ranker.npz"]


def test_a_missing_file_and_a_damaged_one_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RankerError, match=r"no ranker .*Action: train one"):
        read_ranker(tmp_path / "nothing.npz")
    path = tmp_path / "ranker.npz"
    write_ranker(path, RankerFile(FOREST, {}))
    whole = path.read_bytes()
    for cut in (b"", b"junk", whole[: len(whole) // 2]):
        path.write_bytes(cut)
        with pytest.raises(RankerError, match=r"cannot be read .*Action: train one"):
            read_ranker(path)


def test_trees_that_ask_about_the_season_are_refused_where_no_earlier_year_is_known(tmp_path: Path) -> None:
    path = tmp_path / "ranker.npz"
    asks = np.array([SIGNALS.index("season_type_lift"), -1, -1], np.int32)
    write_ranker(path, RankerFile(replace(FOREST, signal=asks), {}))
    assert read_ranker(path).forest.n_trees == 1
    with pytest.raises(RankerError, match=r"about the season.*Action: set lists\.season_file"):
        read_ranker(path, with_season=False)
    write_ranker(path, RankerFile(FOREST, {}))
    assert read_ranker(path, with_season=False).forest.n_trees == 1


def test_pickles_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "ranker.npz"
    with path.open("wb") as out:
        np.savez(out, told=np.array([{"format": 1}], object))
    with pytest.raises(RankerError, match="cannot be read"):
        read_ranker(path)


@pytest.mark.parametrize(
    "broken",
    [
        {"left": np.array([0, 0, 0], np.int32)},  # a walk that never ends
        {"right": np.array([9, 0, 0], np.int32)},
        {"signal": np.array([500, -1, -1], np.int32)},
        {"value": np.array([0.0, np.nan, 1.0])},
        {"root": np.empty(0, np.int32)},
        {"threshold": np.array([0.0])},
    ],
    ids=str,
)
def test_trees_that_do_not_hang_together_are_refused(tmp_path: Path, broken: dict[str, np.ndarray]) -> None:
    path = tmp_path / "ranker.npz"
    write_ranker(path, RankerFile(replace(FOREST, **broken), {}))
    with pytest.raises(RankerError, match="do not hang together"):
        read_ranker(path)


def test_trees_of_other_signals_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ranker.npz"
    write_ranker(path, RankerFile(FOREST, {}))
    monkeypatch.setattr(ranker_file, "SIGNALS", ("one", "two"))
    with pytest.raises(RankerError, match="other signals"):
        read_ranker(path)
