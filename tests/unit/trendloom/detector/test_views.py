from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trendloom.detector.boxes import Box
from trendloom.detector.views import View, crop_view, make_view, mirror_view

PICTURE = Image.effect_noise((80, 120), 60).convert("RGB")
BAG = Box("bag", 1.0, 10, 20, 40, 60)


def test_mirroring_twice_changes_nothing() -> None:
    view = View(PICTURE, (BAG,))
    again = mirror_view(mirror_view(view))
    assert again.boxes == view.boxes
    assert again.picture.tobytes() == PICTURE.tobytes()


def test_a_window_cuts_boxes_and_forgets_those_it_hardly_shows() -> None:
    view = View(PICTURE, (BAG, Box("top", 1.0, 0, 0, 12, 20), Box("shoes", 1.0, 60, 100, 80, 120)))
    (bag,) = crop_view(view, (15, 10, 75, 100)).boxes
    assert (bag.left, bag.top, bag.right, bag.bottom) == (0, 10, 25, 50)


@given(st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_every_box_of_a_view_lies_in_its_picture(number: int, seed: int) -> None:
    view = make_view(PICTURE, [BAG], number, np.random.default_rng(seed))
    for box in view.boxes:
        assert 0 <= box.left < box.right <= view.picture.width
        assert 0 <= box.top < box.bottom <= view.picture.height
    if number < 2:
        assert view.picture.size == PICTURE.size
