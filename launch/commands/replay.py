"""``trendloom replay``: send a recorded purchase log to Kafka, or run it through everything on this machine.

With ``--kafka`` purchases are only sent (``--with-worker`` adds workers); without, embedded engines and a worker are
started, all lists are awaited and checked, and everything is stopped again. Read next: ``producers/replay.py``.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from config.settings import Settings
from launch.commands.simulate import read_rate
from launch.compose import kafka_options, topic_table
from launch.interruption import stop_on_interrupt
from launch.log_options import ColumnMap, KnownColumns, LogFile, LogFrom, LogTo, TimeFormat
from launch.options import (
    AsJson,
    CatalogueDirectory,
    ConfigFile,
    KafkaAddress,
    RedisAddress,
    read_settings_with_origins,
)
from trendloom.errors import SettingsError

if TYPE_CHECKING:
    from config.loading import LoadedSettings
    from producers.replay import ReplayProgress, ReplaySummary, Resumption
    from producers.sender import Sender
    from trendloom.logs.purchase_log import PurchaseLog

__all__ = ["replay"]


def replay(
    log: LogFile,
    preset: KnownColumns = None,
    column_map: ColumnMap = None,
    time_format: TimeFormat = None,
    catalogue: CatalogueDirectory = None,
    speed: Annotated[
        str, typer.Option(metavar="N|max", help="The log's gaps are divided by this; max sends as fast as possible.")
    ] = "max",
    from_: LogFrom = None,
    to: LogTo = None,
    seed: Annotated[int, typer.Option(help="Seed of the times of day of a log that has only dates.", min=0)] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after what was acknowledged the last time.")] = False,
    resume_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where that is remembered (with --kafka). Default: var/replay-HASH.json."),
    ] = None,
    kafka: KafkaAddress = None,
    redis: RedisAddress = None,
    with_worker: Annotated[
        bool, typer.Option("--with-worker", help="With --kafka and --redis: start workers too, and check their lists.")
    ] = False,
    workers: Annotated[int, typer.Option(help="Workers to start, where workers are started.", min=1)] = 1,
    relevance: Annotated[
        str | None, typer.Option(metavar="NAME", help="Relevance preset of the started workers: balanced or paper.")
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="No live display.")] = False,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the run's report, JSON.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Send a recorded purchase log in event-time order; without --kafka, run it through everything on this machine."""
    from producers.replay import Resumption
    from trendloom.logs.columns import parse_mapping
    from trendloom.logs.event_time import parse_moment
    from trendloom.logs.read import read_log

    loaded = read_settings_with_origins(
        config,
        {
            "kafka.bootstrap": kafka,
            "redis.url": redis,
            "catalogue.directory": catalogue,
            "lists.preset": relevance,
        },
    )
    pace = read_rate(speed, flag="--speed")
    only_send = loaded.origins["kafka.bootstrap"] != "default" and not with_worker
    if resume and not only_send:
        raise SettingsError("--resume needs --kafka: what runs embedded is gone when it ends. Action: leave it out.")
    if report is not None and only_send:
        raise SettingsError(
            "--report needs lists to report on. Action: add --with-worker and --redis, or leave out --kafka."
        )
    purchases = read_log(
        log,
        parse_mapping(column_map or [], preset=preset, time_format=time_format),
        seed=seed,
        from_ms=parse_moment(from_) if from_ else None,
        to_ms=parse_moment(to) if to else None,
    )
    quiet = headless or as_json
    typer.echo(_sentence(purchases), err=True)
    if not only_send:
        _run_everything(
            purchases,
            loaded,
            speed=pace,
            workers=workers,
            quiet=quiet,
            report=report,
            as_json=as_json,
        )
        return
    resumption = Resumption(resume_file or Path("var") / f"replay-{purchases.order_key[:16]}.json")
    summary = _send(purchases, loaded.settings, speed=pace, resumption=resumption, resume=resume, quiet=quiet)
    if as_json:
        told = dataclasses.asdict(summary) | {"rejected": purchases.rejected, "rows_outside": purchases.rows_outside}
        typer.echo(json.dumps(told))
        return
    rate = summary.sent / summary.wall_s if summary.wall_s > 0 else 0.0
    typer.echo(f"{summary.acknowledged} purchases acknowledged in {summary.wall_s:.1f} s ({rate:.0f}/s).")
    if not summary.finished:
        typer.echo(f"{summary.total - summary.first - summary.sent} are left: run again with --resume.")


