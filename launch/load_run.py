"""A whole load test: engines and workers where none are given, the sender, the verifying consumer, step after step.

The sender runs in this process, the consumer in one of its own (:mod:`launch.load_reader`). Between two steps the run
waits until every purchase is settled, so that no step measures the one before it. Read next: ``producers/load.py``,
:mod:`launch.load_report`.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from config.settings import KafkaSettings, Settings
from launch.assembly import can_compile, open_catalogue, topic_names
from launch.compose import aiokafka_options, kafka_options, topic_table
from launch.embedded import Engines
from launch.load_reader import LoadReader
from launch.run_report import engine_versions, package_versions
from launch.topic_admin import create_topics, open_admin
from launch.workers import Workers
from producers.load import LoadSender, StepSending
from producers.load_records import CUSTOMER_PREFIX, LoadRecords, drawn_customers
from producers.load_schedule import LoadStep, plan_steps
from trendloom.errors import SettingsError
from trendloom.verify.load_check import LoadCheck, PartCheck, previous_purchases
from trendloom.verify.saturation import Sample, Verdict, judge

__all__ = ["Drain", "LoadOutcome", "LoadPlan", "StepOutcome", "run_load"]

_LOOK_EVERY_S = 0.1
_EMBEDDED_SESSION_S = 6.0
_LEAD_MS = 50.0  # a step starts a little after it was decided, so that its first purchases are in time


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What a load test is to do: ``drain`` purchases as fast as possible, then a step for each rate."""

    rates_per_s: Sequence[float]
    step_s: float
    drain: int = 0
    customers: int = 100_000
    items: int | None = None
    zipf: float = 1.0
    seed: int = 42
    max_in_flight: int = 200_000
    #: The run ends when purchases are awaited and nothing has come back for so long.
    patience_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Drain:
    """How the drain went: purchases written a second, and lists a second from the first list to the last."""

    purchases: int
    written_per_s: float
    lists_per_s: float
    part: PartCheck


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What was offered in a step, and what became of it."""

    step: LoadStep
    sending: StepSending
    samples: list[Sample]
    verdict: Verdict
    part: PartCheck


@dataclass(slots=True)
class LoadOutcome:
    """A whole load test; ``missing`` are purchases handed over that have no list, no later list, no dead letter."""

    plan: LoadPlan
    sent: int = 0
    missing: int = 0
    drain: Drain | None = None
    steps: list[StepOutcome] = field(default_factory=list)
    check: LoadCheck | None = None
    items: int = 0
    partitions: int = 0
    idempotent: bool = True
    debounce_ms: int = 0
    wall_s: float = 0.0
    sender_cpu_s: float = 0.0
    reader_cpu_s: float = 0.0
    #: Why the run ended early, if it did.
    ended_early: str = ""
    versions: dict[str, str] = field(default_factory=dict)


def run_load(
    plan: LoadPlan,
    settings: Settings,
    *,
    embedded: bool,
    workers: int = 1,
    stopped: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _line: None,
    on_step: Callable[[LoadStep, StepSending, Sample], None] = lambda _step, _sending, _sample: None,
) -> LoadOutcome:
    """Run a load test and return what happened.

    ``embedded`` starts engines and ``workers``; else the Kafka of the settings is used, and workers run elsewhere. A
    drain is written before the embedded workers start. ``on_step`` is told ten times a second how a step goes.
    """
    with ExitStack() as parts:
        crew: Workers | None = None
        if embedded:
            engines = parts.enter_context(Engines(say=say))
            settings = _for_embedded(settings, engines)
            crew = Workers(engines.processes, settings)
            with open_admin(kafka_options(settings.kafka), timeout_s=15.0) as admin:
                create_topics(admin, topic_table(settings.kafka), replication_factor=settings.kafka.replication_factor)
        running = _Running(plan, settings, embedded, crew, workers, stopped, say, on_step)
        outcome = asyncio.run(running.run())
        if crew is not None:
            outcome.versions = engine_versions(settings, embedded_broker=True)
            crew.drain()
        else:
            outcome.versions = {"broker": settings.kafka.bootstrap}
    outcome.versions = package_versions() | outcome.versions
    return outcome


class _Running:
    """One load test under way."""

    def __init__(
        self,
        plan: LoadPlan,
        settings: Settings,
        embedded: bool,
        crew: Workers | None,
        workers: int,
        stopped: Callable[[], bool],
        say: Callable[[str], None],
        on_step: Callable[[LoadStep, StepSending, Sample], None],
    ) -> None:
        self._plan, self._settings, self._embedded = plan, settings, embedded
        self._crew, self._workers, self._stopped, self._say, self._on_step = crew, workers, stopped, say, on_step
        self._item_ids = _items_for_sale(settings, plan.items)
        self._steps = plan_steps(plan.rates_per_s, plan.step_s, first=plan.drain)
        self._run_id = uuid.uuid4()

    async def run(self) -> LoadOutcome:
        began_s, plan = time.monotonic(), self._plan
        outcome = LoadOutcome(plan, items=len(self._item_ids), debounce_ms=self._settings.lists.debounce_ms)
        purchases, recommendations, dead_letters, _ = topic_names(self._settings)
        sender = LoadSender(
            aiokafka_options(self._settings.kafka),
            purchases,
            self._records,
            max_in_flight=plan.max_in_flight,
            compression=_compression(self._settings.kafka),
            idempotent=not self._embedded,  # the embedded broker cannot
            packed=can_compile(),
        )
        async with sender:
            ends = [plan.drain, *(step.first + step.count for step in self._steps)]
            with LoadReader(
                self._settings.kafka,
                recommendations,
                dead_letters,
                make_check=self._check(sender.records, ends),
                from_beginning=self._embedded,
            ) as reader:
                cpu_s = time.process_time()
                try:
                    if not plan.drain:
                        self._start_workers()
                    else:
                        await self._drain(outcome, sender, reader)
                    for step in self._steps:
                        if self._stopped():
                            outcome.ended_early = "interrupted"
                            break
                        outcome.steps.append(await self._run_step(step, sender, reader))
                except _NothingComes as silence:
                    outcome.ended_early = str(silence)
                    if silence.step is not None:
                        outcome.steps.append(silence.step)
                outcome.sender_cpu_s = time.process_time() - cpu_s
                outcome.sent = sender.handed_over
                outcome.partitions, outcome.idempotent = sender.partitions, sender.idempotent
                outcome.check = reader.finish()
                outcome.reader_cpu_s = reader.cpu_s
        self._put_in_checks(outcome, outcome.check)
        outcome.wall_s = time.monotonic() - began_s
        return outcome

    def _check(self, records: LoadRecords, ends: Sequence[int]) -> Callable[[], LoadCheck]:
        """Return what makes the checks in another process; with debounce a later list may cover a purchase."""
        plan = self._plan
        if self._settings.lists.debounce_ms:
            drawn = drawn_customers(ends[-1], customers=plan.customers, exponent=plan.zipf, seed=plan.seed)
            return partial(LoadCheck, records.run, ends, previous_purchases(drawn))
        if not can_compile():
            return partial(LoadCheck, records.run, ends)
        from trendloom.verify.compiled_check import CompiledLoadCheck

        return partial(
            CompiledLoadCheck,
            records.run,
            ends,
            prefix=CUSTOMER_PREFIX,
            digits=records.customer_digits,
            customers=plan.customers,
        )

    def _records(self, partitions: int) -> LoadRecords:
        plan = self._plan
        return LoadRecords(
            self._item_ids,
            customers=plan.customers,
            exponent=plan.zipf,
            seed=plan.seed,
            run=self._run_id,
            partitions=partitions,
        )

    def _start_workers(self) -> None:
        if self._crew is not None:
            self._say(f"starting {self._workers} worker{'s' if self._workers > 1 else ''} ...")
            for _ in range(self._workers):
                self._crew.start()
            self._crew.wait_until_ready()

    async def _drain(self, outcome: LoadOutcome, sender: LoadSender, reader: LoadReader) -> None:
        count = self._plan.drain
        self._say(f"writing {count} purchases as fast as the broker takes them ...")
        sending = await sender.drain(0, count, self._stopped)
        written = sending.handed_over / max((sending.end_ms - sending.start_ms) / 1000.0, 1e-9)
        outcome.drain = Drain(sending.handed_over, written, 0.0, PartCheck())  # what came back is put in at the end
        self._say(f"written at {written:,.0f} a second; waiting for their lists ...")
        self._start_workers()
        await self._settle(sender, reader, lambda: None)

    async def _run_step(self, step: LoadStep, sender: LoadSender, reader: LoadReader) -> StepOutcome:
        sending = StepSending(time.time() * 1000.0 + _LEAD_MS)
        before = sender.handed_over
        samples: list[Sample] = []
        reader.look()
        seen = len(reader.progress)

        def look() -> None:
            nonlocal seen
            reader.look()
            if self._crew is not None:
                self._crew.raise_if_ended()
            for progress in reader.progress[seen:]:
                due = before + step.due(progress.at_ms - sending.start_ms)
                samples.append(Sample(progress.at_ms, due, sender.handed_over, sender.acknowledged, progress.settled))
                self._on_step(step, sending, samples[-1])
            seen = len(reader.progress)

        feeding = asyncio.create_task(sender.run_step(step, sending, self._stopped))
        try:
            while not feeding.done():
                await asyncio.wait([feeding], timeout=_LOOK_EVERY_S)
                look()
            await feeding
        finally:
            feeding.cancel()
        outcome = partial(self._step_outcome, step, sending, samples)
        try:
            await self._settle(sender, reader, look)
        except _NothingComes as silence:
            silence.step = outcome()
            raise
        return outcome()

    def _step_outcome(self, step: LoadStep, sending: StepSending, samples: list[Sample]) -> StepOutcome:
        # judged over the time in which purchases fell due: what comes later is the backlog's end
        ends_ms = sending.start_ms + 1000.0 * step.count / step.rate_per_s
        judged = [sample for sample in samples if sending.start_ms <= sample.at_ms <= ends_ms]
        return StepOutcome(step, sending, samples, judge(step.rate_per_s, judged), PartCheck())

    async def _settle(self, sender: LoadSender, reader: LoadReader, look: Callable[[], None]) -> None:
        """Wait until all that was handed over is settled; raises _NothingComes if nothing does for too long."""
        settled, progress_s = -1, time.monotonic()
        while True:
            latest = reader.look()
            look()
            sender.raise_if_failed()
            if latest.settled >= sender.handed_over:
                return
            if latest.settled != settled:
                settled, progress_s = latest.settled, time.monotonic()
            elif time.monotonic() - progress_s > self._plan.patience_s:
                raise _NothingComes(
                    f"{sender.handed_over - settled} purchases have had no list for {self._plan.patience_s:g} s"
                )
            if self._stopped():
                raise _NothingComes("interrupted")
            await asyncio.sleep(_LOOK_EVERY_S / 2)

    def _put_in_checks(self, outcome: LoadOutcome, check: LoadCheck) -> None:
        outcome.missing = check.missing(outcome.sent)
        if outcome.drain is not None:
            part = check.parts[0]
            flow_s = max((part.last_list_ms - part.first_list_ms) / 1000.0, 1e-9)
            lists_per_s = part.listed / flow_s if part.listed > 1 else 0.0
            outcome.drain = Drain(outcome.drain.purchases, outcome.drain.written_per_s, lists_per_s, part)
        outcome.steps = [
            StepOutcome(found.step, found.sending, found.samples, found.verdict, part)
            for found, part in zip(outcome.steps, check.parts[1:], strict=False)
        ]


class _NothingComes(Exception):
    """The run ends early; what it has found so far is reported."""

    step: StepOutcome | None = None


def _items_for_sale(settings: Settings, number: int | None) -> list[str]:
    item_ids = list(open_catalogue(settings).item_ids)
    if number is None:
        return item_ids
    if not 1 <= number <= len(item_ids):
        raise SettingsError(
            f"--items {number} of a catalogue of {len(item_ids)} cannot be sold. Action: give 1 to {len(item_ids)}, or "
            "another --catalogue."
        )
    return item_ids[:number]


def _compression(kafka: KafkaSettings) -> str | None:
    return None if kafka.compression == "none" else kafka.compression


def _for_embedded(settings: Settings, engines: Engines) -> Settings:
    kafka = {"bootstrap": engines.kafka_bootstrap}
    session_s = settings.kafka.session_timeout_s
    if session_s == KafkaSettings().session_timeout_s:
        session_s = _EMBEDDED_SESSION_S  # the embedded broker lets the first worker wait for half of it
    return settings.model_copy(
        update={
            "kafka": settings.kafka.model_copy(update=kafka | {"session_timeout_s": session_s}),
            "redis": settings.redis.model_copy(update={"url": engines.redis_url}),
        }
    )
