"""Purchases in, refreshed lists out, in one process: the path that a worker takes, without Kafka and Redis.

python examples/e01_lists_in_a_loop.py
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import Any

from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.events import Purchase
from trendloom.refresh import ListRules, Refresher
from trendloom.relevance.presets import PRESETS
from trendloom.state.columns import Arrival
from trendloom.state.in_process import InProcessStore
from trendloom.state.rules import StateRules
from trendloom.state.store import Partition

LOG = Partition("purchases", 0)


async def lists_of(bought: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the list that each (customer, item) of ``bought`` causes, one after the other."""
    rules = StateRules()
    refresher = Refresher(
        InProcessStore(),
        load_catalogue(demo_catalogue_path()),
        state_rules=rules,
        list_rules=ListRules(PRESETS["balanced"], top_k=5),
        stores={},
        worker="example",
        follow_every_s=1.0,
        monotonic=time.monotonic,
    )
    now_ms = time.time_ns() // 1_000_000
    await refresher.open(now_ms)
    await refresher.assigned(LOG)
    lists = []
    for offset, (customer, item) in enumerate(bought):
        purchase = Purchase(
            schema_version=1, event_id=uuid.uuid4(), customer_id=customer, item_id=item, occurred_at=now_ms
        )
        number = int((await refresher.number([item]))[0])
        applied = await refresher.apply(
            LOG, [Arrival(offset, purchase, number)], first_offset=offset, last_offset=offset
        )
        raw = refresher.encode(applied, refresher.score(applied), [None], now_ms)
        refresher.settle(applied)
        lists += [json.loads(value) for value in raw]
    return lists


def main() -> None:
    """Let two customers buy a few garments of the demo's catalogue and print what they are shown."""
    items = load_catalogue(demo_catalogue_path()).item_ids
    for found in asyncio.run(lists_of([("ann", items[0]), ("ben", items[0]), ("ben", items[40]), ("ann", items[80])])):
        print(f"{found['customer_id']} bought {found['cause']['item_id']}")
        for entry in found["entries"]:
            print(f"  {entry['item_id']:24} {entry['score']:.4f}  {entry['parts']}")


if __name__ == "__main__":
    main()
