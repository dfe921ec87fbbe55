from pathlib import Path

import numpy as np
import pytest

from evaluation.paper.garments import garments_of_catalogue, garments_of_folder
from tests.unit.evaluation.paper.small_street import CATEGORIES, street
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.errors import CatalogueError


def test_names_tell_category_and_gender_and_views_are_one_garment(tmp_path: Path) -> None:
    garments = street(tmp_path, products=16, views=3)
    assert len(garments) == 16
    assert garments.category_names == CATEGORIES
    assert sorted(np.bincount(garments.items.gender).tolist()) == [0, 8, 8]
    assert [len(garments.items.photos_of(row)) for row in range(16)] == [3] * 16
    assert sorted(np.bincount(garments.store).tolist()) == [8, 8]


def test_the_order_is_that_of_the_names(tmp_path: Path) -> None:
    garments = street(tmp_path, products=10)
    assert garments.items.item_ids == sorted(garments.items.item_ids)
    assert street(tmp_path, products=10).items.item_ids == garments.items.item_ids


def test_a_catalogue_without_pictures_cannot_be_looked_at() -> None:
    with pytest.raises(CatalogueError, match="no pictures"):
        garments_of_catalogue(random_catalogue(5, np.random.default_rng(1)), stores=2, seed=1)


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="Action: "):
        garments_of_folder(tmp_path, stores=2, seed=1)
