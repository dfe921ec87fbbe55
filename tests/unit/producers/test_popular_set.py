import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.popular_set import PopularSet


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=12),
    st.lists(st.integers(0, 11), max_size=60),
    st.sampled_from([0.0, 0.15, 0.5, 1.0]),
)
def test_after_any_purchases_nothing_outside_is_more_popular_than_anything_inside(
    popularity: list[int], bought: list[int], share: float
) -> None:
    n = len(popularity)
    group = PopularSet(range(n), popularity, share=share)
    now = list(popularity)
    for row in bought:
        group.bought(row)
        if row < n:
            now[row] += 1
        inside = [now[item] for item in range(n) if group.is_popular(item)]
        outside = [now[item] for item in range(n) if not group.is_popular(item)]
        assert len(inside) == group.size
        assert not inside or not outside or min(inside) >= max(outside)
        assert [now[item] for item in group.order] == sorted(now, reverse=True)
        assert sorted(group.order) == list(range(n))


@pytest.mark.parametrize(("share", "size"), [(0.0, 0), (0.15, 3), (0.16, 4), (1.0, 20)])
def test_its_size_is_the_share_rounded_up(share: float, size: int) -> None:
    assert PopularSet(range(20), [0] * 20, share=share).size == size


def test_items_outside_the_group_change_nothing() -> None:
    group = PopularSet([3, 5], [0, 0, 0, 2, 0, 1], share=0.5)
    group.bought(0)
    assert group.order == [3, 5]
    assert (3 in group, 0 in group, len(group)) == (True, False, 2)
