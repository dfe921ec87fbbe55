from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from trendloom.bounded_counts import BoundedCounts
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.refresh.assortment import features_by_number
from trendloom.refresh.next_basket import next_baskets
from trendloom.relevance.features import ItemDynamics, ItemFeatures
from trendloom.relevance.next_basket import BasketRules, popular_alone, weight_of_days
from trendloom.relevance.query import DAY_MS, Query
from trendloom.relevance.standing import Standing
from trendloom.relevance.transitions import Transitions

ITEMS = 80
#: a shop in which no item is a tenth of all sales
EVERYTHING = dict.fromkeys(range(20, ITEMS), 4)
NOW_MS = 50 * DAY_MS


def shop(sales: dict[int, int], pairs: list[tuple[int, int, int]] | None = None) -> tuple[ItemFeatures, ItemDynamics]:
    """Items that were all sold at the same moment, and pairs (item, item, half-units)."""
    features = features_by_number(random_catalogue(ITEMS, np.random.default_rng(1)), np.arange(ITEMS), ITEMS, {})
    purchases = np.zeros(ITEMS, np.int64)
    purchases[list(sales)] = list(sales.values())
    with np.errstate(divide="ignore"):
        scores = np.log(purchases) + math.log(2.0) / 86_400.0 * NOW_MS / 1000.0
        fast = np.log(purchases) + math.log(2.0) / 3_600.0 * NOW_MS / 1000.0
    co = BoundedCounts()
    if pairs:
        co.count_pairs(*np.array(pairs).T)
    transitions = Transitions(product=features.product, group=features.group)
    return features, ItemDynamics(purchases, np.zeros(ITEMS), scores, fast, 86_400.0, 3_600.0, 0, co, transitions)


def asked(*histories: list[tuple[int, int]]) -> Query:
    """Customers by their purchases, newest first, as (item, days ago)."""
    size = len(histories)
    history, history_ms = np.full((size, 5), -1, np.int32), np.zeros((size, 5), np.int64)
    for row, entries in enumerate(histories):
        for place, (item, days) in enumerate(entries):
            history[row, place], history_ms[row, place] = item, NOW_MS - days * DAY_MS
    nothing = np.zeros(size)
    stores = np.full((size, 5), -1, np.int16)
    return Query(np.full(size, -1, np.int32), history, history_ms, np.full(size, NOW_MS), stores, nothing, nothing)


def lists(query: Query, features: ItemFeatures, dynamics: ItemDynamics, k: int = 4) -> list[list[int]]:
    top = next_baskets(query, features, dynamics, Standing(features, dynamics), k=k)
    assert top.parts.sum(axis=2) == pytest.approx(top.scores)
    found: list[list[int]] = top.items.tolist()
    return found


def test_whoever_is_unknown_gets_what_is_popular() -> None:
    features, dynamics = shop({3: 5, 7: 9, 1: 2})
    assert lists(asked([]), features, dynamics) == [[7, 3, 1, -1]]


def test_equally_popular_items_come_by_number() -> None:
    features, dynamics = shop({8: 5, 2: 5, 5: 5})
    assert lists(asked([]), features, dynamics, k=3) == [[2, 5, 8]]


def test_what_is_bought_alone_comes_before_what_is_always_part_of_a_large_basket() -> None:
    together = [(3, other, 10) for other in (8, 9, 10, 11)]
    features, dynamics = shop({3: 5, 7: 4, 8: 5, 9: 5, 10: 5, 11: 5}, together)
    assert lists(asked([]), features, dynamics, k=2)[0][0] == 7
    standing = Standing(features, dynamics)
    item, worth = popular_alone(dynamics, standing, NOW_MS, BasketRules(lone=0.0))
    assert item.tolist() == [3, 8, 9, 10, 11, 7]
    assert worth == pytest.approx(np.array([5, 5, 5, 5, 5, 4]) / 29)


def test_a_customers_own_items_come_back_after_the_day_they_were_bought_on() -> None:
    features, dynamics = shop({3: 5, 7: 9, 1: 2} | EVERYTHING)
    yesterday, today = lists(asked([(1, 1)], [(1, 0)]), features, dynamics)
    assert yesterday[0] == 1
    assert 1 not in today


def test_what_was_bought_on_several_days_comes_back_before_what_was_bought_once() -> None:
    features, dynamics = shop({3: 5, 7: 9, 1: 2, 2: 2} | EVERYTHING)
    features = replace(features, category_names=("one",), category=np.zeros(ITEMS, np.int16))
    once, twice = lists(asked([(1, 1), (2, 2)], [(1, 1), (2, 2), (2, 3)]), features, dynamics)
    assert once[:2] == [1, 2]
    assert twice[:2] == [2, 1]


def test_what_has_to_fit_comes_back_before_what_does_not() -> None:
    features, dynamics = shop({3: 5, 7: 9, 1: 2, 2: 2} | EVERYTHING)
    category = np.zeros(ITEMS, np.int16)
    category[2] = 1
    trousers = replace(features, category_names=("Vest top", "Trousers"), category=category)
    names_unknown = replace(features, category_names=("one", "other"), category=category)
    history = asked([(2, 1), (1, 1)])
    assert lists(history, trousers, dynamics)[0][:2] == [2, 1]
    assert lists(history, names_unknown, dynamics)[0][:2] == [1, 2]


def test_what_costs_more_comes_back_before_what_costs_less() -> None:
    features, dynamics = shop({3: 5, 7: 9, 1: 2, 2: 2} | EVERYTHING)
    features = replace(features, category_names=("one",), category=np.zeros(ITEMS, np.int16))
    priced, spent = np.zeros(ITEMS, np.int64), np.zeros(ITEMS)
    priced[[1, 2]], spent[[1, 2]] = 2, [10.0, 80.0]
    dear = replace(dynamics, priced=priced, spent=spent)
    history = asked([(2, 2), (1, 1)])
    assert lists(history, features, dynamics)[0][:2] == [1, 2]
    assert lists(history, features, dear)[0][:2] == [2, 1]
    assert dear.price_level(np.array([[1, 2, 3, -1]])) == pytest.approx(np.array([[10 / 45, 80 / 45, 1.0, 1.0]]))
    priced[:], spent[:] = 1, 0.0  # everything is free
    assert dear.price_level(np.array([1, -1])).tolist() == [1.0, 1.0]


def test_what_goes_with_the_history_comes_before_what_is_popular() -> None:
    features, dynamics = shop({3: 5, 7: 9, 1: 20, 6: 2} | EVERYTHING, [(1, 6, 80)])
    assert lists(asked([(1, 1)]), features, dynamics)[0][:2] == [1, 6]


def test_what_may_not_be_listed_is_not() -> None:
    features, dynamics = shop({3: 5, 7: 9, 1: 2})
    eligible = np.ones(ITEMS, np.bool_)
    eligible[7] = False
    top = next_baskets(asked([], [(1, 1)]), features, dynamics, Standing(features, dynamics), k=3, eligible=eligible)
    assert not (top.items == 7).any()


def test_nobody_asks_and_nothing_was_sold() -> None:
    features, dynamics = shop({})
    assert lists(asked(), features, dynamics) == []
    assert lists(asked([]), features, dynamics) == [[-1] * 4]


def test_old_purchases_keep_a_little_weight() -> None:
    days = weight_of_days(np.arange(200), day_decay=0.87, floor=0.1)
    assert days[0] == 1.0
    assert (np.diff(days) < 0).all()
    assert days[-1] == pytest.approx(0.1)
