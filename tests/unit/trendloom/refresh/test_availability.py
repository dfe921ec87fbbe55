from pathlib import Path

import pytest

from trendloom.errors import CatalogueError
from trendloom.refresh.availability import EVERYTHING, Availability, read_availability


def test_no_file_denies_nothing(tmp_path: Path) -> None:
    assert read_availability(tmp_path / "nowhere.json") == EVERYTHING
    assert not EVERYTHING.limits


def test_what_a_file_says(tmp_path: Path) -> None:
    path = tmp_path / "stock.json"
    path.write_text('{"never": ["a"]}')
    assert read_availability(path) == Availability(frozenset({"a"}))
    path.write_text('{"only": ["a", "b"], "never": ["b"]}')
    told = read_availability(path)
    assert told.limits
    assert told.denied({"a": 2, "b": 0, "c": 1}, 4).tolist() == [True, True, False, True]
    path.write_text('{"only": []}')
    assert read_availability(path).denied({"a": 0}, 2).all()
    path.write_text("{}")
    assert not read_availability(path).limits


def test_items_that_nobody_knows_yet_and_numbers_beyond_the_room() -> None:
    told = Availability(frozenset({"later", "b"}))
    assert told.denied({"a": 0, "b": 9}, 3).tolist() == [False, False, False]


@pytest.mark.parametrize("text", ["never", "[]", '{"never": "a"}', '{"only": [1]}', '{"hidden": []}'])
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stock.json"
    path.write_text(text)
    with pytest.raises(CatalogueError, match=r"stock\.json.*Action: write"):
        read_availability(path)
