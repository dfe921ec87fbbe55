from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trendloom.catalogue.stores import deal_to_stores


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.integers(1, 6), st.integers(0, 9))
def test_every_store_gets_an_equal_part_of_every_category(codes: list[int], stores: int, seed: int) -> None:
    category = np.array(codes, np.int16)
    store = deal_to_stores(category, stores, seed)
    for members in [store[category == code] for code in set(codes)] + [store]:
        parts = np.bincount(members, minlength=stores)
        assert len(parts) == stores
        assert parts.max() - parts.min() <= 1


def test_the_seed_decides_who_gets_what() -> None:
    category = np.zeros(200, np.int16)
    assert (deal_to_stores(category, 5, 1) == deal_to_stores(category, 5, 1)).all()
    assert (deal_to_stores(category, 5, 1) != deal_to_stores(category, 5, 2)).any()
