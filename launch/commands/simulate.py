"""``trendloom simulate``: send purchases of made-up customers to Kafka.

The flags of the source system are all here, in both spellings (``--num-customers``, ``--num_customers``), with its
defaults. Read next: ``producers/synthetic.py`` for what customers do.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from launch.compose import kafka_options, topic_table
from launch.interruption import stop_on_interrupt
from launch.options import AsJson, CatalogueDirectory, ConfigFile, KafkaAddress, read_settings
from trendloom.errors import SettingsError
from trendloom.events import Purchase

__all__ = ["read_rate", "simulate"]


def read_rate(text: str, *, flag: str = "--rate") -> float | None:
    """Return a positive number, or None for ``max``; raises :class:`SettingsError` for anything else.

    >>> read_rate("20"), read_rate("max")
    (20.0, None)
    """
    if text.strip().lower() == "max":
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0.0 < rate < float("inf"):
        raise SettingsError(f"{flag} {text!r} is neither a number above 0 nor max. Action: give one of them.")
    return rate


def simulate(
    kafka: KafkaAddress = None,
    catalogue: CatalogueDirectory = None,
    config: ConfigFile = None,
    seed: Annotated[int, typer.Option(help="Seed: the same seed buys the same. Number >= 0.")] = 42,
    num_customers: Annotated[
        int, typer.Option("--num-customers", "--num_customers", "--customers", help="Customers. Number >= 1.")
    ] = 15,
    max_purchases_per_customer: Annotated[
        int,
        typer.Option(
            "--max-purchases-per-customer", "--max_purchases_per_customer", help="Most purchases in one visit. >= 1."
        ),
    ] = 3,
    p_max: Annotated[
        int,
        typer.Option("--P-max", "--P_max", "--p-max", help="Initial popularity is drawn from 0 to this, in purchases."),
    ] = 100,
    p_threshold: Annotated[
        float,
        typer.Option(
            "--P-threshold",
            "--P_threshold",
            "--p-threshold",
            help="Share of items that are popular, in [0, 1]: those in the top of popularity.",
        ),
    ] = 0.15,
    top_k: Annotated[
        int | None,
        typer.Option("--top-k", "--top_k", help="Not used here: lists are made by `trendloom worker --top-k`."),
    ] = None,
    penalty_exponent: Annotated[
        float | None,
        typer.Option(
            "--Penalty-exponent",
            "--Penalty_exponent",
            "--penalty-exponent",
            help="Not used here: the penalty belongs to the worker's preset `paper`, where it is 4.",
        ),
    ] = None,
    purchases: Annotated[
        int | None,
        typer.Option(help="Purchases to send; customers come again and again. Else each comes once.", min=1),
    ] = None,
    endless: Annotated[bool, typer.Option("--endless", help="Go on until Ctrl-C.")] = False,
    rate: Annotated[str, typer.Option(metavar="N|max", help="Purchases per second, or max.")] = "20",
    history_hours: Annotated[
        float,
        typer.Option(
            help="Event times lie in the hours before now (or --until), busier by day; 0: when they are sent.", min=0
        ),
    ] = 0.0,
    speed: Annotated[
        float,
        typer.Option(help="With --endless and a history: seconds of event time per second, until now is reached."),
    ] = 600.0,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="End of the history, a date or an ISO 8601 time. Default: now.")
    ] = None,
    burst: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ITEM@SECONDS", help="An item suddenly trends, so many seconds after the start. May be repeated."
        ),
    ] = None,
    burst_every: Annotated[
        float | None, typer.Option(help="Random bursts: mean number of purchases between two. Default: none.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send purchases of made-up customers to Kafka; without --purchases and --endless every customer comes once."""
    from config.stores import store_positions
    from launch.assembly import open_catalogue
    from producers.bursts import parse_burst
    from producers.sender import KafkaSender
    from producers.simulate import simulate as send_simulation
    from producers.synthetic import Simulation
    from producers.wares import Wares
    from trendloom.logs.event_time import parse_moment

    if purchases is not None and endless:
        raise SettingsError("--purchases and --endless contradict each other. Action: give one of them.")
    settings = read_settings(config, {"kafka.bootstrap": kafka, "catalogue.directory": catalogue})
    pace = read_rate(rate)
    planned = [parse_burst(text) for text in burst or []]
    until_ms = parse_moment(until) if until else time.time_ns() // 1_000_000
    simulation = Simulation(
        Wares.of(open_catalogue(settings)),
        store_positions(),
        seed=seed,
        num_customers=num_customers,
        max_purchases_per_customer=max_purchases_per_customer,
        p_max=p_max,
        p_threshold=p_threshold,
        one_visit_each=purchases is None and not endless,
        burst_every=burst_every,
        run=until_ms,
    )
    if not as_json:
        for name, value in (("--top-k", top_k), ("--Penalty-exponent", penalty_exponent)):
            if value is not None:
                typer.echo(f"{name} is the worker's: it has no effect on what customers buy.", err=True)
    number = purchases if purchases is not None else simulation.planned
    sender = KafkaSender(
        kafka_options(settings.kafka),
        topic=topic_table(settings.kafka)[0].name,
        give_up_after_s=settings.worker.retry_budget_s,
        compression=settings.kafka.compression,
    )
    try:
        with stop_on_interrupt() as stop, _counter(number, quiet=as_json) as count:
            summary = send_simulation(
                simulation,
                sender,
                purchases=purchases,
                rate=pace,
                history_s=history_hours * 3600.0,
                speed=speed,
                until_ms=until_ms,
                bursts=planned,
                stop=stop,
                on_purchase=count,
            )
    finally:
        sender.close()
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(summary)))
        return
    share = summary.from_popular / summary.sent if summary.sent else 0.0
    typer.echo(
        f"{summary.acknowledged} purchases of {summary.customers} customers and {summary.items} items in "
        f"{summary.wall_s:.1f} s; {share:.0%} were popular then. Seed {summary.seed}."
    )


@contextmanager
def _counter(number: int | None, *, quiet: bool) -> Iterator[_Count]:
    count = _Count()
    if quiet:
        yield count
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/s  {task.fields[item]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("purchases", total=number, rate=0, item="")
        began = time.monotonic()

        def show() -> None:
            elapsed_s = max(time.monotonic() - began, 1e-9)
            progress.update(task, completed=count.number, rate=round(count.number / elapsed_s), item=count.item)

        count.show = show
        yield count
        show()


class _Count:
    """Counts purchases and shows the count now and then."""

    def __init__(self) -> None:
        self.number = 0
        self.item = ""
        self.shown_s = 0.0
        self.show: Callable[[], None] = lambda: None

    def __call__(self, purchase: Purchase) -> None:
        self.number += 1
        now_s = time.monotonic()
        if now_s - self.shown_s > 0.1:
            self.shown_s = now_s
            self.item = f"{purchase.customer_id} bought {purchase.item_id}"
            self.show()
