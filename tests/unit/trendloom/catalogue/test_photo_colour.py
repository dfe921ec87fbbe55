from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from trendloom.catalogue.photo_colour import HISTOGRAM_BINS, colour_histogram, colour_name


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((20, 20, 22), "Black"),
        ((30, 36, 70), "Navy"),
        ((200, 30, 40), "Red"),
        ((40, 130, 70), "Green"),
        ((230, 160, 180), "Pink"),
        ((100, 68, 46), "Brown"),
    ],
)
@pytest.mark.parametrize("ground", ["white", (150, 150, 152)])
def test_the_garment_names_the_colour_not_the_ground(
    rgb: tuple[int, int, int], name: str, ground: str | tuple[int, int, int]
) -> None:
    picture = Image.new("RGB", (200, 260), ground)
    picture.paste(rgb, (50, 40, 150, 220))
    assert colour_name(picture) == name


def test_a_white_shirt_on_a_white_sheet_is_white() -> None:
    picture = Image.new("RGB", (200, 200), (244, 244, 244))
    picture.paste((236, 236, 236), (50, 40, 150, 160))
    assert colour_name(picture) == "White"


def test_a_histogram_is_of_the_garment_not_of_the_ground() -> None:
    on_white, on_grey = (Image.new("RGB", (120, 160), ground) for ground in ("white", (150, 150, 152)))
    for picture in (on_white, on_grey):
        picture.paste((188, 34, 42), (30, 20, 90, 140))
        picture.paste((255, 255, 255), (50, 60, 70, 80))  # a white print: no straight line reaches it from the border
    first, second = colour_histogram(on_white), colour_histogram(on_grey)
    assert first.shape == (HISTOGRAM_BINS,)
    assert first @ second > 0.99
    assert first @ colour_histogram(Image.new("RGB", (60, 60), "white")) > 0.1  # the print counts


def test_a_mask_says_what_the_garment_is() -> None:
    picture = Image.new("RGB", (90, 120), (30, 36, 70))
    picture.paste((230, 160, 180), (0, 60, 90, 120))
    lower = np.zeros((120, 90), bool)
    lower[60:] = True
    pink, navy = (colour_histogram(Image.new("RGB", (40, 40), rgb)) for rgb in ((230, 160, 180), (30, 36, 70)))
    assert colour_histogram(picture, lower) @ pink > 0.99
    assert colour_histogram(picture, ~lower) @ navy > 0.99


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 130), st.integers(1, 130), st.just(3))),
    st.sampled_from([None, True, False]),
)
def test_any_picture_has_a_histogram_of_length_one(pixels: npt.NDArray[np.uint8], masked: bool | None) -> None:
    mask = None if masked is None else np.full(pixels.shape[:2], masked)
    histogram = colour_histogram(Image.fromarray(pixels), mask)
    assert histogram.dtype == np.float32
    assert (histogram >= 0).all()
    assert np.linalg.norm(histogram) == pytest.approx(1.0, abs=1e-5)


@given(st.tuples(*[st.integers(2, 253)] * 3))
def test_colours_that_look_alike_have_histograms_that_are_alike(rgb: tuple[int, int, int]) -> None:
    """Shared bins: a step of one or two in sRGB moves L* by less than a tenth of a bin and hues by less than a quarter,
    so at least 0.9 * 0.75 * 0.75 of the pixels' weight stays, and the dot product is at least its root.
    """
    near = (rgb[0] + 1, rgb[1] - 1, rgb[2] + 2)
    first, second = (colour_histogram(Image.new("RGB", (8, 8), colour)) for colour in (rgb, near))
    assert first @ second > 0.7
