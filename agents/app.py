"""``build_app``: the wiring of a worker, readable top to bottom. No settings are read and nothing starts here.

purchases (Kafka) -> decode -> state -> scoring -> recommendations (Kafka) -> acknowledge: four agents with belts in
memory between them, so that one batch is decoded and another published while the store works on a third.
Read next: :mod:`agents.batch_transport` for how batches arrive, :mod:`agents.debounce` for lists that wait,
:mod:`agents.runner` for how the app is run.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, cast

import faust
from aiohttp.web import Response, json_response
from faust.types import TP
from mode.supervisors import CrashingSupervisor

from agents.batch_transport import BatchConsumer, BatchSchema, BatchTransport
from agents.belt import Belt
from agents.counters import Counters
from agents.dead_letter import DeadLetters
from agents.debounce import Debounce, Outgoing
from agents.popularity import TrendsPublisher
from agents.publishing import MOST_BATCH_BYTES, Publisher, Record, compiled_packer
from agents.purchases import Decoded, PurchasesAgent, Work
from agents.scoring import ScoringAgent
from agents.trendiness import TrendinessSummary
from agents.under_way import MOST_UNDER_WAY, UnderWay
from trendloom.errors import LogTruncated
from trendloom.refresh import Refresher
from trendloom.state.rules import StateRules
from trendloom.state.store import Partition

__all__ = ["Names", "Worker", "WorkerRules", "build_app", "start_offset"]

log = logging.getLogger(__name__)


class _App(faust.App):
    """Faust's app, but it makes no folders where it is started: nothing of ours is kept in files."""

    def _create_directories(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Names:
    """The topics' names."""

    purchases: str = "purchases"
    recommendations: str = "recommendations"
    dead_letters: str = "dead-letters"
    trends: str = "trends"


@dataclass(frozen=True, slots=True)
class WorkerRules:
    """How a worker reads and writes Kafka, as plain values."""

    bootstrap: str
    group: str = "trendloom"
    instance_id: str = ""
    session_timeout_s: float = 30.0
    fetch_max_wait_ms: int = 100
    max_batch: int = 2_000
    commit_interval_s: float = 0.25
    compression: str | None = None
    retry_budget_s: float = 60.0
    trends_interval_s: float = 10.0
    health_port: int = 0
    unknown_items: Literal["dead_letter", "count"] = "dead_letter"
    debounce_ms: int = 0
    ssl_context: ssl.SSLContext | None = None
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False)


@dataclass(slots=True)
class Worker:
    """A built app with what its runner needs to see."""

    app: faust.App
    refresher: Refresher
    counters: Counters
    status: dict[str, str]
    debounce: Debounce | None = None

    @property
    def consumer(self) -> BatchConsumer:
        """The running app's consumer."""
        return cast("BatchConsumer", self.app.consumer)

    async def drain(self, timeout_s: float) -> bool:
        """Take nothing more, finish and commit what was taken, held lists at once; return whether that was in time."""
        self.status["status"] = "draining"
        if self.debounce is not None:
            self.debounce.release()
        return await self.consumer.drain(timeout_s)


