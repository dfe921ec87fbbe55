from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from trendloom.catalogue.contact_sheet import draw_contact_sheet


def thumbnail(colour: tuple[int, int, int]) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (60, 90), colour).save(sink, "WEBP", lossless=True)
    return sink.getvalue()


@pytest.mark.parametrize(("count", "size"), [(1, (104, 104)), (5, (504, 104)), (13, (1204, 204)), (500, (1204, 804))])
def test_it_is_as_large_as_what_it_shows_and_never_larger(count: int, size: tuple[int, int]) -> None:
    sheet = draw_contact_sheet([thumbnail((9, 9, 9))] * count, np.zeros(count, np.int16))
    assert sheet is not None
    assert Image.open(io.BytesIO(sheet)).size == size


def test_garments_of_a_kind_stand_together() -> None:
    red, blue = thumbnail((255, 0, 0)), thumbnail((0, 0, 255))
    sheet = draw_contact_sheet([red, None, blue, red], np.array([1, 0, 0, 1], np.int16))
    assert sheet is not None
    shown = Image.open(io.BytesIO(sheet)).convert("RGB")
    brightest = [int(np.argmax(shown.getpixel((52 + 100 * place, 52)))) for place in range(3)]  # type: ignore[arg-type]
    assert brightest == [2, 0, 0]
