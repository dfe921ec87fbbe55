"""The keys' layout is a promise: one slot for the items, one for each shard of customers."""

import numpy as np
import pytest
from redis.crc import key_slot

from trendloom.state.store import ItemRows, Keys, Partition, Population

KEYS = Keys("tl", 64)


def test_everything_of_the_items_lies_in_one_slot() -> None:
    place = Partition("purchases", 3)
    keys = [KEYS.meta, KEYS.fences, KEYS.initial, KEYS.numbers, KEYS.ids, KEYS.changes, KEYS.ended]
    keys += [KEYS.journal(place), KEYS.pending(place), KEYS.folded, KEYS.folder, KEYS.rows(0), KEYS.rows(17)]
    assert len({key_slot(key.encode()) for key in keys}) == 1
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", ["ann", "{items}", "a}b{c", "}{", "ünal", ":shard", "/shard"])
def test_a_customer_lies_in_the_slot_of_its_shard_whatever_it_is_called(name: str) -> None:
    shard = KEYS.shard(KEYS.shard_of(name))
    assert key_slot(KEYS.customer(name).encode()) == key_slot(shard.encode())
    assert KEYS.customer(name) != shard


def test_customers_spread_over_all_shards() -> None:
    shards = [KEYS.shard_of(f"customer-{number}") for number in range(6_400)]
    sizes = [shards.count(shard) for shard in range(64)]
    assert min(sizes) > 50
    assert max(sizes) < 160


def test_the_mean_percentile_of_nobody_is_one_half() -> None:
    assert Population(0, 0.0).mean_percentile == 0.5
    assert Population(4, 3.0).mean_percentile == 0.75


def test_rows_of_some_items_in_any_order_and_of_items_that_are_not_there() -> None:
    lengths, columns, units = np.array([2, 0, 3]), np.array([5, 9, 2, 5, 7]), np.array([1, 2, 3, 4, 5])
    scores = np.array([1.0, 2.0, 3.0])
    counts = (np.array([1, 2, 3]), np.array([0, 2, 1]), np.array([1, 0, 3]))
    rows = ItemRows(np.array([2, 5, 9]), *counts, 5 * scores, scores, -scores, 2 * scores, lengths, columns, units)
    some = rows.of(np.array([9, 4, 2, 11]))
    assert some.numbers.tolist() == [9, 4, 2, 11]
    assert some.purchases.tolist() == [3, 0, 1, 0]
    assert some.in_store.tolist() == [1, 0, 0, 0]
    assert (some.priced.tolist(), some.spent.tolist()) == ([3, 0, 1, 0], [15.0, 0.0, 5.0, 0.0])
    assert some.initial.tolist() == [3.0, 0.0, 1.0, 0.0]
    assert some.slow.tolist() == [-3.0, -np.inf, -1.0, -np.inf]
    assert some.co_purchases == [{2: 3, 5: 4, 7: 5}, {}, {5: 1, 9: 2}, {}]
    nothing = some.of(np.array([], np.int64))
    assert (nothing.numbers.size, nothing.columns.size, nothing.co_purchases) == (0, 0, [])
    assert nothing.of(np.array([3])).co_purchases == [{}]