def build_app(
    rules: WorkerRules,
    refresher: Refresher,
    *,
    names: Names,
    state_rules: StateRules,
    clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    monotonic: Callable[[], float] = time.monotonic,
) -> Worker:
    """Return a worker around a refresher that is open; ``worker.app`` is a ``faust.App``."""
    app = _App(
        rules.group,
        broker=f"kafka://{rules.bootstrap.replace(',', ';kafka://')}",
        broker_credentials=_credentials(rules),
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        autodiscover=False,
        origin=None,
        broker_max_poll_records=rules.max_batch,
        broker_commit_interval=rules.commit_interval_s,
        broker_commit_every=10_000,
        broker_session_timeout=rules.session_timeout_s,
        broker_request_timeout=max(90.0, rules.session_timeout_s + 10.0),
        broker_heartbeat_interval=min(3.0, rules.session_timeout_s / 3),
        broker_max_poll_interval=300.0,
        consumer_group_instance_id=rules.instance_id or None,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_max_batch_size=MOST_BATCH_BYTES,
        producer_compression_type=rules.compression,
        stream_buffer_maxsize=1,  # a whole batch: what waits any longer waits in the consumer, and grows
        stream_wait_empty=False,  # what is unfinished is delivered again, and changes nothing
        web_enabled=rules.health_port > 0,
        web_bind="127.0.0.1",
        web_host="127.0.0.1",
        web_port=rules.health_port or None,
        web_tables_enabled=False,
        web_router_enabled=False,
    )
    under_way = UnderWay(full=rules.max_batch)
    transport = BatchTransport(
        app.conf.broker_consumer, app, fetch_max_wait_ms=rules.fetch_max_wait_ms, under_way=under_way
    )
    app.transport = transport

    counters, trendiness, status = Counters(), TrendinessSummary(), {"status": "starting"}
    publisher = Publisher(
        lambda: cast("Any", app.producer)._producer,  # noqa: SLF001 - Faust has no public door to batches
        retry_budget_s=rules.retry_budget_s,
        packer=compiled_packer() if refresher.compiled and rules.compression is None else None,
    )
    partitions = {"purchases": 1}
    purchases = PurchasesAgent(
        refresher,
        DeadLetters(publisher, names.dead_letters),
        counters,
        partitions=lambda: partitions["purchases"],
        unknown_items=rules.unknown_items,
        clock_ms=clock_ms,
    )
    debounce = Debounce(rules.debounce_ms / 1000.0, counters, monotonic=monotonic) if rules.debounce_ms else None
    scoring = ScoringAgent(
        refresher,
        publisher,
        counters,
        topic=names.recommendations,
        clock_ms=clock_ms,
        newest_only=debounce is not None,
    )
    trends = TrendsPublisher(refresher.mirror, state_rules, publisher, topic=names.trends)

    async def begin(tp: TP, committed: int | None, log_start: int) -> int:
        partitions["purchases"] = await publisher.partitions(names.purchases)
        fence, journaled = await refresher.assigned(Partition(tp.topic, tp.partition))
        start = start_offset(tp, committed, log_start, fence, journaled)
        log.info("%s-%d: the state holds up to %d, the group up to %s: begin at %d", *tp, fence, committed, start)
        return start

    transport.start_offset = begin
    transport.on_commit = lambda tp, offset: refresher.committed(Partition(tp.topic, tp.partition), offset - 1)

    topic = app.topic(names.purchases, schema=BatchSchema(key_type=bytes, value_type=bytes))
    decoded, applied, published = (Belt(app, maxsize=MOST_UNDER_WAY) for _ in range(3))

    async def publish(records: Sequence[Record], done: Callable[[], object]) -> None:
        """Begin to publish, with ``done`` to be called once all is acknowledged; waits while too much is under way."""
        publishing = asyncio.get_running_loop().create_task(scoring.publish(records))
        await published.send(value=(publishing, done))

    @app.agent(topic, name="purchases", concurrency=1, supervisor_strategy=CrashingSupervisor)
    async def decode(stream: Any) -> None:
        async for event in stream.noack().events():
            under_way.take(event.value)
            await decoded.send(value=(await purchases.decode(event.value), event))

    @app.agent(decoded, name="state", concurrency=1, supervisor_strategy=CrashingSupervisor)
    async def apply(stream: Any) -> None:
        turns: dict[Partition, asyncio.Event] = {}  # several batches at once, each partition's in their order

        async def take(found: Decoded, event: Any, before: list[asyncio.Event], written: asyncio.Event) -> None:
            for earlier in before:
                await earlier.wait()
            work = await purchases.begin(found)
            await applied.send(value=(work, event))
            await work.applied.written()
            written.set()
            await refresher.fold_some()

        try:
            async with asyncio.TaskGroup() as taken:
                async for found, event in stream:
                    ours = [span.partition for span in found.arrivals.spans]
                    before, written = [turns[one] for one in ours if one in turns], asyncio.Event()
                    turns.update(dict.fromkeys(ours, written))
                    taken.create_task(take(found, event, before, written))
        except BaseExceptionGroup as faults:  # the first says what happened, the others follow from it
            raise faults.exceptions[0] from None

    @app.agent(applied, name="scoring", concurrency=1, supervisor_strategy=CrashingSupervisor)
    async def refresh_lists(stream: Any) -> None:
        work: Work
        async for work, event in stream:
            records, batches = await scoring.score(work), event.value
            trendiness.observe(work.applied)
            trends.saw(int(work.applied.listed.arrivals.at_ms.max(initial=0)))
            if debounce is None:

                def done(event: Any = event, batches: object = batches) -> None:
                    event.ack()
                    under_way.done(batches)

                await publish(records, done)
                continue
            under_way.done(batches)  # its lists may be held back for long
            numbers, purchases_taken = work.applied.listed.numbers.tolist(), len(work.sent_at_ms)
            await publish_lists(debounce, debounce.admit(records, numbers, purchases_taken, event.ack))

    @app.agent(published, name="acknowledging", concurrency=1, supervisor_strategy=CrashingSupervisor)
    async def acknowledge(stream: Any) -> None:
        async for publishing, done in stream:
            await publishing
            done()

    async def publish_lists(debounce: Debounce, lists: list[Outgoing]) -> None:
        if lists:
            await publish([one.record for one in lists], partial(debounce.acknowledged, lists))

    if debounce is not None:

        @app.task  # type: ignore[untyped-decorator]
        async def publish_held() -> None:
            while True:
                await publish_lists(debounce, await debounce.due())

    @app.timer(interval=rules.trends_interval_s)  # type: ignore[untyped-decorator]
    async def publish_trends() -> None:
        if TP(names.purchases, 0) in app.consumer.assignment():
            await trends.publish(clock_ms())

    worker = Worker(app, refresher, counters, status, debounce)

    @app.page("/health")  # type: ignore[arg-type]  # an aiohttp response is one of Faust's
    async def health(_web: Any, _request: Any) -> Response:
        return json_response(
            {
                "status": status["status"],
                "epoch": refresher.epoch,
                "lag": {f"{tp.topic}-{tp.partition}": lag for tp, lag in worker.consumer.lag().items()},
                "counters": counters.as_dict(),
                "held_lists": debounce.held if debounce is not None else 0,
                "trendiness": trendiness.as_dict(),
            }
        )

    @app.on_rebalance_complete.connect
    async def ready(*_: Any, **__: Any) -> None:
        status["status"] = "ready"

    return worker


