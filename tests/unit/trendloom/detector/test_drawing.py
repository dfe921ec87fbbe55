from __future__ import annotations

from PIL import Image

from trendloom.detector.boxes import Box
from trendloom.detector.drawing import draw_boxes


def test_the_photo_itself_stays_as_it_is() -> None:
    photo = Image.new("L", (50, 60), 9)
    drawn = draw_boxes(photo, [Box("bag", 0.5, -5, -5, 70, 70), Box("top", 0.4, 1, 1, 1.2, 1)])
    assert (drawn.mode, drawn.size) == ("RGB", (50, 60))
    assert photo.getextrema() == (9, 9)
    assert draw_boxes(photo, []).tobytes() == photo.convert("RGB").tobytes()
