"""One whole run: engines, topics, workers, a producer and a verifying consumer, and the report of what happened.

``demo`` and ``replay`` are this with another producer. Everything ends in bounded time: a run that makes no progress
is an error that shows the worker's last words. Read next: :mod:`launch.run_report` for what is reported,
:mod:`launch.embedded`, :mod:`launch.workers`, :mod:`launch.list_reader` for the parts.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from config.loading import load_settings
from config.settings import KafkaSettings, Settings
from dashboard.feed import Feed
from launch.assembly import catalogue_path, seed_initial_popularity, topic_names
from launch.compose import kafka_options, topic_table
from launch.embedded import Engines
from launch.list_reader import ListReader
from launch.processes import ProgramFailed
from launch.run_report import RunReport, StateTotals, engine_versions, package_versions, read_totals
from launch.topic_admin import create_topics, open_admin
from launch.workers import Workers
from producers.sender import KafkaSender, Sender
from trendloom.events import Purchase
from trendloom.verify.stream_check import StreamCheck

__all__ = ["CheckedSender", "Produce", "View", "run_stream"]

#: Sends purchases until it is done or the event is set; what it returns goes to the report as ``producer``.
Produce = Callable[[Sender, threading.Event], Any]

_STEP_S = 0.05
_EMBEDDED_SESSION_S = 6.0
_REST_S = 0.3  # after the last awaited list: time for duplicates to show


class View(Protocol):
    """Something that shows a running feed: entered when the run starts to flow, left when it ends."""

    def watch(self, feed: Feed) -> AbstractContextManager[None]:
        """Show the feed while the block runs."""
        ...


class CheckedSender:
    """A sender that notes every purchase before it is sent, and waits while too many have no list yet.

    ``most_awaited`` bounds the purchases on their way; ``None`` does not wait (for paced runs: a paced sender that
    waited would hide how late the lists are).
    """

    def __init__(
        self, inner: Sender, check: StreamCheck, feed: Feed, stop: threading.Event, most_awaited: int | None
    ) -> None:
        self._inner, self._check, self._feed, self._stop = inner, check, feed, stop
        self._most_awaited = most_awaited

    @property
    def sent(self) -> int:
        """Purchases handed over so far."""
        return self._inner.sent

    @property
    def acknowledged(self) -> int:
        """How many of the first purchases handed over are acknowledged, without a gap."""
        return self._inner.acknowledged

    @property
    def failed(self) -> int:
        """Purchases that were given up."""
        return self._inner.failed

    def send(self, purchase: Purchase, *, sent_at_ms: int) -> None:
        """Note the purchase and hand it over; blocks while too many are awaited."""
        if self._most_awaited is not None:
            while self._check.outstanding >= self._most_awaited and not self._stop.is_set():
                time.sleep(0.001)
        self._check.sent(purchase.event_id, purchase.customer_id)
        self._feed.purchase_sent()
        self._inner.send(purchase, sent_at_ms=sent_at_ms)

    def flush(self) -> None:
        """Wait until everything is acknowledged."""
        self._inner.flush()


def run_stream(
    produce: Produce,
    *,
    catalogue_dir: Path | None = None,
    kafka: str | None = None,
    redis_url: str | None = None,
    workers: int = 1,
    preset: str | None = None,
    top_k: int | None = None,
    settings: Settings | None = None,
    seed: int | None = None,
    view: View | None = None,
    feed: Feed | None = None,
    stop: threading.Event | None = None,
    most_awaited: int | None = 2_000,
    patience_s: float = 60.0,
    examine_every: int = 16,
    initial_popularity: Mapping[str, float] | None = None,
    on_list: Callable[[dict[str, Any]], None] | None = None,
    on_workers: Callable[[Workers], None] | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> RunReport:
    """Run ``produce`` against engines and workers, wait for every list, and return what happened.

    ``kafka`` (``HOST:PORT``) and ``redis_url`` replace the embedded engines; ``catalogue_dir`` (default: the demo's),
    ``preset`` and ``top_k`` replace those of ``settings``. ``produce`` runs in a thread. ``stop``, once set, ends the
    run early and in order. ``most_awaited`` bounds the purchases on their way (``None`` for paced runs).
    ``initial_popularity`` is what a simulation says items were bought before it began, by item id. ``on_list`` gets
    every decoded list, in the reading thread; ``on_workers`` the running workers, before the first purchase.

    Raises :class:`~launch.processes.ProgramFailed` if a worker ends by itself, or if purchases are awaited and neither
    a list nor a dead letter comes for ``patience_s`` seconds; whatever the producer raised is raised here.
    """
    started_at, began_s = datetime.now(UTC), time.monotonic()
    stop = stop or threading.Event()
    with ExitStack() as open_parts:
        engines = open_parts.enter_context(Engines(kafka=kafka, redis_url=redis_url, say=say))
        settings = _settled(settings or load_settings().settings, engines, catalogue_dir, preset, top_k)
        if kafka is None:
            settings = _quick_to_join(settings)
        feed = feed or Feed(clock_s=time.time, preset=settings.lists.preset)
        check = StreamCheck(examine_every=examine_every, debounced=settings.lists.debounce_ms > 0)
        options = kafka_options(settings.kafka)
        with open_admin(options, timeout_s=15.0) as admin:
            create_topics(admin, topic_table(settings.kafka), replication_factor=settings.kafka.replication_factor)
        if initial_popularity:
            asyncio.run(seed_initial_popularity(settings, initial_popularity))
        before = read_totals(settings) if redis_url is not None else StateTotals()

        say(f"starting {workers} worker{'s' if workers > 1 else ''} ...")
        crew = Workers(engines.processes, settings)
        for _ in range(workers):
            crew.start()
        purchases, recommendations, dead_letters, trends = topic_names(settings)
        reader = open_parts.enter_context(
            ListReader(
                options,
                check,
                feed,
                recommendations=recommendations,
                dead_letters=dead_letters,
                trends=trends,
                from_beginning=kafka is None,
                on_list=on_list,
            )
        )
        crew.wait_until_ready()
        if on_workers is not None:
            on_workers(crew)
        say(f"ready after {time.monotonic() - began_s:.1f} s")
        feed.status("running")

        sender = KafkaSender(options, topic=purchases)
        open_parts.callback(sender.close)
        if view is not None:
            open_parts.enter_context(view.watch(feed))
        first_s = time.monotonic()
        producing = _Producing(produce, CheckedSender(sender, check, feed, stop, most_awaited), stop)
        try:
            _see_through(producing, check, reader, crew, patience_s)
        finally:
            stop.set()
            producing.join()
        feed.status("finishing")
        time.sleep(_REST_S)
        reader.raise_if_failed()
        health = {number: crew.health(number) for number in crew.running}
        crew.drain()
        reader.close()
        after = read_totals(settings)
        feed.status("done")
        return RunReport.of(
            check,
            before=before,
            after=after,
            settings=settings,
            seed=seed,
            workers=workers,
            worker_counters=[found.get("counters", {}) for found in health.values()],
            producer=producing.summary,
            flow_s=max(reader.last_list_at_s - first_s, 0.0),
            wall_s=time.monotonic() - began_s,
            started_at=started_at,
            versions=package_versions() | engine_versions(settings, embedded_broker=kafka is None),
        )


class _Producing:
    """The producer in its thread; ``done`` once it has returned and everything is acknowledged."""

    def __init__(self, produce: Produce, sender: Sender, stop: threading.Event) -> None:
        self.summary: Any = None
        self.fault: BaseException | None = None
        self.done = False
        self._work = (produce, sender, stop)
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(timeout=10.0)

    def _run(self) -> None:
        produce, sender, stop = self._work
        try:
            self.summary = produce(sender, stop)
            sender.flush()
            self.done = True
        except BaseException as error:  # noqa: BLE001 - kept whole, and raised in the run's own thread
            self.fault = error


def _see_through(
    producing: _Producing, check: StreamCheck, reader: ListReader, crew: Workers, patience_s: float
) -> None:
    """Return once all was sent and every purchase has its list; raise whatever went wrong, or the lack of progress."""
    settled, progress_s = -1, time.monotonic()
    while not (producing.done and check.outstanding == 0):
        if producing.fault is not None:
            raise producing.fault
        reader.raise_if_failed()
        crew.raise_if_ended()
        if check.settled != settled or check.outstanding == 0:
            settled, progress_s = check.settled, time.monotonic()
        elif time.monotonic() - progress_s > patience_s:
            number, (process, _) = next(iter(crew.running.items()))
            raise ProgramFailed(
                f"{check.outstanding} purchases have had no list for {patience_s:g} s; {process.name} counts "
                f"{crew.health(number).get('counters', {})} and said last:\n{process.tail()}\nAction: see above. "
                "A purchase that the state has counted before (repeated) gets no second list; a slow machine may need "
                "a longer patience."
            )
        time.sleep(_STEP_S)


def _settled(
    settings: Settings, engines: Engines, catalogue_dir: Path | None, preset: str | None, top_k: int | None
) -> Settings:
    """Return the settings with what this run decides put in."""
    kafka = settings.kafka.model_copy(update={"bootstrap": engines.kafka_bootstrap})
    redis = settings.redis.model_copy(update={"url": engines.redis_url})
    lists = settings.lists.model_copy(
        update={name: value for name, value in (("preset", preset), ("top_k", top_k)) if value is not None}
    )
    place = catalogue_dir or catalogue_path(settings)
    catalogue = settings.catalogue.model_copy(update={"directory": str(place.resolve())})
    return settings.model_copy(update={"kafka": kafka, "redis": redis, "lists": lists, "catalogue": catalogue})


def _quick_to_join(settings: Settings) -> Settings:
    """Return the settings with a short session, unless one was asked for.

    The embedded broker lets the first worker wait for half its session timeout before it gets its partitions.
    """
    if settings.kafka.session_timeout_s != KafkaSettings().session_timeout_s:
        return settings
    kafka = settings.kafka.model_copy(update={"session_timeout_s": _EMBEDDED_SESSION_S})
    return settings.model_copy(update={"kafka": kafka})
