"""Bytes that the state takes in a Redis: per customer, item, co-purchase row, journaled purchase and touched item.

Run from the repository's root: ``python benchmarks/state_memory.py``, or as the part ``memory`` of ``make bench``,
which keeps the table in ``benchmarks/results``. It starts the embedded Valkey (and the system's ``redis-server``, if
there is one), fills it through the store as a worker does, prints a table, and ends what it started. Sizes are
``MEMORY USAGE``, and, for customers and items, the growth of ``used_memory`` divided by how many.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import redis

from launch.embedded import start_valkey
from launch.processes import Processes
from trendloom.state.customer import Customer
from trendloom.state.on_redis import RedisStore, connect
from trendloom.state.rules import StateRules
from trendloom.state.store import Change, CustomerChange, ItemChange, JournalEntry, Keys, Partition

__all__ = ["main"]

Ints = npt.NDArray[np.int64]

PLACE = Partition("purchases", 0)
RULES = StateRules()
BEGUN_MS = 1_600_000_000_000
CUSTOMERS, ITEMS, ROWS, BATCH = 50_000, 105_542, 2_000, 500
PREFIX = "tl"


class Line(NamedTuple):
    """One line of the table."""

    what: str
    usage: float
    grown: float | None
    target: int | None


def used(client: redis.Redis) -> int:
    """Bytes that the server's data takes now."""
    return int(client.info("memory")["used_memory"])


def usage(client: redis.Redis, key: str) -> int:
    """``MEMORY USAGE`` of a key, every element of it looked at."""
    return int(client.execute_command("MEMORY", "USAGE", key, "SAMPLES", 0))


def customer_id(number: int) -> str:
    """Sixteen characters."""
    return f"customer{number:08d}"


def item_change(numbers: Ints, pairs: Ints | None = None) -> ItemChange:
    """A purchase of each of these items, and half-units for pairs (P, 2)."""
    none = np.empty((0, 2), np.int64)
    rows, columns = (none if pairs is None else pairs).T
    ones = np.ones(numbers.size, np.int64)
    scores = np.full(numbers.size, 1234.5678)
    return ItemChange(
        numbers, ones, scores, scores, rows, columns, np.full(rows.size, 11, np.int64), 0.5 * numbers.size
    )


class Filling:
    """Writes through a store, batch by batch."""

    def __init__(self, store: RedisStore, epoch: int) -> None:
        self._store, self._epoch, self._fence = store, epoch, -1

    async def write(
        self,
        items: ItemChange,
        customers: list[CustomerChange] | None = None,
        journal: dict[int, JournalEntry] | None = None,
    ) -> None:
        """Write one batch."""
        change = Change(self._epoch, self._fence, self._fence + BATCH, customers or [], items, journal or {})
        assert await self._store.write(PLACE, change, worker="worker-0123abcd", forget=[]) == 1  # noqa: S101 - a script
        self._fence += BATCH


def customers() -> Iterator[CustomerChange]:
    """Customers with a full history."""
    for number in range(CUSTOMERS):
        known = Customer()
        for bought in range(RULES.history_length):
            at_ms = BEGUN_MS + bought * 86_400_000
            known.buy(bought, at_ms, 0.5, 2**63 + number, 12345, history_length=RULES.history_length)
        yield CustomerChange(customer_id(number), 0, known.pack())


async def measured(url: str) -> list[Line]:
    """Fill the Redis at ``url``, part by part, and measure each part."""
    client, store = redis.Redis.from_url(url), connect(url, prefix=PREFIX)
    keys, lines = Keys(PREFIX, RULES.customer_shards), []
    filling = Filling(store, await store.open(RULES, BEGUN_MS))
    nothing = item_change(np.empty(0, np.int64))

    before = used(client)
    some: list[CustomerChange] = []
    for change in customers():
        some.append(change)
        if len(some) == BATCH:
            await filling.write(nothing, some)
            some = []
    sizes = [usage(client, keys.customer(customer_id(number))) for number in range(0, CUSTOMERS, 100)]
    grown = (used(client) - before) / CUSTOMERS
    lines.append(Line("customer, 20 purchases, id of 16 characters", float(np.mean(sizes)), grown, 700))

    before = used(client)
    await store.number_items([f"item{number:012d}" for number in range(ITEMS)])
    for start in range(0, ITEMS, BATCH):
        await filling.write(item_change(np.arange(start, min(start + BATCH, ITEMS))))
    client.delete(keys.touched)
    total = sum(usage(client, key) for key in (keys.numbers, keys.ids, keys.popularity))
    lines.append(Line("item, id of 16 characters, bought", total / ITEMS, (used(client) - before) / ITEMS, 250))

    rng = np.random.default_rng(1)
    chosen = rng.choice(ITEMS, ROWS, replace=False)
    before = used(client)
    for number in chosen.tolist():
        columns = np.sort(rng.choice(ITEMS, RULES.co_purchase_limit, replace=False))
        pairs = np.stack([np.full(columns.size, number), columns], axis=1)
        await filling.write(item_change(np.empty(0, np.int64), pairs))
    sizes = [usage(client, f"{keys.co_purchase_prefix}{number}") for number in chosen.tolist()]
    grown = (used(client) - before) / ROWS
    lines.append(Line(f"co-purchase row, full ({RULES.co_purchase_limit} columns)", float(np.mean(sizes)), grown, 3000))

    batches = 40
    for batch in range(batches):
        entries = {batch * BATCH + at: JournalEntry(7, 0.5, 0.25) for at in range(BATCH)}
        await filling.write(item_change(np.sort(rng.choice(ITEMS, BATCH, replace=False))), journal=entries)
    journal, touched = usage(client, keys.journal(PLACE)), usage(client, keys.touched)
    lines.append(Line("journal, per purchase not committed yet", journal / (batches * BATCH), None, None))
    lines.append(Line("touched, per item and batch (4,096 batches kept)", touched / (batches * BATCH), None, None))
    client.close()
    await store.close()
    return lines


def version(url: str) -> str:
    """What the server calls itself."""
    with redis.Redis.from_url(url) as client:
        told = client.info("server")
    return f"Valkey {told['valkey_version']}" if "valkey_version" in told else f"Redis {told['redis_version']}"


def main() -> dict[str, list[dict[str, Any]]]:
    """Measure every server that is here; print a table for each and return all of them by the server's name."""
    system = shutil.which("redis-server")
    found: dict[str, list[dict[str, Any]]] = {}
    for binary in [None, system] if system else [None]:
        with Processes() as processes:
            url = start_valkey(processes, binary=binary).address
            server = version(url)
            print(f"{server}\n")
            print("| what | MEMORY USAGE, bytes | growth of used_memory, bytes | target, bytes |")
            print("|---|--:|--:|--:|")
            lines = asyncio.run(measured(url))
            for line in lines:
                grown = "" if line.grown is None else f"{line.grown:.0f}"
                print(f"| {line.what} | {line.usage:.0f} | {grown} | {line.target or ''} |")
            print()
            found[server] = [line._asdict() for line in lines]
    return found


if __name__ == "__main__":
    main()
