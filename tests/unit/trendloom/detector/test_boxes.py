from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.catalogue.photos import PhotoSource
from trendloom.detector.boxes import is_held_out, overlaps, read_boxes
from trendloom.errors import CatalogueError

PHOTOS = PhotoSource(frozenset({"0001", "0002", "street"}), lambda name: b"")
HEADER = "photo,width,height,label,x0,y0,x1,y1\n"


def written(place: Path, rows: str, header: str = HEADER) -> Path:
    path = place / "boxes.csv"
    path.write_text(header + rows)
    return path


def test_boxes_are_read_by_photo_and_found_by_number(tmp_path: Path) -> None:
    rows = "1,100,200,coat,10,20,30,60\nstreet,100,200,bag,0,0,5,5\n7,100,200,bag,0,0,5,5\n1,100,200,hat,1,1,9,9\n"
    table = read_boxes(written(tmp_path, rows), PHOTOS, groups={"coat": "outer", "bag": "bag"})
    assert list(table.boxes) == ["0001", "street"]  # 7 is not there, hats are in no group
    assert table.labels == ("bag", "outer")
    (box,) = table.in_pixels("0001", 50, 400)  # the photo is half as wide and twice as high as the table says
    assert (box.label, box.left, box.top, box.right, box.bottom) == ("outer", 5, 40, 15, 120)


def test_packed_tables_and_tables_without_sizes_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("photo,label,x0,y0,x1,y1\nstreet,bag,1,2,3,4\n")
    table = read_boxes(path, PHOTOS)
    assert table.in_pixels("street", 30, 30)[0].right == 3


@pytest.mark.parametrize(
    ("rows", "header", "reason"),
    [
        ("1,coat\n", "photo,label\n", "lacks the columns x0, y0, x1, y1"),
        ("1,100,200,coat,a,20,30,60\n", HEADER, "line 2: a corner is no number"),
        ("1,100,200,coat,30,20,30,60\n", HEADER, "line 2: .* is no box"),
        ("1,100,200,coat,nan,20,30,60\n", HEADER, "line 2: .* is no box"),
        ("9,100,200,coat,1,20,30,60\n", HEADER, "holds no box"),
    ],
)
def test_a_table_that_cannot_be_used_says_where(tmp_path: Path, rows: str, header: str, reason: str) -> None:
    with pytest.raises(CatalogueError, match=f"{reason}.*Action: "):
        read_boxes(written(tmp_path, rows, header), PHOTOS)


def test_classes_that_a_detector_does_not_know_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "1,100,200,coat,10,20,30,60\n")
    with pytest.raises(CatalogueError, match="classes coat too"):
        read_boxes(path, PHOTOS, labels=("bag",))
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_boxes(tmp_path / "none.csv", PHOTOS)


def test_a_third_of_the_photos_is_held_out() -> None:
    held_out = [is_held_out(f"{number:04d}") for number in range(3000)]
    assert 900 < sum(held_out) < 1100


corner = st.floats(0, 90)
side = st.floats(1, 50)
boxes = st.tuples(corner, corner, side, side).map(lambda box: [box[0], box[1], box[0] + box[2], box[1] + box[3]])


@given(boxes, boxes)
def test_overlap_is_symmetric_and_one_with_itself(one: list[float], other: list[float]) -> None:
    pair = np.array([one, other])
    shares = overlaps(pair, pair)
    assert np.allclose(np.diag(shares), 1.0)
    assert np.allclose(shares, shares.T)
    assert ((shares >= 0) & (shares <= 1 + 1e-9)).all()
