"""Bytes that the state takes in a Redis: per customer, item, co-purchase row, journaled purchase and change.

Run from the repository's root: ``python benchmarks/state_memory.py``, or as the part ``memory`` of ``make bench``,
which keeps the table in ``benchmarks/results``. It starts the embedded Valkey (and the system's ``redis-server``, if
there is one), fills it through the store as a worker does, prints a table, and ends what it started. Sizes are
``MEMORY USAGE``, and, for customers and items, the growth of ``used_memory`` divided by how many.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import redis

from launch.embedded import start_valkey
from launch.processes import Processes
from trendloom.state.customer import Customer
from trendloom.state.item_log import ITEM_SHARDS
from trendloom.state.on_redis import RedisStore, connect
from trendloom.state.on_redis_items import FoldingPace
from trendloom.state.rules import StateRules
from trendloom.state.store import Change, CustomerChanges, ItemChange, JournalEntry, Keys, Partition, journal_of

__all__ = ["main"]

Ints = npt.NDArray[np.int64]

PLACE = Partition("purchases", 0)
RULES = StateRules()
BEGUN_MS = 1_600_000_000_000
CUSTOMERS, ITEMS, ROWS, BATCH = 50_000, 105_542, 2_000, 500
PREFIX = "tl"
NOBODY = CustomerChanges([], np.empty(0, np.int64), [])


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
        numbers, ones, ones, ones, scores, scores, scores, rows, columns, np.full(rows.size, 2), 0.5 * numbers.size
    )


class Filling:
    """Writes through a store, batch by batch."""

    def __init__(self, store: RedisStore, epoch: int) -> None:
        self._store, self._epoch, self._fence = store, epoch, -1

    async def write(
        self,
        items: ItemChange,
        customers: CustomerChanges = NOBODY,
        journal: Mapping[int, JournalEntry] | None = None,
    ) -> None:
        """Write one batch."""
        change = Change(self._epoch, self._fence, self._fence + BATCH, customers, items, journal_of(journal or {}))
        assert await self._store.write(PLACE, change, worker="worker-0123abcd", forget=[]) == 1  # noqa: S101 - a script
        self._fence += BATCH

    async def fold(self) -> None:
        """Fold everything that was written."""
        while await self._store.fold_some():
            pass


def customers(numbers: range) -> CustomerChanges:
    """Customers with a full history."""
    records = []
    for number in numbers:
        known = Customer()
        for bought in range(RULES.history_length):
            at_ms = BEGUN_MS + bought * 86_400_000
            known.buy(bought, at_ms, 0.5, 2**63 + number, 12345, history_length=RULES.history_length)
        records.append(known.pack())
    return CustomerChanges(list(map(customer_id, numbers)), np.zeros(len(numbers), np.int64), records)


async def measured(url: str) -> list[Line]:
    """Fill the Redis at ``url``, part by part, and measure each part."""
    store = connect(url, prefix=PREFIX, pace=FoldingPace(after=1))
    client = redis.Redis.from_url(url)
    keys, lines = Keys(PREFIX, RULES.customer_shards), []
    filling = Filling(store, await store.open(RULES, BEGUN_MS))
    nothing = np.empty(0, np.int64)

    before = used(client)
    for start in range(0, CUSTOMERS, BATCH):
        await filling.write(item_change(nothing), customers(range(start, start + BATCH)))
    sizes = [usage(client, keys.customer(customer_id(number))) for number in range(0, CUSTOMERS, 100)]
    grown = (used(client) - before) / CUSTOMERS
    lines.append(Line("customer, 20 purchases, id of 16 characters", float(np.mean(sizes)), grown, 700))

    def rows() -> int:
        return sum(usage(client, keys.rows(shard)) for shard in range(ITEM_SHARDS))

    before = used(client)
    await store.number_items([f"item{number:012d}" for number in range(ITEMS)])
    for start in range(0, ITEMS, BATCH):
        await filling.write(item_change(np.arange(start, min(start + BATCH, ITEMS))))
    some = np.repeat(np.arange(ITEM_SHARDS), 12)  # one long row a shard, so that each is kept as a shop's shards are
    await filling.write(item_change(nothing, np.stack([some, (some + 1 + np.arange(some.size)) % ITEM_SHARDS], axis=1)))
    await filling.fold()
    client.delete(keys.changes)
    popularity = rows()
    total = popularity + usage(client, keys.numbers) + usage(client, keys.ids)
    lines.append(Line("item, id of 16 characters, bought", total / ITEMS, (used(client) - before) / ITEMS, 250))

    rng = np.random.default_rng(1)
    chosen = rng.choice(ITEMS // 2, ROWS, replace=False)
    filled = RULES.co_purchase_limit
    before = used(client)
    for number in chosen.tolist():
        columns = ITEMS + np.arange(filled)
        pairs = np.stack([np.full(filled, number), columns], axis=1)
        await filling.write(item_change(np.array([number]), pairs))
    await filling.fold()
    client.delete(keys.changes)
    full = ROWS + filled  # both directions
    grown = (used(client) - before) / full
    usage_of_row = (rows() - popularity) / full
    lines.append(Line(f"co-purchase row, full ({filled} columns), beyond the item", usage_of_row, grown, 3000))

    batches = 40
    for batch in range(batches):
        entries = {batch * BATCH + at: JournalEntry(7, 0.5, 0.25) for at in range(BATCH)}
        items = np.sort(rng.choice(ITEMS, BATCH, replace=False))
        await filling.write(item_change(items, rng.choice(ITEMS, (12 * BATCH, 2))), journal=entries)
    journal, changes = usage(client, keys.journal(PLACE)), usage(client, keys.changes)
    lines.append(Line("journal, per purchase not committed yet", journal / (batches * BATCH), None, None))
    lines.append(
        Line("changes, per purchase with 12 pairs, until folded twice", changes / (batches * BATCH), None, None)
    )
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
