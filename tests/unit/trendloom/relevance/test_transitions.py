from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts
from trendloom.relevance.transitions import Transitions

PRODUCT = np.array([0, 0, 1, 2, -1])
GROUP = np.array([0, 0, 0, 1, -1])
Ints = npt.NDArray[np.int64]


def pairs(seed: int, n_items: int = 5, size: int = 30) -> tuple[Ints, Ints, Ints]:
    rng = np.random.default_rng(seed)
    key = np.unique(rng.integers(n_items * n_items, size=size))
    key = key[key // n_items < key % n_items]
    weight = rng.integers(1, 4, size=key.size)
    one, other = key // n_items, key % n_items
    return np.concatenate([one, other]), np.concatenate([other, one]), np.concatenate([weight, weight])


def test_counts_equal_a_plain_count() -> None:
    learned = Transitions(product=PRODUCT, group=GROUP)
    products: Counter[tuple[int, int]] = Counter()
    groups = np.zeros((2, 2))
    for seed in range(5):
        batch = pairs(seed)
        learned.learn(*batch)
        for one, other, weight in zip(*(column.tolist() for column in batch), strict=True):
            p, q, g, h = PRODUCT[one], PRODUCT[other], GROUP[one], GROUP[other]
            if p >= 0 and q >= 0 and p != q:
                products[int(p), int(q)] += weight
            if g >= 0 and h >= 0:
                groups[g, h] += weight
    assert {(p, q): count for p in range(3) for q, count in learned.products.row(p).items()} == dict(products)
    assert (learned.groups == groups).all()


def test_what_is_rebuilt_equals_what_was_learnt() -> None:
    learned, co = Transitions(product=PRODUCT, group=GROUP), BoundedCounts()
    for seed in range(5):
        learned.learn(*pairs(seed))
        co.add(*pairs(seed))
    rebuilt = Transitions.rebuilt(co, product=PRODUCT, group=GROUP)
    assert (rebuilt.groups == learned.groups).all()
    assert all(rebuilt.products.row(row) == learned.products.row(row) for row in range(3))


def test_items_beyond_the_catalogue_teach_nothing() -> None:
    learned = Transitions(product=PRODUCT, group=GROUP)
    learned.learn(np.array([0, 9]), np.array([9, 0]), np.array([2, 2]))
    learned.learn(np.array([0, 4]), np.array([4, 0]), np.array([2, 2]))
    assert learned.groups.sum() == 0
    assert learned.products.row(0) == {}
    empty = Transitions.empty()
    empty.learn(np.array([0, 1]), np.array([1, 0]), np.array([2, 2]))
    assert empty.groups.size == 0
