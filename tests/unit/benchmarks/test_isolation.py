from __future__ import annotations

import doctest
import gzip
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import isolation
from benchmarks.isolation import Piece, agreement, cut, gain, read_pieces, same_labels


def test_the_examples_in_the_docstrings_hold() -> None:
    found = doctest.testmod(isolation)
    assert found.attempted > 0
    assert found.failed == 0


def test_small_boxes_rare_labels_and_what_is_no_garment_are_not_searched_for(tmp_path: Path) -> None:
    lines = ["photo,width,height,label_id,label,x0,y0,x1,y1,mask_px"]
    lines += [f"{photo},320,480,42,skirt,10,10,60,90,900" for photo in range(1, 13)]
    lines += [f"{photo},320,480,41,skin,10,10,60,90,900" for photo in range(1, 13)]
    lines += [f"{photo},320,480,2,bag,10,10,40,90,900" for photo in range(1, 13)]  # 30 wide
    lines += ["1,320,480,13,coat,10,10,60,90,900"]
    with gzip.open(tmp_path / "boxes.csv.gz", "wt") as file:
        file.write("\n".join(lines))
    found = read_pieces(tmp_path / "boxes.csv.gz")
    assert {piece.label for piece in found} == {42}
    assert found[0] == Piece("0001", 42, (10, 10, 60, 90))


def test_neighbours_of_the_same_photo_do_not_count() -> None:
    # six photos with both labels each: those of one label are equal
    pieces = [Piece(f"{photo:04d}", label, (0, 0, 9, 9)) for photo in range(6) for label in (1, 2)]
    by_label = np.array([[1.0, 0.0], [0.0, 1.0]] * 6, np.float32)
    assert agreement(same_labels(by_label, pieces), pieces) == {"nearest": 1.0, "at_5": 1.0, "at_5_macro": 1.0}
    # those of one photo are equal, and the photos are nothing to each other: labels are chance
    by_photo = np.eye(6, dtype=np.float32).repeat(2, axis=0)
    assert agreement(same_labels(by_photo, pieces), pieces)["at_5"] < 1.0


def test_a_gain_is_sure_where_every_photo_gains_and_nothing_where_none_does() -> None:
    pieces = [Piece(f"{photo:04d}", 1, (0, 0, 9, 9)) for photo in range(8) for _ in range(photo % 3 + 1)]
    none, every = np.zeros((len(pieces), 5), np.bool_), np.ones((len(pieces), 5), np.bool_)
    assert gain(every, none, pieces) == {"nearest": [1.0, 1.0, 1.0], "at_5": [1.0, 1.0, 1.0]}
    assert gain(every, every, pieces) == {"nearest": [0.0, 0.0, 0.0], "at_5": [0.0, 0.0, 0.0]}
    half = none.copy()
    half[::2] = True
    mean, low, high = gain(half, none, pieces)["at_5"]
    assert low < mean < high


def test_what_is_masked_is_white() -> None:
    mask = np.zeros((40, 40), np.bool_)
    mask[:20] = True
    found = cut(Image.new("RGB", (40, 40), "red"), mask, (10, 10, 30, 30))
    assert found.getpixel((0, 0)) == (255, 0, 0)
    assert found.getpixel((0, 19)) == (255, 255, 255)
    assert cut(Image.new("RGB", (40, 40), "red"), None, (10, 10, 30, 30)).getpixel((0, 19)) == (255, 0, 0)
