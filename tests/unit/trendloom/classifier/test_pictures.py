from __future__ import annotations

import numpy as np
from PIL import Image

from trendloom.classifier.pictures import MOST_CELLS, confusion_picture, photo_grid


def test_darker_cells_are_greater_shares() -> None:
    picture = confusion_picture(np.array([[0, 10], [0, 0]]), ("a", "b"))
    pixels = np.asarray(picture).astype(int)
    # one cell is filled with the shade: the whole row went there
    assert (np.abs(pixels - (29, 78, 137)).sum(axis=2) == 0).sum() > 500


def test_a_class_without_photos_is_drawn_too() -> None:
    assert confusion_picture(np.zeros((3, 3), int), ("a", "a very long name", "c")).width > 120


def test_every_photo_is_shown_also_those_of_an_unfinished_row() -> None:
    """Eight photos are eight photos, not the greatest square below."""
    red = Image.new("RGB", (20, 20), (255, 0, 0))
    picture = np.asarray(photo_grid([("red", [(red, "")] * 8)], columns=3, side_px=20)).astype(int)
    assert (np.abs(picture - (255, 0, 0)).sum(axis=2) == 0).sum() == 8 * 400


def test_a_grid_has_a_bound() -> None:
    dot = Image.new("RGB", (4, 4), (255, 0, 0))
    picture = np.asarray(photo_grid([("a", [(dot, "")] * 300), ("b", [(dot, "")] * 300)], side_px=4)).astype(int)
    assert (np.abs(picture - (255, 0, 0)).sum(axis=2) == 0).sum() == MOST_CELLS * 16


def test_nothing_to_show_is_an_empty_picture() -> None:
    assert photo_grid([]).height > 0
