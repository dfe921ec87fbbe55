from __future__ import annotations

import pytest
from PIL import Image

from trendloom.catalogue.photo_colour import colour_name


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
