"""CPU time that a Redis spends on a purchase: workers read, prepare, write and follow; no Kafka, no lists.

Run from the repository's root: ``python benchmarks/store_cost.py``. It starts the embedded Valkey (and the system's
``redis-server``, if there is one), sends the benchmark's log through the store in batches, two workers in turn, prints
the server's own CPU time and its dearest commands, and ends what it started. Read next: ``docs/state.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import shutil
import time
import uuid
from typing import Any, NamedTuple

import numpy as np
import redis

from benchmarks.workload import Workload, customer_id, item_id, zipf_draws
from launch.assembly import can_compile
from launch.embedded import start_valkey
from launch.processes import Processes
from trendloom.events import PurchaseRecord
from trendloom.state.columns import Arrival
from trendloom.state.fold import customers_of, prepare
from trendloom.state.mirror import Mirror
from trendloom.state.on_redis import connect
from trendloom.state.rules import StateRules
from trendloom.state.store import Outcome, Partition, Store

__all__ = ["main"]

RULES = StateRules()
BEGUN_MS = 1_700_000_000_000
COMMANDS = 6


class Cost(NamedTuple):
    """Microseconds of CPU a purchase, of the server and of this process's store calls; the server's dear commands."""

    server_us: float
    reading_us: float
    writing_us: float
    following_us: float
    folding_us: float
    commands: dict[str, float]


def arrivals_of(workload: Workload) -> list[Arrival]:
    """The purchases of a workload, one an offset."""
    rng = np.random.default_rng(workload.seed)
    customers = zipf_draws(workload.customers, workload.zipf, workload.purchases, rng).tolist()
    items = zipf_draws(workload.items, workload.zipf, workload.purchases, rng).tolist()
    events = rng.bytes(16 * workload.purchases)
    made = []
    for place, (customer, item) in enumerate(zip(customers, items, strict=True)):
        record = PurchaseRecord(
            schema_version=1,
            event_id=str(uuid.UUID(bytes=events[16 * place : 16 * place + 16])),
            customer_id=customer_id(customer),
            item_id=item_id(item),
            occurred_at=BEGUN_MS + place,
        )
        made.append(Arrival(place, record, item))
    return made


def server_cpu_s(client: redis.Redis) -> float:
    """CPU time that the server has taken, user and system."""
    told = client.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])


async def costs(url: str, workload: Workload, *, batch: int, workers: int, follow_every: int) -> Cost:
    """Send a log through the store, each worker its own partition, and say what it took."""
    stores: list[Store] = [connect(url, prefix="tl", compiled=can_compile()) for _ in range(workers)]
    mirrors = []
    for store in stores:
        epoch = await store.open(RULES, BEGUN_MS)
        await store.number_items([item_id(number) for number in range(workload.items)])
        mirrors.append(Mirror(RULES, compiled=can_compile()))
        await mirrors[-1].load(store)
    log = arrivals_of(workload)
    fences = [-1] * workers
    spent = dict.fromkeys(("read", "write", "follow", "fold"), 0.0)
    with redis.Redis.from_url(url) as client:
        client.config_resetstat()
        began_s = server_cpu_s(client)
        for turn, start in enumerate(range(0, len(log), batch)):
            who = turn % workers
            partition, store, mirror = Partition("purchases", who), stores[who], mirrors[who]
            some = log[start : start + batch]
            at_s = time.process_time()
            before = await store.read(partition, customers_of(some), journal=False)
            spent["read"] += time.process_time() - at_s
            if turn // workers % follow_every == 0:
                at_s = time.process_time()
                await mirror.follow(store, f"w{who}")
                spent["follow"] += time.process_time() - at_s
            percentiles = np.full(len(some), 0.5, np.float32)
            last = some[-1].offset
            change = prepare(
                before, some, last_offset=last, percentiles=percentiles, prior_mean=0.5, rules=RULES
            ).change
            at_s = time.process_time()
            outcome = await store.write(partition, change, worker=f"w{who}", forget=[fences[who]])
            spent["write"] += time.process_time() - at_s
            if outcome is not Outcome.APPLIED or change.epoch != epoch:
                message = f"the store refused a batch: {outcome!r}"
                raise RuntimeError(message)
            fences[who] = last
            mirror.advance(change.items)
            at_s = time.process_time()
            await fold(store)
            spent["fold"] += time.process_time() - at_s
        used_s = server_cpu_s(client) - began_s
        told = client.info("commandstats")
    for store in stores:
        await store.close()
    us = 1e6 / len(log)
    dearest = sorted(told.items(), key=lambda pair: -pair[1]["usec"])[:COMMANDS]
    commands = {name.removeprefix("cmdstat_"): stats["usec"] / len(log) for name, stats in dearest}
    return Cost(
        used_s * us, spent["read"] * us, spent["write"] * us, spent["follow"] * us, spent["fold"] * us, commands
    )


async def fold(store: Store) -> None:
    """Do a step of folding, if any is due, as a worker does between batches."""
    await store.fold_some()


def main() -> dict[str, Any]:
    """Measure every server that is here; print and return what a purchase costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--purchases", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--follow-every", type=int, default=8, help="batches of a worker between two looks at others")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    asked = parser.parse_args()
    system = shutil.which("redis-server")
    found: dict[str, Any] = {}
    for binary, workers in itertools.product([None, system] if system else [None], asked.workers):
        workload = Workload(asked.purchases, asked.items, asked.customers)
        with Processes() as processes:
            url = start_valkey(processes, binary=binary).address
            cost = asyncio.run(
                costs(url, workload, batch=asked.batch, workers=workers, follow_every=asked.follow_every)
            )
        name = f"{'Redis' if binary else 'Valkey'}, {workers} worker{'s' * (workers > 1)}"
        found[name] = cost._asdict()
        commands = ", ".join(f"{command} {us:.2f}" for command, us in cost.commands.items())
        print(
            f"{name}: server {cost.server_us:.2f} us a purchase ({commands}); this process: reading "
            f"{cost.reading_us:.2f}, writing {cost.writing_us:.2f}, following {cost.following_us:.2f}, folding "
            f"{cost.folding_us:.2f}",
            flush=True,
        )
    return found


if __name__ == "__main__":
    main()
