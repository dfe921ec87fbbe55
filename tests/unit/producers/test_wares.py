import numpy as np
import pytest

from producers.wares import KIDS, MEN, UNISEX, UNKNOWN, WOMEN, Wares
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.errors import CatalogueError


def test_a_catalogues_wares_are_its_rows() -> None:
    catalogue = random_catalogue(60, np.random.default_rng(5), photo_share=0.5)
    wares = Wares.of(catalogue)
    assert len(wares) == 60
    assert wares.row(catalogue.item_ids[7]) == 7
    assert wares.category[7] == catalogue.category[7]
    assert wares.neighbours[7] == [row for row in catalogue.neighbours[7].tolist() if row >= 0]
    assert all(0 <= row < 60 for rows in wares.neighbours for row in rows)


def test_everybody_finds_what_is_made_for_them() -> None:
    genders = [UNKNOWN, WOMEN, MEN, UNISEX, KIDS]
    wares = Wares(list("uwmxk"), [0] * 5, ["Tees"], genders, [-1] * 5, [], [[]] * 5)
    assert [wares.item_ids[row] for row in wares.for_shoppers(WOMEN, kids=False)] == ["u", "w", "x"]
    assert [wares.item_ids[row] for row in wares.for_shoppers(MEN, kids=True)] == ["u", "m", "x", "k"]


def test_unknown_items_and_empty_shops_are_refused() -> None:
    with pytest.raises(CatalogueError, match=r"Action: "):
        Wares(["a"], [0], ["Tees"], [0], [-1], [], [[]]).row("b")
    with pytest.raises(CatalogueError, match=r"Action: "):
        Wares([], [], [], [], [], [], [])
