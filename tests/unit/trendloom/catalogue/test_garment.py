from __future__ import annotations

import numpy as np
import pytest

from trendloom.catalogue.synthetic import random_catalogue
from trendloom.errors import CatalogueError


def test_similarity_is_by_photo_where_both_have_one_else_by_table() -> None:
    catalogue = random_catalogue(60, np.random.default_rng(4), photo_share=0.6)
    assert catalogue.table_embeddings is not None
    every = np.arange(60)
    found = catalogue.similarity(every[:, None], every[None, :])
    assert found.shape == (60, 60)
    kinds = set()
    for a in range(60):
        for b in range(60):
            by_photo = catalogue.photo_row[a] >= 0 and catalogue.photo_row[b] >= 0
            kinds.add(by_photo)
            if by_photo:
                x, y = (catalogue.photo_embeddings[catalogue.photo_row[row]] for row in (a, b))
            else:
                x, y = (catalogue.table_embeddings[row] for row in (a, b))
            assert found[a, b] == pytest.approx(float(x.astype(float) @ y.astype(float)), abs=1e-5)
    assert kinds == {True, False}


def test_similarity_agrees_with_the_kept_neighbours() -> None:
    catalogue = random_catalogue(60, np.random.default_rng(5), photo_share=0.5)
    rows = np.arange(60)[:, None]
    for ids, kept in (
        (catalogue.neighbours, catalogue.neighbour_similarity),
        (catalogue.lowest, catalogue.lowest_similarity),
    ):
        # an item without a photo compares with all by table, and so does similarity
        assert catalogue.similarity(rows, ids)[ids >= 0] == pytest.approx(kept[ids >= 0], abs=1e-4)


def test_shapes_are_those_of_numpy() -> None:
    catalogue = random_catalogue(10, np.random.default_rng(1))
    assert catalogue.similarity(1, 2).shape == ()
    assert catalogue.similarity([1, 2], [[1], [2], [3]]).shape == (3, 2)
    assert catalogue.similarity([], []).shape == (0,)


def test_an_unknown_item_is_named() -> None:
    catalogue = random_catalogue(10, np.random.default_rng(1))
    assert catalogue.row(catalogue.item_ids[7]) == 7
    with pytest.raises(CatalogueError, match="no item 'hat'.*Action: "):
        catalogue.row("hat")
