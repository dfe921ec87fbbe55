"""The partitions of keys as Kafka's default partitioner chooses them: murmur2 without its sign, modulo, in numpy.

Many keys at once cost a hundredth of what one after the other costs in Python.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["partitions_of", "partitions_of_keys"]

_SEED, _M = 0x9747B28C, np.uint32(0x5BD1E995)


def partitions_of_keys(keys: Sequence[bytes], partitions: int) -> npt.NDArray[np.int32]:
    """Return the partition (K,) of each key.

    >>> partitions_of_keys([b"21", b"a-little-bit-long-string", b"21"], 1000).tolist()
    [340, 112, 340]
    """
    found = np.empty(len(keys), np.int32)
    lengths = np.fromiter(map(len, keys), np.int64, len(keys))
    for length in np.unique(lengths).tolist():
        which = np.flatnonzero(lengths == length)
        some = keys if which.size == len(keys) else [keys[place] for place in which.tolist()]
        raw = np.frombuffer(b"".join(some), np.uint8)
        found[which] = partitions_of(raw.reshape(which.size, length), partitions)
    return found


def partitions_of(keys: npt.NDArray[np.uint8], partitions: int) -> npt.NDArray[np.int32]:
    """Return the partition (K,) of each row of ``keys`` (K, length).

    >>> partitions_of(np.frombuffer(b"21", np.uint8).reshape(1, 2), 1000).tolist()
    [340]
    """
    count, length = keys.shape
    whole = length // 4
    hashed = np.full(count, _SEED ^ length, np.uint32)
    words = np.ascontiguousarray(keys[:, : 4 * whole]).view("<u4").astype(np.uint32)
    for place in range(whole):
        word = words[:, place] * _M
        word ^= word >> np.uint32(24)
        hashed = (hashed * _M) ^ (word * _M)
    tail = keys[:, 4 * whole :].astype(np.uint32)
    if tail.shape[1]:
        for place in range(tail.shape[1]):
            hashed ^= tail[:, place] << np.uint32(8 * place)
        hashed *= _M
    hashed ^= hashed >> np.uint32(13)
    hashed *= _M
    hashed ^= hashed >> np.uint32(15)
    return ((hashed & np.uint32(0x7FFFFFFF)) % np.uint32(partitions)).astype(np.int32)
