from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


Pair = tuple[int, int, int]

_product = np.array([0, 0, 1, 2, -1, 3, 4, 5])
_group = np.array([0, 0, 0, 1, -1, 2, -1, 1])
_calls = st.lists(
    st.tuples(st.booleans(), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 3)), max_size=30)),
    max_size=6,
)


@settings(max_examples=100)
@given(calls=_calls, keep=st.integers(1, 3), room=st.integers(0, 2))
def test_pairs_teach_one_by_one_plain_and_compiled(calls: list[tuple[bool, list[Pair]]], keep: int, room: int) -> None:
    limit = keep + room
    products: dict[int, dict[int, int]] = {}
    groups = np.zeros((3, 3))
    learners = [
        Transitions(product=_product, group=_group, keep=keep, limit=limit, compiled=compiled)
        for compiled in (False, True)
    ]

    def teach(one: int, other: int, weight: int) -> None:
        if max(one, other) >= _product.size:
            return
        if _group[one] >= 0 and _group[other] >= 0:
            groups[_group[one], _group[other]] += weight
        p, q = int(_product[one]), int(_product[other])
        if min(p, q) >= 0 and p != q:
            row = products.setdefault(p, {})
            row[q] = row.get(q, 0) + weight
            if len(row) > limit:
                best = sorted(row, key=lambda column: (-row[column], column))[:keep]
                products[p] = {column: row[column] for column in best}

    for both, pairs in calls:
        for one, other, weight in pairs:
            teach(one, other, weight)
            if both:
                teach(other, one, weight)
        table = np.array(pairs, np.int64).reshape(-1, 3)
        for learned in learners:
            (learned.learn_pairs if both else learned.learn)(table[:, 0], table[:, 1], table[:, 2])
            assert learned.groups.tolist() == groups.tolist()
            assert {row: learned.products.row(row) for row in learned.products.rows().tolist()} == products


@pytest.mark.parametrize("compiled", [False, True])
def test_what_is_rebuilt_equals_what_pairs_taught(compiled: bool) -> None:
    rng = np.random.default_rng(3)
    learned = Transitions(product=_product, group=_group, compiled=compiled)
    co = BoundedCounts(compiled=compiled)
    for _ in range(3):
        one, other = rng.integers(10, size=(2, 50))
        different = one != other
        one, other, weight = one[different], other[different], rng.integers(1, 3, size=int(different.sum()))
        learned.learn_pairs(one, other, weight)
        co.count_pairs(one, other, weight)
    rebuilt = Transitions.rebuilt(co, product=_product, group=_group, compiled=compiled)
    assert rebuilt.groups.sum() > 0
    assert (rebuilt.groups == learned.groups).all()
    assert all(rebuilt.products.row(row) == learned.products.row(row) for row in range(6))


def test_a_pair_that_one_of_its_rows_has_cut_is_rebuilt_in_the_other_direction() -> None:
    co = BoundedCounts(keep=1, limit=1)
    co.count_pairs([0, 0], [2, 3], [5, 1])  # item 0 keeps item 2, item 3 keeps item 0
    rebuilt = Transitions.rebuilt(co, product=_product, group=_group)
    assert rebuilt.products.row(0) == {1: 5}
    assert rebuilt.products.row(2) == {0: 1}
    assert rebuilt.groups.tolist() == [[10.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize("compiled", [False, True])
def test_chances_follow_what_is_learnt(compiled: bool) -> None:
    learned = Transitions(product=_product, group=_group, compiled=compiled)
    assert learned.chances(3).sum() == 0
    learned.learn_pairs([0, 0], [3, 5], [3, 1])
    assert learned.chances(3).tolist() == [[0.0, 0.75, 0.25], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    learned.learn_pairs([0], [5], [2])
    assert learned.chances(3)[0].tolist() == [0.0, 0.5, 0.5]
    assert learned.chances(4).tolist() == np.zeros((4, 4)).tolist()


@pytest.mark.parametrize("compiled", [False, True])
def test_pairs_that_cannot_be(compiled: bool) -> None:
    learned = Transitions(product=_product, group=_group, compiled=compiled)
    with pytest.raises(ValueError, match="numbers from 0 on"):
        learned.learn_pairs([0, -1], [1, 3], [1, 1])
    with pytest.raises(ValueError, match="columns"):
        learned.learn_pairs([0, 1], [1], [1, 1])
    assert learned.groups.sum() == 0
