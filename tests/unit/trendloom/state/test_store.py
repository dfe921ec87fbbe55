"""The keys' layout is a promise: one slot for the items, one for each shard of customers."""

import pytest
from redis.crc import key_slot

from trendloom.state.store import Keys, Partition, Population

KEYS = Keys("tl", 64)


def test_everything_of_the_items_lies_in_one_slot() -> None:
    place = Partition("purchases", 3)
    keys = [KEYS.meta, KEYS.fences, KEYS.popularity, KEYS.initial, KEYS.numbers, KEYS.ids, KEYS.touched, KEYS.ended]
    keys += [KEYS.journal(place), KEYS.pending(place), KEYS.co_purchase_prefix + "17"]
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
