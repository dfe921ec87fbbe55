"""What every contender is given: a made-up catalogue and a log of purchases by Zipf-distributed customers and items.

Both depend on their numbers and the seed alone. Nothing here knows Kafka or Redis. Read next:
:mod:`benchmarks.stage`, which writes the log to a topic.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.stores import deal_to_stores
from trendloom.catalogue.writing import parquet_bytes, tensor_bytes, write_directory

__all__ = ["Log", "Sent", "Workload", "customer_id", "item_id", "make_log", "write_catalogue", "zipf_draws"]

Ints = npt.NDArray[np.int64]

_CATEGORIES = 20
_DIMENSIONS = 32
_NEIGHBOURS, _LOWEST = 64, 16
_STORES = tuple(f"store-{number}" for number in range(1, 6))
#: The log's purchases lie this far apart in event time, and its last one this long before the clock.
_APART_MS, _BEFORE_NOW_MS = 1, 60_000


@dataclass(frozen=True, slots=True)
class Workload:
    """How much of what: the numbers that a benchmark's result is only valid for."""

    purchases: int = 300_000
    items: int = 10_000
    customers: int = 100_000
    #: Zipf's exponent of customers and of items alike.
    zipf: float = 0.8
    seed: int = 1


class Sent(NamedTuple):
    """A record of the log: ``at_ms`` is its event time and its intended send time."""

    key: bytes
    value: bytes
    at_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """Purchases in event order; ``customers`` and ``items`` (R,) are the numbers of who bought what."""

    workload: Workload
    records: Sequence[Sent]
    customers: Ints
    items: Ints


def customer_id(number: int) -> str:
    """Return a customer's id, 16 characters.

    >>> customer_id(7)
    'customer00000007'
    """
    return f"customer{number:08d}"


def item_id(number: int) -> str:
    """Return an item's id, 16 characters.

    >>> len(item_id(7))
    16
    """
    return f"item{number:012d}"


def zipf_draws(n: int, exponent: float, size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw ``size`` of ``n`` numbers; rank r has a probability proportional to r^-exponent, ranks are shuffled.

    >>> draws = zipf_draws(1000, 0.8, 10_000, np.random.default_rng(1))
    >>> bool(np.bincount(draws).max() > 5 * np.median(np.bincount(draws, minlength=1000)))
    True
    """
    cumulated = np.cumsum(np.arange(1, n + 1, dtype=np.float64) ** -exponent)
    ranks = np.searchsorted(cumulated, rng.random(size) * cumulated[-1], side="right")
    numbers: npt.NDArray[np.int64] = rng.permutation(n)[np.minimum(ranks, n - 1)]
    return numbers


def make_log(workload: Workload, now_ms: int) -> Log:
    """Return the purchases of a workload; the last one was made a minute before ``now_ms``."""
    rng = np.random.default_rng(workload.seed)
    size = workload.purchases
    customers = zipf_draws(workload.customers, workload.zipf, size, rng)
    items = zipf_draws(workload.items, workload.zipf, size, rng)
    stores = rng.integers(len(_STORES), size=size).tolist()
    prices = rng.integers(500, 20_000, size=size).tolist()
    events = rng.bytes(16 * size)
    begun_ms = now_ms - _BEFORE_NOW_MS - _APART_MS * size
    records = []
    columns = zip(customers.tolist(), items.tolist(), stores, prices, strict=True)
    for place, (customer, item, store, cents) in enumerate(columns):
        event = uuid.UUID(bytes=events[16 * place : 16 * place + 16], version=4)
        at_ms = begun_ms + _APART_MS * place
        name = customer_id(customer)
        value = (
            f'{{"schema_version":1,"event_id":"{event}","customer_id":"{name}","item_id":"{item_id(item)}",'
            f'"occurred_at":{at_ms},"quantity":1,"price":{cents / 100},"store_id":"{_STORES[store]}",'
            '"variant_id":null,"source":"synthetic"}'
        )
        records.append(Sent(name.encode(), value.encode(), at_ms))
    return Log(workload, records, customers, items)


def write_catalogue(out: Path, items: int, seed: int = 1) -> str:
    """Write a catalogue directory of made-up items with random neighbours and return its fingerprint.

    Every item has a photo embedding; similarities of neighbours are random, too, and descend: scoring costs what it
    costs with real ones, and nothing has to be searched, so a million items take seconds.
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(items)
    category = rng.integers(_CATEGORIES, size=items).astype(np.int16)
    photos = rng.normal(size=(items, _DIMENSIONS)).astype(np.float32)
    photos /= np.linalg.norm(photos, axis=1, keepdims=True)
    nearest, nearest_similarity = _others(items, min(_NEIGHBOURS, items - 1), 0.5, 1.0, rng)
    lowest, lowest_similarity = _others(items, min(_LOWEST, items - 1), 0.5, 1.0, rng)
    names = [f"kind-{number:02d}" for number in range(_CATEGORIES)]
    contents = {
        "items.parquet": parquet_bytes(
            {
                "item_id": [item_id(row) for row in range(items)],
                "title": [f"Garment {row}" for row in range(items)],
                "colour": [""] * items,
                "product_type": [names[code] for code in category.tolist()],
                "category": category,
                "gender": rng.integers(1, 4, size=items).astype(np.int8),
                "product": (rows // 2).astype(np.int32),
                "view_group": np.where(rows % 10 < 2, rows // 10, -1).astype(np.int32),
                "transition_group": category,
                "store": deal_to_stores(category, len(_STORES), seed),
                "photo_row": rows.astype(np.int32),
            }
        ),
        "embeddings.safetensors": tensor_bytes({"photo": photos.astype(np.float16)}),
        "neighbours.safetensors": tensor_bytes(
            {
                "nearest": nearest,
                "nearest_similarity": nearest_similarity,
                "source": np.zeros(items, np.uint8),
                "lowest": lowest,
                "lowest_similarity": -lowest_similarity,
            }
        ),
    }
    about = {
        "name": "benchmark",
        "credit": "made up",
        "counts": {"items": items, "photos": items, "photos_left_out": 0},
        "category_names": names,
        "transition_group_names": names,
        "store_ids": list(_STORES),
    }
    return write_directory(out, contents, about)


def _others(
    items: int, each: int, low: float, high: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Return ``each`` different other rows for every row, at random, and descending similarities for them."""
    start = rng.integers(1, items, size=(items, 1))
    step = 1 + rng.integers(max((items - 1) // max(each, 1), 1), size=(items, 1))
    away = 1 + (start + step * np.arange(each)) % (items - 1)  # 1 .. items - 1 away: never the row itself
    rows = (np.arange(items)[:, None] + away) % items
    similarity = -np.sort(-rng.uniform(low, high, size=(items, each)), axis=1)
    return rows.astype(np.int32), similarity.astype(np.float32)
