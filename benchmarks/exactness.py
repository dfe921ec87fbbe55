"""Whether the state is the fold of the log, purchase by purchase: counts of items and customers against the log's own.

Read after a run, through the store itself. Read next: :mod:`benchmarks.drain`, :mod:`benchmarks.killed_workers`.
"""

from __future__ import annotations

import asyncio

import numpy as np

from benchmarks.workload import Log, customer_id, item_id
from config.settings import Settings
from launch.assembly import open_store
from trendloom.state.customer import Customer
from trendloom.state.store import Store

__all__ = ["check_state", "state_checks"]

#: So many of the log's customers are looked at, unless all are.
_SOME = 500


def check_state(
    settings: Settings, log: Log, *, bought_before: int = 0, all_customers: bool = False
) -> dict[str, bool]:
    """Return what holds of the state in the settings' Redis; ``bought_before`` is what each customer had bought."""

    async def look() -> dict[str, bool]:
        store = open_store(settings)
        try:
            return await state_checks(store, log, bought_before=bought_before, all_customers=all_customers)
        finally:
            await store.close()

    return asyncio.run(look())


async def state_checks(
    store: Store, log: Log, *, bought_before: int = 0, all_customers: bool = False
) -> dict[str, bool]:
    """Return whether every item, every customer (or some 500) and every partition's fence is as the log says."""
    ids, rows, fences = await store.item_ids(), await store.items(), await store.fences()
    found = {ids[number]: count for number, count in zip(rows.numbers.tolist(), rows.purchases.tolist(), strict=True)}
    items, counts = np.unique(log.items, return_counts=True)
    wanted = {item_id(item): count for item, count in zip(items.tolist(), counts.tolist(), strict=True)}
    buyers, bought = np.unique(log.customers, return_counts=True)
    step = 1 if all_customers else max(buyers.size // _SOME, 1)
    records = [await store.customer(customer_id(buyer)) for buyer in buyers[::step].tolist()]
    numbers = [Customer.unpack(record).number - bought_before for record in records]
    return {
        "each purchase counted once, by item": {name: count for name, count in found.items() if count} == wanted,
        "each purchase counted once, by customer": numbers == bought[::step].tolist(),
        "every partition fenced at its end": sum(fence + 1 for fence in fences.values()) == len(log.records),
    }
