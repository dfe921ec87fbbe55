"""Customers put straight into Redis, so that a state of millions is there before a worker starts.

Each has a full history, as after years of shopping; the records are those that :mod:`trendloom.state.customer` packs.
They are written as plain ``SET`` commands through one socket whose answers are switched off.
"""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from benchmarks.workload import customer_id
from config.settings import Settings
from trendloom.errors import StoreUnavailable
from trendloom.state.customer import ENTRY, Customer
from trendloom.state.store import Keys

__all__ = ["seed_customers", "seeded_records"]

_CHUNK = 20_000
_APART_S = 86_400
_ANSWER_S = 600.0


def seeded_records(
    count: int, sold: npt.NDArray[np.int64], history_length: int, now_s: int, seed: int = 5
) -> list[bytes]:
    """Return ``count`` customers' records, each with a full history of items drawn from what was ``sold``.

    The purchases lie a day apart, the last one the day before ``now_s``, seconds since the epoch.

    >>> record = seeded_records(1, np.arange(100), history_length=20, now_s=1_700_000_000)[0]
    >>> Customer.unpack(record).number, len(record)
    (20, 496)
    """
    rng = np.random.default_rng(seed)
    entries = np.zeros((count, history_length), ENTRY)
    entries["item"] = rng.choice(sold, size=entries.shape)
    entries["at_s"] = now_s - _APART_S * np.arange(history_length, 0, -1)
    entries["percentile"] = 0.5
    entries["event"] = rng.integers(2**63, size=entries.shape)
    tails, width = entries.tobytes(), entries[0].nbytes
    head = Customer(history_length, 0.5 * history_length).pack()
    return [head + tails[at : at + width] for at in range(0, len(tails), width)]


def seed_customers(url: str, count: int, sold: npt.NDArray[np.int64], settings: Settings) -> None:
    """Write customers 0 ... count - 1 (:func:`benchmarks.workload.customer_id`) to the Redis at ``url``.

    ``sold`` are item numbers, as often as each was bought: what the histories are drawn from.

    Raises :class:`~trendloom.errors.StoreUnavailable` if it does not take all of them, as when memory is short.
    """
    place = urlsplit(url)
    keys = Keys(settings.redis.key_prefix, settings.state.customer_shards)
    ending = b"\r\n$2\r\nEX\r\n$%d\r\n%d\r\n" % (
        len(str(settings.state.customer_ttl_s)),
        settings.state.customer_ttl_s,
    )
    now_s = int(time.time())
    with socket.create_connection((place.hostname or "127.0.0.1", place.port or 6379), _ANSWER_S) as link:
        link.sendall(b"CLIENT REPLY OFF\r\n")
        for first in range(0, count, _CHUNK):
            some = range(first, min(first + _CHUNK, count))
            records = seeded_records(len(some), sold, settings.state.history_length, now_s, seed=first)
            link.sendall(
                b"".join(
                    b"*5\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b%b" % (len(key), key, len(record), record, ending)
                    for key, record in zip((keys.customer(customer_id(n)).encode() for n in some), records, strict=True)
                )
            )
        link.sendall(b"CLIENT REPLY ON\r\nDBSIZE\r\n")
        said = b""
        while said.count(b"\r\n") < 2 and (more := link.recv(4096)):
            said += more
    if f":{count}\r\n".encode() not in said:
        raise StoreUnavailable(
            f"Of {count} seeded customers not all are in the store ({said!r}). Action: give it more memory."
        )
