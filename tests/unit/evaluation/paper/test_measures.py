from pathlib import Path

import numpy as np
import pytest

from evaluation.paper.customers import Faults, Habits, buy
from evaluation.paper.lists import features_of
from evaluation.paper.measures import gender_agreement, measure, popularity_mae, scaled_popularity
from tests.unit.evaluation.paper.small_street import STORES, rows_of, seen


def test_measures_by_hand(tmp_path: Path) -> None:
    looks = seen(tmp_path)
    garments = looks.garments
    features = features_of(garments, rows_of(looks), STORES, 3)
    purchases = buy(garments.items.gender, Habits(customers=1, max_purchases=1), Faults(), np.random.default_rng(2))
    bought = int(purchases.item[0])
    category, gender = features.category, features.gender
    same = np.flatnonzero((category == category[bought]) & (np.arange(40) != bought))[:1]
    denim, shorts = garments.category_names.index("Denim"), garments.category_names.index("Shorts")
    family = {denim: shorts, shorts: denim}.get(int(category[bought]))
    assert family is not None, "the seed bought something of a family of one here: choose the other by hand"
    cousin = np.flatnonzero((category == family) & (gender != gender[bought]))[:1]
    lists = np.array([[same[0], cousin[0], -1]])
    found = measure(lists, features, purchases)
    assert found.category_similarity == pytest.approx((1.0 + 0.8) / 2)
    assert found.same_category == 0.5
    agrees = (gender[same[0]] == gender[bought]) / 2
    assert found.gender_agreement == pytest.approx(agrees)
    assert found.gender_known == 2
    popularity = scaled_popularity(purchases.popularity)[lists[0, :2]]
    assert found.popularity_mae == pytest.approx(np.abs(popularity - purchases.trendiness[0]).mean())
    # the original compares the customer with the garment that they bought: right whatever is recommended
    wrong = measure(lists, features, purchases, gender_of_bought=True)
    assert wrong.gender_agreement == 1.0


def test_unknown_genders_do_not_count() -> None:
    assert gender_agreement(np.array([0, 1]), np.array([1, 0])) == (None, 0)


def test_the_error_is_between_zero_and_one() -> None:
    assert popularity_mae([0.0, 1.0], [1.0, 0.0]) == 1.0
    assert popularity_mae([0.3], [0.3]) == 0.0
    assert scaled_popularity(np.array([5, 5])).tolist() == [1.0, 1.0]
