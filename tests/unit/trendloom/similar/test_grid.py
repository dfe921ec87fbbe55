from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.unit.trendloom.similar.shop import square, squares_search
from trendloom.similar.grid import GridRow, draw_grid


@pytest.mark.parametrize("k", [1, 5, 8, 13])
def test_every_match_is_drawn_beside_the_query(k: int) -> None:
    similar = squares_search()
    answer = similar.search(square((250, 5, 5)), k)
    page = draw_grid(similar, [GridRow(Image.new("RGB", (40, 60), (250, 5, 5)), "mine.png", answer)])
    pixels = np.asarray(page).reshape(-1, 3).astype(int)
    assert (pixels == (250, 5, 5)).all(axis=1).sum() > 5000
    for match in answer.matches:
        content = similar.catalogue.thumbnails.get(match.row)
        if content is not None:
            colour = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))[20, 20].astype(int)
            assert (np.abs(pixels - colour).max(axis=1) <= 2).sum() > 5000, match.item_id


def test_rows_lie_below_each_other_and_lack_of_pictures_is_no_fault() -> None:
    similar = squares_search()
    answer = similar.search_item(similar.catalogue.item_ids[-1], 3, label_aware=True)
    one = draw_grid(similar, [GridRow(None, "a-name-that-is-far-too-long-for-a-tile-of-this-width", answer)])
    three = draw_grid(similar, [GridRow(None, "a", answer)] * 3)
    assert one.width == three.width
    assert three.height > 2.5 * one.height
    assert draw_grid(similar, []).size > (0, 0)
