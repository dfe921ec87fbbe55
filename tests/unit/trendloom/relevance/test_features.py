from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trendloom.relevance.features import GENDERS, Lists


@given(st.lists(st.integers(-1, 4), max_size=30), st.lists(st.integers(-1, 7), max_size=10), st.integers(0, 5))
def test_lists_expand_like_dictionaries(codes: list[int], asked: list[int], limit: int) -> None:
    members: dict[int, list[int]] = {}
    for item, code in enumerate(codes):
        members.setdefault(code, []).append(item)
    lists = Lists.by_code(np.array(codes, np.int64), np.arange(len(codes)), n_lists=5)
    place, listed = lists.expand(np.array(asked, np.int64), limit)
    expected = [
        (row, member) for row, code in enumerate(asked) if code >= 0 for member in members.get(code, [])[:limit]
    ]
    assert list(zip(place.tolist(), listed.tolist(), strict=True)) == expected


def test_genders_are_the_catalogues() -> None:
    from trendloom.catalogue.garment import GENDERS as OF_THE_CATALOGUE

    assert GENDERS == OF_THE_CATALOGUE
