from datetime import date

import numpy as np
import numpy.typing as npt
import pytest

from evaluation.paper.customers import Faults, Habits, Purchases, buy
from trendloom.errors import SettingsError


def bought(
    habits: Habits | None = None, *, seed: int = 1, faults: Faults | None = None, garments: int = 100
) -> tuple[npt.NDArray[np.int8], Purchases]:
    gender = np.tile(np.array([1, 2], np.int8), garments // 2)
    return gender, buy(gender, habits or Habits(customers=300), faults or Faults(), np.random.default_rng(seed))


def later(purchases: Purchases) -> npt.NDArray[np.bool_]:
    first = np.unique(purchases.customer, return_index=True)[1]
    chosen = np.ones(purchases.item.size, np.bool_)
    chosen[first] = False
    return chosen


def test_the_same_seed_buys_the_same() -> None:
    _, one = bought()
    _, two = bought()
    _, other = bought(seed=2)
    assert one.item.tolist() == two.item.tolist()
    assert one.item.tolist() != other.item.tolist()


def test_the_first_garment_decides_the_gender_and_nobody_buys_twice() -> None:
    gender, purchases = bought()
    assert (gender[purchases.item] == purchases.gender[purchases.customer]).all()
    pairs = np.stack([purchases.customer, purchases.item])
    assert np.unique(pairs, axis=1).shape == pairs.shape
    assert np.bincount(purchases.customer).max() <= 3
    assert np.bincount(purchases.customer).min() >= 1


def test_the_days_go_forward_and_lie_in_the_year() -> None:
    _, purchases = bought()
    assert (np.diff(purchases.day) >= 0).all()
    assert date(2024, 1, 1) <= purchases.date_of(0) <= purchases.date_of(purchases.day.size - 1) <= date(2024, 12, 31)


def test_every_purchase_adds_one_to_popularity() -> None:
    _, purchases = bought()
    grown = purchases.popularity - purchases.initial_popularity
    assert grown.tolist() == np.bincount(purchases.item, minlength=100).tolist()
    assert 0 <= purchases.initial_popularity.min() <= purchases.initial_popularity.max() <= 100


def test_trendiness_decides_and_with_the_original_threshold_it_decides_nothing() -> None:
    _, right = bought(Habits(customers=2000))
    chosen = later(right)
    trendiness = right.trendiness[right.customer[chosen]]
    assert np.corrcoef(trendiness, right.popular[chosen])[0, 1] > 0.4
    assert right.popular[chosen].mean() == pytest.approx(0.5, abs=0.03)
    _, wrong = bought(Habits(customers=2000), faults=Faults(threshold_of_sum=True))
    assert not wrong.popular.any()  # .15 of the sum is more than any garment has


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_where_nothing_or_everything_is_popular_the_other_set_serves(threshold: float) -> None:
    _, purchases = bought(Habits(customers=50, p_threshold=threshold))
    assert purchases.popular.mean() == threshold


def test_a_customer_who_has_everything_for_their_gender_takes_something_else() -> None:
    gender = np.array([1, 2, 2, 2, 2], np.int8)
    purchases = buy(gender, Habits(customers=40, max_purchases=4), Faults(), np.random.default_rng(0))
    assert purchases.item.size > 40


@pytest.mark.parametrize(
    ("flag", "habits"),
    [
        ("--num_customers", {"customers": 0}),
        ("--max_purchases_per_customer", {"max_purchases": 0}),
        ("--P_max", {"p_max": -1}),
        ("--P_threshold", {"p_threshold": 1.5}),
    ],
)
def test_what_cannot_be_is_refused_by_its_flag(flag: str, habits: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match=rf"{flag} .*Action: "):
        Habits(**habits)


def test_more_purchases_than_garments_are_refused() -> None:
    with pytest.raises(SettingsError, match="too few"):
        buy(np.ones(3, np.int8), Habits(), Faults(), np.random.default_rng(0))
