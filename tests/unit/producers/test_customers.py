import numpy as np
import pytest

from producers.customers import HOME_LATITUDE_DEG, HOME_LONGITUDE_DEG, REACH_KM, draw_customers
from producers.wares import KIDS, MEN, UNISEX, WOMEN, Wares


def wares(genders: list[int]) -> Wares:
    n = len(genders)
    return Wares(
        [f"i{row}" for row in range(n)], [row % 4 for row in range(n)], list("abcd"), genders, [0] * n, ["s"], [[]] * n
    )


def test_each_customer_has_a_home_of_their_own_inside_the_box() -> None:
    drawn = draw_customers(300, wares([WOMEN] * 8), {"s": (0.0, 0.0)}, np.random.default_rng(1))
    assert len(set(zip(drawn.latitude_deg, drawn.longitude_deg, strict=True))) == 300
    assert max(map(abs, drawn.latitude_deg)) <= HOME_LATITUDE_DEG
    assert HOME_LATITUDE_DEG < max(map(abs, drawn.longitude_deg)) <= HOME_LONGITUDE_DEG
    assert len(set(drawn.ids)) == 300


def test_genders_follow_what_is_for_sale() -> None:
    rng = np.random.default_rng(1)
    assert set(draw_customers(50, wares([MEN] * 4), {}, rng).gender) == {MEN}
    mixed = draw_customers(4000, wares([WOMEN, WOMEN, WOMEN, MEN]), {}, rng).gender
    assert mixed.count(WOMEN) / 4000 == pytest.approx(0.75, abs=0.03)
    assert set(draw_customers(50, wares([UNISEX] * 4), {}, rng).gender) == {WOMEN, MEN}


def test_kids_things_are_bought_only_where_there_are_any() -> None:
    rng = np.random.default_rng(1)
    assert not any(draw_customers(200, wares([WOMEN]), {}, rng).shops_for_kids)
    assert any(draw_customers(200, wares([WOMEN, KIDS]), {}, rng).shops_for_kids)


def test_a_store_is_nearer_the_less_far_it_is_and_unknown_places_are_neutral() -> None:
    drawn = draw_customers(100, wares([WOMEN]), {"s": (0.0, 0.0)}, np.random.default_rng(1))
    far = np.hypot(drawn.latitude_deg, drawn.longitude_deg) * 111.19
    assert [near[0] for near in drawn.nearness] == pytest.approx(np.exp(-far / REACH_KM), rel=1e-3)
    nowhere = draw_customers(3, wares([WOMEN]), {}, np.random.default_rng(1))
    assert nowhere.nearness == [[1.0]] * 3


def test_the_seed_decides_everything() -> None:
    first, second = (draw_customers(9, wares([WOMEN, MEN]), {}, np.random.default_rng(4)) for _ in range(2))
    assert first.trendiness == second.trendiness
    assert first.favourites == second.favourites
    assert first.trendiness != draw_customers(9, wares([WOMEN, MEN]), {}, np.random.default_rng(5)).trendiness
