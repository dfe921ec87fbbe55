from __future__ import annotations

import numpy as np
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from trendloom.partitions import partitions_of, partitions_of_keys


@given(st.integers(0, 40).flatmap(lambda n: st.lists(st.binary(min_size=n, max_size=n), min_size=1, max_size=20)))
def test_it_is_kafkas_murmur2(keys: list[bytes]) -> None:
    matrix = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), len(keys[0]))
    for partitions in (1, 8, 1000):
        expected = [(murmur2(key) & 0x7FFFFFFF) % partitions for key in keys]
        assert partitions_of(matrix, partitions).tolist() == expected


@given(st.lists(st.binary(max_size=9), max_size=20), st.integers(1, 50))
def test_keys_of_several_lengths_come_back_in_their_order(keys: list[bytes], partitions: int) -> None:
    expected = [(murmur2(key) & 0x7FFFFFFF) % partitions for key in keys]
    assert partitions_of_keys(keys, partitions).tolist() == expected
