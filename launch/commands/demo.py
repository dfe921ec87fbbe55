"""``trendloom demo``: everything on this machine: engines, a worker, made-up customers, and what comes of it, live.

It only puts parts together: :mod:`launch.run` runs, :mod:`launch.terminal_view` and :mod:`dashboard.page` show.
"""

from __future__ import annotations

import functools
import json
import math
import threading
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from config.settings import Settings
from config.stores import store_positions
from dashboard.feed import Feed
from launch.assembly import list_rules, open_catalogue
from launch.interruption import stop_on_interrupt
from launch.options import (
    CatalogueDirectory,
    ConfigFile,
    KafkaAddress,
    PresetName,
    RedisAddress,
    read_settings_with_origins,
)
from launch.page_server import serve_page
from launch.run import run_stream
from launch.run_report import RunReport
from launch.terminal_view import TerminalView
from producers.sender import Sender
from producers.simulate import SimulationSummary, simulate
from producers.synthetic import Simulation
from producers.wares import Wares
from trendloom.catalogue.garment import Catalogue
from trendloom.errors import MissingExtra, SettingsError, TrendloomError

__all__ = ["demo"]

_MOST_AWAITED = 1_000
_WARM_UP = 1_500
_WARM_UP_RATE = 250.0  # purchases a second: slow enough for lists to stay fresh, over in six seconds
_WARM_UP_S = 2 * 86_400.0


def demo(
    purchases: Annotated[
        int | None, typer.Option(min=1, help="How many purchases; default: without end, 5000 with --headless.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the made-up customers.")] = 42,
    rate: Annotated[
        float | None,
        typer.Option(min=0.01, help="Purchases a second; default: 20, as fast as it goes with --headless."),
    ] = None,
    warm_up: Annotated[
        int | None,
        typer.Option(min=0, help="Purchases of the last two days, sent first; default: 1500 if without end, else 0."),
    ] = None,
    customers: Annotated[int, typer.Option(min=1, help="How many made-up customers.")] = 500,
    headless: Annotated[bool, typer.Option("--headless", help="Nothing to watch: run, print a summary, end.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write the run's report to this file, as JSON.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    no_page: Annotated[bool, typer.Option("--no-page", help="Without the page with pictures.")] = False,
    page_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the page (setting dashboard.port).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON at the end.")] = False,
    kafka: KafkaAddress = None,
    redis: RedisAddress = None,
    catalogue: CatalogueDirectory = None,
    preset: PresetName = None,
    config: ConfigFile = None,
) -> None:
    """Start a broker, a Redis and a worker, let made-up customers buy, and watch garments trend and lists refresh."""
    loaded = read_settings_with_origins(
        config,
        {
            "kafka.bootstrap": kafka,
            "redis.url": redis,
            "catalogue.directory": catalogue,
            "lists.preset": preset,
            "dashboard.port": page_port,
        },
    )
    settings = loaded.settings

    def given(name: str, value: str) -> str | None:
        return value if value and loaded.origins[name] != "default" else None

    if not headless:
        # a demo is watched: what rises is told every second or two
        settings = settings.model_copy(update={"worker": settings.worker.model_copy(update={"trends_interval_s": 2.0})})
    list_rules(settings)  # a preset that does not exist is an error now, not in the worker
    if report is not None and not report.resolve().parent.is_dir():
        raise SettingsError(f"{report} cannot be written: its folder does not exist. Action: name another --report.")
    console = Console(stderr=as_json, highlight=False)
    say = functools.partial(console.print, style="dim")
    if headless and purchases is None:
        purchases = 5_000
    embedded = (
        given("kafka.bootstrap", settings.kafka.bootstrap) is None and given("redis.url", settings.redis.url) is None
    )
    paced = rate if rate is not None else (None if headless else 20.0)
    say("loading the catalogue ...")
    garments = open_catalogue(settings)
    simulation = Simulation(
        Wares.of(garments),
        store_positions(),
        seed=seed,
        num_customers=customers,
        max_purchases_per_customer=3,
        burst_every=None if headless else 400.0,
        # one seed, the same purchases; but engines that stay must not see an event id a second time
        run=0 if headless and embedded else time.time_ns() // 1_000_000,
    )

    earlier = warm_up if warm_up is not None else (_WARM_UP if purchases is None else 0)

    def produce(sender: Sender, stop: threading.Event) -> SimulationSummary:
        if earlier:
            simulate(simulation, sender, purchases=earlier, rate=_WARM_UP_RATE, history_s=_WARM_UP_S, stop=stop)
        return simulate(simulation, sender, purchases=purchases, rate=paced, stop=stop)

    with ExitStack() as shown:
        stop = shown.enter_context(stop_on_interrupt())
        feed = Feed(clock_s=time.time, preset=settings.lists.preset)
        address = None
        if not headless and not no_page:
            address = _page(shown, feed, garments, settings, console)
        result = run_stream(
            produce,
            kafka=given("kafka.bootstrap", settings.kafka.bootstrap),
            redis_url=given("redis.url", settings.redis.url),
            workers=workers,
            settings=settings,
            seed=seed,
            view=None if headless else TerminalView(console, garments, address),
            feed=feed,
            stop=stop,
            most_awaited=_MOST_AWAITED if paced is None else None,
            examine_every=1,
            initial_popularity=dict(zip(simulation.wares.item_ids, simulation.initial_popularity, strict=True)),
            say=say,
        )
    if report is not None:
        result.write(report)
    if as_json:
        typer.echo(json.dumps(result.as_dict(), indent=2, default=str))
    _sum_up(console, result, report)
    if not result.ok:
        raise _NotAsPromised(result)


class _NotAsPromised(TrendloomError):
    """The run's own checks found something wrong: a fault of ours."""

    def __init__(self, result: RunReport) -> None:
        super().__init__(
            f"The run is not as promised: sent {result.purchases_sent}, applied {result.purchases_applied}, popularity "
            f"{result.popularity_total}, missing lists {result.missing_lists}, dead letters {result.dead_letters}, "
            f"malformed {result.lists_malformed} {result.complaints}. Action: run it again with --report FILE and "
            "report it; this must never happen."
        )


def _page(shown: ExitStack, feed: Feed, garments: Catalogue, settings: Settings, console: Console) -> str | None:
    served: AbstractContextManager[str]
    try:
        served = serve_page(feed, garments, host=settings.dashboard.host, port=settings.dashboard.port)
        return shown.enter_context(served)
    except MissingExtra as missing:
        console.print(f"(no page: {missing})", style="dim")
        return None


def _sum_up(console: Console, result: RunReport, report: Path | None) -> None:
    fresh = result.freshness_ms
    p50, p99 = (math.nan if fresh[name] is None else float(fresh[name] or 0.0) for name in ("p50", "p99"))
    console.print(
        f"{result.purchases_sent:,} purchases sent, {result.purchases_applied:,} applied, "
        f"{result.lists_published:,} lists for {result.customers:,} customers; "
        + (f"{result.purchases_covered:,} covered by later ones, " if result.purchases_covered else "")
        + f"{result.missing_lists} missing, "
        f"{result.duplicate_lists} duplicates, {result.dead_letters} dead letters.\n"
        f"{result.events_per_s:,.0f} lists/s, freshness p50 {p50:,.0f} ms, p99 {p99:,.0f} ms, {result.wall_s:.1f} s in "
        f"all{f'; report: {report}' if report is not None else ''}.",
        soft_wrap=True,
    )
