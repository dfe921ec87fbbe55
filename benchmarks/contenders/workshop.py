"""The work itself, the same for every contender: our own whole-batch functions, put together from a run's settings.

A contender brings records in its framework's way and gives a publisher that sends in its framework's way; what happens
between is decided here once. Only standard library, ``trendloom``, ``agents`` and ``config`` are imported.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from faust.types import TP

from agents.batch_transport import Batch
from agents.counters import Counters
from agents.dead_letter import DeadLetters
from agents.purchases import Decoded, PurchasesAgent, Work
from agents.scoring import ScoringAgent
from config.loading import load_settings
from config.settings import Settings
from launch.assembly import can_compile, clock_ms, open_catalogue, open_refresher, open_store, topic_names
from trendloom.state.on_redis import RedisStore
from trendloom.state.store import Partition

__all__ = ["KNOBS_VARIABLE", "Begun", "Bench", "Lists", "Record", "Taken", "Workshop", "given_settings", "knobs"]

#: Name of the environment variable that holds a contender's knobs, as JSON.
KNOBS_VARIABLE = "BENCH_KNOBS"

#: (key, value) as bytes.
Record = tuple[bytes, bytes]


class Taken(NamedTuple):
    """A record taken from Kafka, with the names that our work functions look for."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Bench(Protocol):
    """Sends records to a topic and returns once the broker has acknowledged all of them."""

    async def publish(self, topic: str, records: Sequence[Record], timestamp_ms: int) -> None:
        """Send ``records`` and wait."""


class Begun(NamedTuple):
    """A batch that is being applied."""

    work: Work


class Lists(NamedTuple):
    """The lists of one batch, not published yet, and what is done when they are."""

    partition: Partition
    last_offset: int
    records: Sequence[Record]


class Workshop:
    """Decodes, validates, fences, counts, scores and publishes batches of one partition each, in order."""

    def __init__(
        self, settings: Settings, store: RedisStore, purchases: PurchasesAgent, scoring: ScoringAgent, refresher: Any
    ) -> None:
        self.settings = settings
        self.names = topic_names(settings)
        self._store = store
        self._purchases = purchases
        self._scoring = scoring
        self._refresher = refresher
        self._assigned: set[Partition] = set()

    @classmethod
    async def open(cls, settings: Settings, publisher: Bench) -> Workshop:
        """Open store, catalogue and refresher as the worker does."""
        store = open_store(settings)
        refresher = await open_refresher(settings, store, open_catalogue(settings), compiled=can_compile())
        _, recommendations, dead_letters, _ = topic_names(settings)
        counters, sender = Counters(), publisher
        purchases = PurchasesAgent(
            refresher,
            DeadLetters(sender, dead_letters),  # type: ignore[arg-type]  # any publisher will do
            counters,
            partitions=lambda: settings.kafka.partitions,
            unknown_items=settings.lists.unknown_items,
            clock_ms=clock_ms,
        )
        scoring = ScoringAgent(refresher, sender, counters, topic=recommendations, clock_ms=clock_ms)  # type: ignore[arg-type]
        gc.collect()
        gc.freeze()  # as our worker does: no collection has to look through what lives as long as the program
        return cls(settings, store, purchases, scoring, refresher)

    async def work(self, topic: str, partition: int, records: Sequence[Any]) -> Lists:
        """Apply consecutive records of one partition to the state and score their lists, one step after the other."""
        begun = await self.begin(await self.decode(topic, partition, records))
        await self.written(begun)
        return await self.score(begun)

    async def decode(self, topic: str, partition: int, records: Sequence[Any]) -> Decoded:
        """Decode consecutive records of one partition; batches are decoded in the order of the log."""
        place = Partition(topic, partition)
        if place not in self._assigned:
            await self._refresher.assigned(place)
            self._assigned.add(place)
        return await self._purchases.decode([Batch(TP(topic, partition), list(records))])

    async def begin(self, decoded: Decoded) -> Begun:
        """Begin to apply a decoded batch; the one before must be ``written``."""
        return Begun(await self._purchases.begin(decoded))

    async def written(self, begun: Begun) -> None:
        """Wait until a batch is written, then do a little of the folding of the items' log, as our worker does."""
        await begun.work.applied.written()
        await self._refresher.fold_some()

    async def score(self, begun: Begun) -> Lists:
        """Score a batch's lists and return them once the state holds it."""
        lists = await self._scoring.score(begun.work)
        [span] = begun.work.applied.arrivals.spans
        return Lists(span.partition, span.last_offset, lists)

    async def publish(self, lists: Lists) -> None:
        """Publish a batch's lists and wait until they are acknowledged."""
        await self._scoring.publish(lists.records)

    def committed(self, partition: Partition, last_offset: int) -> None:
        """Note that everything up to ``last_offset`` is committed."""
        self._refresher.committed(partition, last_offset)

    async def close(self) -> None:
        """Let go of the store."""
        await self._store.close()


def given_settings() -> Settings:
    """Return the settings that the benchmark handed over through the environment."""
    return load_settings(Path(os.devnull), {}).settings


def knobs(defaults: Mapping[str, float]) -> dict[str, float]:
    """Return a contender's knobs: its defaults, replaced by what a sweep handed over."""
    return {**defaults, **json.loads(os.environ.get(KNOBS_VARIABLE, "{}"))}