def _run_everything(
    log: PurchaseLog,
    loaded: LoadedSettings,
    *,
    speed: float | None,
    workers: int,
    quiet: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    from launch.run import run_stream
    from producers.replay import replay_log

    def given(name: str, value: str) -> str | None:
        return value if loaded.origins[name] != "default" else None

    settings = loaded.settings
    with stop_on_interrupt() as stop, _bar(len(log), 0, quiet=quiet) as show:

        def produce(sender: Sender, ended: threading.Event) -> ReplaySummary:
            return replay_log(log, sender, speed=speed, stop=ended, progress=show)

        found = run_stream(
            produce,
            kafka=given("kafka.bootstrap", settings.kafka.bootstrap),
            redis_url=given("redis.url", settings.redis.url),
            workers=workers,
            settings=settings,
            seed=log.seed,
            stop=stop,
            # a paced replay must not wait for lists: that would hide how late they are
            most_awaited=16_000 if speed is None else None,
            say=lambda line: typer.echo(line, err=True),
        )
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        found.write(report)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), default=str))
    else:
        typer.echo(
            f"{found.purchases_sent} purchases sent, {found.purchases_applied} applied, {found.lists_published} lists, "
            + (f"{found.purchases_covered} covered by later ones, " if found.purchases_covered else "")
            + f"{found.missing_lists} missing, {found.dead_letters} dead letters, {found.events_per_s:.0f} lists/s, "
            f"freshness p50 {found.freshness_ms['p50']} ms, p99 {found.freshness_ms['p99']} ms."
        )
    if not found.ok:
        typer.echo(
            "trendloom: the run's counts do not add up. Action: read the report and the complaints in it.", err=True
        )
        raise typer.Exit(1)


def _send(
    log: PurchaseLog,
    settings: Settings,
    *,
    speed: float | None,
    resumption: Resumption,
    resume: bool,
    quiet: bool,
) -> ReplaySummary:
    from producers.replay import replay_log
    from producers.sender import KafkaSender

    first = resumption.load(log) if resume else 0
    sender = KafkaSender(
        kafka_options(settings.kafka),
        topic=topic_table(settings.kafka)[0].name,
        give_up_after_s=settings.worker.retry_budget_s,
        compression=settings.kafka.compression,
    )
    try:
        with stop_on_interrupt() as stop, _bar(len(log), first, quiet=quiet) as show:
            return replay_log(log, sender, speed=speed, first=first, resumption=resumption, stop=stop, progress=show)
    finally:
        sender.close()


def _sentence(log: PurchaseLog) -> str:
    said = f"{log.name}: {len(log)} purchases of {log.rows_read} rows"
    if len(log):
        days = (_date(int(log.occurred_at_ms[0])), _date(int(log.occurred_at_ms[-1])))
        said += f", {days[0]} to {days[1]}"
    if log.dates_only:
        said += f"; times of day are seeded ({log.seed})"
    if log.rows_outside:
        said += f"; {log.rows_outside} outside the window"
    if log.rejected:
        said += "; left out: " + ", ".join(f"{reason} {count}" for reason, count in log.rejected.items())
    return said + "."


def _date(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000.0, UTC).strftime("%Y-%m-%d")


@contextmanager
def _bar(total: int, first: int, *, quiet: bool) -> Iterator[Callable[[ReplayProgress], None] | None]:
    if quiet:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("replay", total=total, completed=first)

        def show(reached: ReplayProgress) -> None:
            moment = datetime.fromtimestamp(reached.event_time_ms / 1000.0, UTC).strftime("%Y-%m-%d %H:%M")
            progress.update(task, completed=reached.sent, description=f"replay {moment}")

        yield show
