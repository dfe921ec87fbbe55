"""What tests of the refresher share: a small catalogue, a log, and batches taken through a store in this process."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from deliveries import DAY_MS, START_MS

from trendloom.catalogue.garment import Catalogue
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.events import Purchase
from trendloom.refresh import Applied, ListRules, Refresher
from trendloom.relevance.presets import PRESETS
from trendloom.state.columns import Arrival
from trendloom.state.in_process import InProcessStore
from trendloom.state.rules import StateRules
from trendloom.state.store import Partition

__all__ = [
    "CATALOGUE",
    "NOW_MS",
    "P0",
    "P1",
    "RULES",
    "STORES",
    "Clock",
    "Listing",
    "applied",
    "arrived",
    "listed",
    "made_log",
    "one",
    "opened",
    "run",
]

RULES = StateRules(history_length=6, co_purchase_window=4, max_items=100)
P0, P1 = Partition("purchases", 0), Partition("purchases", 1)
STORES = {f"store-{number}": (50.0 + number, 10.0) for number in range(1, 6)}
CATALOGUE = random_catalogue(40, np.random.default_rng(3))
NOW_MS = START_MS + 30 * DAY_MS


class Listing(NamedTuple):
    """A list as it would be published."""

    raw: bytes
    told: dict[str, Any]


class Clock:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def made_log(count: int, *, seed: int = 5, customers: int = 6) -> list[Purchase]:
    rng = np.random.default_rng(seed)
    log: list[Purchase] = []
    for number in range(count):
        if number > 3 and rng.random() < 0.1:
            log.append(log[-int(rng.integers(1, 4))])  # sent twice
            continue
        log.append(one(number, f"c{rng.integers(customers)}", int(rng.geometric(0.1)) % 40, START_MS + number * 10**7))
    return log


def one(event: int, customer: str = "ann", item: int = 0, at_ms: int = START_MS) -> Purchase:

    return Purchase(
        schema_version=1,
        event_id=uuid.uuid5(uuid.NAMESPACE_OID, str(event)),
        customer_id=customer,
        item_id=f"item-{item:04d}",
        occurred_at=at_ms,
        store_id="store-1" if event % 2 else None,
    )


async def opened(
    store: InProcessStore,
    *,
    worker: str = "w",
    catalogue: Catalogue = CATALOGUE,
    clock: Clock | None = None,
    compiled: bool = False,
    preset: str = "balanced",
    new_items: int = 0,
) -> Refresher:
    refresher = Refresher(
        store,
        catalogue,
        state_rules=RULES,
        list_rules=ListRules(PRESETS[preset], top_k=5, new_items=new_items),
        stores=STORES,
        worker=worker,
        follow_every_s=1.0,
        monotonic=clock or Clock(),
        compiled=compiled,
    )
    await refresher.open(START_MS)
    return refresher


async def arrived(refresher: Refresher, log: Sequence[Purchase], first: int = 0) -> list[Arrival]:
    numbers = await refresher.number([bought.item_id for bought in log])
    return [Arrival(first + at, bought, int(numbers[at])) for at, bought in enumerate(log)]


async def applied(refresher: Refresher, log: Sequence[Purchase], first: int = 0, partition: Partition = P0) -> Applied:
    batch = await arrived(refresher, log, first)
    return await refresher.apply(partition, batch, first_offset=first, last_offset=first + len(log) - 1)


def listed(refresher: Refresher, batch: Applied) -> list[Listing]:
    top = refresher.score(batch)
    raws = refresher.encode(batch, top, [None] * len(batch.listed), NOW_MS)
    refresher.settle(batch)
    return [Listing(raw, orjson.loads(raw)) for raw in raws]


async def run(
    log: Sequence[Purchase], size: int, *, store: InProcessStore | None = None, compiled: bool = False
) -> list[Listing]:
    refresher = await opened(store or InProcessStore(), compiled=compiled)
    lists = []
    for start in range(0, len(log), size):
        lists += listed(refresher, await applied(refresher, log[start : start + size], start))
    return lists
