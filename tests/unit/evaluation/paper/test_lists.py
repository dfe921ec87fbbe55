from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from evaluation.paper.customers import Faults, Habits, buy
from evaluation.paper.lists import Shop, features_of, lists_for, preset_with, random_lists
from tests.unit.evaluation.paper.small_street import STORES, rows_of, seen


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    looks = seen(tmp_path)
    purchases = buy(looks.garments.items.gender, Habits(customers=60), Faults(), np.random.default_rng(7))
    return Shop(features_of(looks.garments, rows_of(looks), STORES, 3), purchases)


def scaled(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low)


@pytest.mark.parametrize("exponent", [4.0, 3.0, 0.5])
def test_the_score_is_the_papers_formula_over_all_that_was_not_bought(shop: Shop, exponent: float) -> None:
    top = lists_for(shop, preset_with({"visual": 0.4, "popularity_fit": 0.2}, exponent), 5)
    rows = shop.features.photo_embeddings.astype(np.float64)
    purchases = shop.purchases
    for purchase in range(purchases.item.size):
        buyer = purchases.customer[purchase]
        open_to = np.setdiff1d(np.arange(40), purchases.item[purchases.customer == buyer])
        cosine = scaled(rows[open_to] @ rows[purchases.item[purchase]])
        popularity = scaled(purchases.popularity[open_to].astype(np.float64))
        relevance = 0.4 * cosine + 0.2 * (1 - np.abs(popularity - purchases.trendiness[buyer]) ** exponent)
        best = np.sort(relevance)[::-1][:5]
        assert top.scores[purchase] == pytest.approx(best, abs=2e-3)
        assert np.isin(top.items[purchase], open_to).all()
        assert top.parts[purchase].sum(axis=-1) == pytest.approx(top.scores[purchase])
        assert top.scores[purchase].max() <= 0.6 + 1e-9


def test_one_list_for_each_purchase_whatever_is_made_together(shop: Shop) -> None:
    top = lists_for(shop, preset_with({"visual": 1.0}, 4.0), 3)
    assert top.items.shape == (shop.purchases.item.size, 3)
    assert shop.purchases.item.size > 64  # more than are made at once


def test_lists_by_chance_hold_no_garment_twice_and_none_that_was_bought(shop: Shop) -> None:
    lists = random_lists(shop, 39, np.random.default_rng(1))
    for purchase, items in enumerate(lists):
        listed = items[items >= 0]
        own = shop.purchases.item[shop.purchases.customer == shop.purchases.customer[purchase]]
        assert np.unique(listed).size == listed.size == 40 - np.unique(own).size
        assert not np.isin(listed, own).any()
