from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.classifier.splitting import join_groups, split_by_group


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(10, 120))
def test_no_group_is_divided_and_every_photo_has_a_part(seed: int, parts: int, photos: int) -> None:
    rng = np.random.default_rng(seed)
    labels, groups = rng.integers(0, 4, photos), rng.integers(0, 15, photos)
    part = split_by_group(labels, groups, (1 / parts,) * parts, np.random.default_rng(seed))
    assert part.shape == (photos,)
    assert set(part.tolist()) <= set(range(parts))
    for group in np.unique(groups):
        assert len(set(part[groups == group].tolist())) == 1


def test_every_class_is_spread_as_the_shares_ask() -> None:
    rng = np.random.default_rng(4)
    labels = np.repeat([0, 1, 2], [600, 100, 20])
    part = split_by_group(labels, np.arange(720), (0.5, 0.25, 0.25), rng)
    for label, wanted in ((0, [300, 150, 150]), (1, [50, 25, 25]), (2, [10, 5, 5])):
        assert np.abs(np.bincount(part[labels == label], minlength=3) - wanted).max() <= 2


def test_the_seed_decides() -> None:
    labels, groups = np.repeat([0, 1], 50), np.repeat(np.arange(25), 4)
    first, again, other = (
        split_by_group(labels, groups, (0.5, 0.5), np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.5, -0.5), (1.0, 0.0)])
def test_shares_that_are_none_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        split_by_group(np.array([0, 1]), np.array([0, 1]), shares, np.random.default_rng(0))


def test_groups_join_through_third_photos() -> None:
    # a and b share a sender, b and c a picture: all three stay together
    assert join_groups(["anna", "anna", "", ""], ["p", "q", "q", "r"]).tolist() == [0, 0, 0, 3]


def test_unknown_groups_are_groups_of_their_own() -> None:
    assert join_groups(["", "", ""]).tolist() == [0, 1, 2]
