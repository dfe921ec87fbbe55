import numpy as np
import pytest

from trendloom.catalogue.synthetic import random_catalogue
from trendloom.refresh.assortment import features_by_number

CATALOGUE = random_catalogue(30, np.random.default_rng(4), photo_share=0.7, neighbours=5, lowest=3)
PLACES = {f"store-{number}": (40.0 + number, 10.0 * number) for number in (3, 1, 2, 4)}  # store-5 is not known
#: Numbers are dealt backwards, with holes for items that the catalogue does not know.
NUMBERS = np.arange(len(CATALOGUE))[::-1] * 2 + 1
SIZE = 64


def test_every_feature_follows_its_item() -> None:
    features = features_by_number(CATALOGUE, NUMBERS, SIZE, PLACES)
    assert features.size == SIZE
    for row, number in enumerate(NUMBERS.tolist()):
        assert features.category[number] == CATALOGUE.category[row]
        assert features.gender[number] == CATALOGUE.gender[row]
        assert features.product[number] == CATALOGUE.product[row]
        assert features.view_group[number] == CATALOGUE.view_group[row]
        assert features.group[number] == CATALOGUE.transition_group[row]
        assert features.photo_row[number] == CATALOGUE.photo_row[row]
        assert features.neighbours[number].tolist() == NUMBERS[CATALOGUE.neighbours[row]].tolist()
        assert features.lowest[number].tolist() == NUMBERS[CATALOGUE.lowest[row]].tolist()
        assert features.neighbour_similarity[number].tolist() == CATALOGUE.neighbour_similarity[row].tolist()
        assert features.lowest_similarity[number].tolist() == CATALOGUE.lowest_similarity[row].tolist()
    assert features.table_embeddings is not None
    assert CATALOGUE.table_embeddings is not None
    assert (features.table_embeddings[NUMBERS] == CATALOGUE.table_embeddings).all()


def test_items_that_the_catalogue_does_not_know_are_unknown_in_every_respect() -> None:
    features = features_by_number(CATALOGUE, NUMBERS, SIZE, PLACES)
    strange = np.setdiff1d(np.arange(SIZE), NUMBERS)
    for values in (features.category, features.product, features.view_group, features.group, features.store):
        assert set(values[strange].tolist()) == {-1}
    assert set(features.photo_row[strange].tolist()) == {-1}
    assert set(features.neighbours[strange].ravel().tolist()) == {-1}
    assert set(features.gender[strange].tolist()) == {0}
    assert features.table_embeddings is not None
    assert not features.table_embeddings[strange].any()


def test_a_neighbour_that_is_missing_stays_missing() -> None:
    """-1 must not become the number of the last row."""
    small = random_catalogue(3, np.random.default_rng(4), neighbours=5, lowest=3)
    assert (small.neighbours == -1).any()
    features = features_by_number(small, np.array([0, 1, 2]), 3, PLACES)
    assert ((features.neighbours == -1) == (small.neighbours == -1)).all()


def test_stores_are_found_by_name_whatever_their_order() -> None:
    features = features_by_number(CATALOGUE, NUMBERS, SIZE, PLACES)
    for row, number in enumerate(NUMBERS.tolist()):
        name = CATALOGUE.store_ids[CATALOGUE.store[row]]
        place = int(features.store[number])
        if name not in PLACES:
            assert place == -1
        else:
            found = (float(features.store_latitude_deg[place]), float(features.store_longitude_deg[place]))
            assert found == pytest.approx(PLACES[name])
    assert -1 in features.store[NUMBERS].tolist()
    assert features_by_number(CATALOGUE, NUMBERS, SIZE, {}).store.max() == -1


def test_where_numbers_are_rows_nothing_is_copied() -> None:
    rows = np.arange(len(CATALOGUE))
    features = features_by_number(CATALOGUE, rows, rows.size, PLACES)
    for name in ("neighbours", "neighbour_similarity", "lowest", "lowest_similarity", "photo_row", "category"):
        assert getattr(features, name) is getattr(CATALOGUE, name)
    swapped = features_by_number(CATALOGUE, rows[::-1], rows.size, PLACES)  # as many numbers, but not the rows
    assert (swapped.category == CATALOGUE.category[::-1]).all()
    spare = features_by_number(CATALOGUE, rows, rows.size + 5, PLACES)
    assert (spare.neighbours[: rows.size] == CATALOGUE.neighbours).all()
    assert (spare.neighbours[rows.size :] == -1).all()
