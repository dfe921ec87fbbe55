from __future__ import annotations

import numpy as np
import pytest

from trendloom.catalogue.synthetic import random_catalogue


@pytest.mark.parametrize("photo_share", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("size", [1, 2, 41])
def test_arrays_fit_each_other(size: int, photo_share: float) -> None:
    catalogue = random_catalogue(size, np.random.default_rng(size), photo_share=photo_share)
    assert len(catalogue) == len(catalogue.row_of) == size
    for rows in (catalogue.neighbours, catalogue.lowest):
        assert len(rows) == size
        assert rows.min() >= -1
        assert rows.max() < size
        assert not (rows == np.arange(size)[:, None]).any()
    photographed = catalogue.photo_row[catalogue.photo_row >= 0]
    assert photographed.tolist() == list(range(len(catalogue.photo_embeddings)))
    assert (catalogue.table_embeddings is None) == (len(photographed) == size)
    assert (catalogue.neighbour_source == (catalogue.photo_row < 0)).all()


def test_the_same_seed_makes_the_same_catalogue() -> None:
    one, same, other = (random_catalogue(30, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert one.photo_embeddings.tobytes() == same.photo_embeddings.tobytes() != other.photo_embeddings.tobytes()
    assert one.titles == same.titles


def test_items_of_a_category_lie_near_each_other() -> None:
    catalogue = random_catalogue(300, np.random.default_rng(0))
    agree = catalogue.category[catalogue.neighbours[:, :5]] == catalogue.category[:, None]
    assert agree.mean() > 0.6  # five categories: chance is a fifth
