from __future__ import annotations

import numpy as np

from trendloom.relevance.category_affinity import FAMILIES, FAMILY_AFFINITY, affinity_table

NAMES = [name for members in FAMILIES.values() for name in members]


def test_there_are_17_categories_in_6_families_and_all_their_pairs() -> None:
    assert len(NAMES) == 17
    letters = "ABCDEF"
    assert "".join(FAMILIES) == letters
    assert set(FAMILY_AFFINITY) == {a + b for a in letters for b in letters if a < b}


def test_the_table_is_symmetric_with_ones_on_its_diagonal() -> None:
    table = affinity_table([*NAMES, "Umbrella"])
    assert (table == table.T).all()
    assert (np.diag(table)[:-1] == 1.0).all()


def test_values_by_hand() -> None:
    table = affinity_table(NAMES)
    place = {name: row for row, name in enumerate(NAMES)}
    assert table[place["Tees_Tanks"], place["Shirts_Polos"]] == 0.8
    assert table[place["Jackets_Coats"], place["Cardigans"]] == 0.4
    assert table[place["Suiting"], place["Dresses"]] == 0.3


def test_an_unknown_category_is_like_nothing_and_a_strange_one_only_like_itself() -> None:
    table = affinity_table(["Umbrella", "Denim"])
    assert table[-1].tolist() == [0.0, 0.0, 0.0]
    assert table[0].tolist() == [1.0, 0.0, 0.0]
