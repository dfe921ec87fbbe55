from __future__ import annotations

import pyarrow as pa
import pytest

from trendloom.catalogue.texts import Texts

COLUMN = ["a", None, "", "ö", "e"]
PLAIN = ["a", "", "", "ö", "e"]


def texts() -> Texts:
    return Texts(pa.chunked_array([COLUMN[:2], COLUMN[2:]]))


def test_a_column_reads_like_a_list() -> None:
    column = texts()
    assert list(column) == PLAIN
    assert [column[place] for place in range(-5, 5)] == PLAIN + PLAIN
    assert column[1:4] == PLAIN[1:4]
    assert column[::-2] == PLAIN[::-2]
    assert (len(column), column.index("ö"), "x" in column) == (5, 3, False)


def test_a_place_that_does_not_exist() -> None:
    with pytest.raises(IndexError):
        texts()[5]


def test_equal_is_what_holds_the_same_texts() -> None:
    assert texts() == PLAIN
    assert texts() == texts()
    assert texts() != PLAIN[:4]
    assert texts() != ["a", "", "", "o", "e"]
    assert Texts(pa.chunked_array([["a"]])) != "a"
