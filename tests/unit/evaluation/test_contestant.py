from __future__ import annotations

import numpy as np
import pytest

from evaluation.contestant import DAY_MS, Customers, Purchases
from evaluation.contestants.choosing import best_of_scores
from evaluation.contestants.popularity import Popularity
from evaluation.contestants.registry import CONTESTANTS, build
from evaluation.ground import bare_ground, make_ground
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.errors import InputError


def test_histories_do_not_depend_on_the_batches() -> None:
    rng = np.random.default_rng(1)
    batch = Purchases.of(rng.integers(4, size=60), rng.integers(30, size=60), np.arange(60) * 1000)
    whole, parts = Customers(length=5), Customers(length=5)
    at_once = whole.after(batch).item
    whole.learn(batch)
    in_parts: list[list[int]] = []
    for start in range(0, 60, 7):
        part = batch.part(slice(start, start + 7))
        in_parts += [[item for item in row if item >= 0] for row in parts.after(part).item.tolist()]
        parts.learn(part)
    assert in_parts == [[item for item in row if item >= 0] for row in at_once.tolist()]
    assert (parts.before(np.arange(5)).item == whole.before(np.arange(5)).item).all()


def test_asking_twice_teaches_nothing() -> None:
    customers = Customers()
    batch = Purchases.of([1], [5], [0])
    customers.after(batch)
    assert (customers.before(np.array([1])).item == -1).all()


def test_what_was_bought_that_day_is_not_listed() -> None:
    ground = bare_ground(5)
    shop = Popularity("popularity", ground)
    first = Purchases.of([1, 2, 3], [4, 4, 2], [0, 1, 2])
    shop.learn(first)
    ground.customers.learn(first)
    assert shop.after(Purchases.of([9], [4], [DAY_MS]), 2).tolist() == [[2, -1]]
    assert shop.after(Purchases.of([1], [0], [DAY_MS]), 2).tolist() == [[4, 2]]
    assert shop.after(Purchases.of([1], [0], [5]), 2).tolist() == [[2, -1]]


def test_old_sales_fade() -> None:
    ground = bare_ground(3)
    shop = build("popularity-6h", ground)
    shop.learn(Purchases.of([1, 2, 3], [0, 0, 2], [0, 0, DAY_MS]))
    assert shop.before(np.array([9]), np.array([DAY_MS]), 2).tolist() == [[2, 0]]


def test_equal_scores_come_in_a_random_order() -> None:
    scores = np.zeros((4000, 5))
    lists = best_of_scores(scores, np.full((4000, 1), -1), 1, np.random.default_rng(1))
    assert np.bincount(lists[:, 0]) / 4000 == pytest.approx(np.full(5, 0.2), abs=0.03)


def test_the_ground_numbers_the_items_of_catalogue_and_log_at_random() -> None:
    catalogue = random_catalogue(30, np.random.default_rng(1))
    ground = make_ground((*catalogue.item_ids[:3], "unheard-of"), catalogue, seed=3)
    assert sorted(ground.item_ids) == sorted([*catalogue.item_ids, "unheard-of"])
    assert list(ground.item_ids[:30]) != list(catalogue.item_ids)
    for number, item_id in enumerate(ground.item_ids):
        expected = -1 if item_id == "unheard-of" else catalogue.category[catalogue.row_of[item_id]]
        assert ground.features.category[number] == expected


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="popularity"):
        build("nobody", bare_ground(2))
    assert "popularity" in CONTESTANTS