def start_offset(tp: TP, committed: int | None, log_start: int, fence: int, journaled: int | None = None) -> int:
    """Return where reading a partition begins: at the smaller of the group's offset and the fence + 1.

    Normally the group is behind the state; it is ahead when the store lost its tail. Where the group has committed
    nothing, lists of what was applied may be missing: reading begins at the first purchase that is still in the
    journal (``journaled``). Raises LogTruncated when the log begins after the first offset that the state needs.

    >>> start_offset(TP("purchases", 0), committed=90, log_start=0, fence=99)
    90
    >>> start_offset(TP("purchases", 0), committed=200, log_start=0, fence=99)
    100
    >>> start_offset(TP("purchases", 0), committed=None, log_start=0, fence=99, journaled=3)
    3
    """
    if fence + 1 < log_start:
        msg = (
            f"{tp.topic}-{tp.partition}: the state holds up to offset {fence}, the log begins at {log_start}; "
            "what lies between is gone. Action: run `trendloom state rebuild`: it begins at what the log still holds."
        )
        raise LogTruncated(msg)
    known = journaled if committed is None else committed
    begun = fence + 1 if known is None else min(known, fence + 1)
    return max(begun, log_start)


def _credentials(rules: WorkerRules) -> Any:
    if rules.sasl_mechanism:
        return faust.SASLCredentials(
            username=rules.sasl_username,
            password=rules.sasl_password,
            mechanism=rules.sasl_mechanism,
            ssl_context=rules.ssl_context,
        )
    return faust.SSLCredentials(rules.ssl_context) if rules.ssl_context is not None else None
