"""``trendloom load``: an open-loop load test with a consumer that checks every list.

With ``--kafka`` the workers run elsewhere; without, embedded engines and a worker are started. Read next:
:mod:`launch.load_run`, ``docs/load.md``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from launch.interruption import stop_on_interrupt
from launch.options import (
    AsJson,
    CatalogueDirectory,
    ConfigFile,
    DebounceMs,
    KafkaAddress,
    PresetName,
    read_settings_with_origins,
)
from trendloom.errors import SettingsError

if TYPE_CHECKING:
    from producers.load import StepSending
    from producers.load_schedule import LoadStep
    from trendloom.verify.saturation import Sample

__all__ = ["load"]


def load(
    rate: Annotated[
        float | None, typer.Option(help="Purchases per second, one step. Default 1000, if no --steps and no --drain.")
    ] = None,
    steps: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Purchases per second of one step after another.")
    ] = None,
    step_s: Annotated[
        float, typer.Option("--step-s", help="How long a step offers its rate, seconds.", min=0.1)
    ] = 10.0,
    drain: Annotated[
        int,
        typer.Option(
            metavar="N", help="First write N purchases as fast as possible, and report the drain rate.", min=0
        ),
    ] = 0,
    customers: Annotated[int, typer.Option(help="Customers. Number >= 1.", min=1)] = 100_000,
    items: Annotated[
        int | None, typer.Option(help="Sell only the first so many items of the catalogue. Default: all.", min=1)
    ] = None,
    zipf: Annotated[
        float, typer.Option(help="Exponent of the Zipf distribution of customers and items; 0 is uniform.", min=0.0)
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed: the same seed buys the same things in the same order.", min=0)] = 42,
    max_in_flight: Annotated[
        int, typer.Option(help="Purchases without acknowledgement that memory is kept for, 600 bytes each.", min=1)
    ] = 200_000,
    patience_s: Annotated[
        float,
        typer.Option("--patience-s", help="End when lists are awaited and none comes for so long, seconds.", min=1),
    ] = 60.0,
    kafka: KafkaAddress = None,
    catalogue: CatalogueDirectory = None,
    workers: Annotated[int, typer.Option(help="Workers to start, without --kafka.", min=1)] = 1,
    preset: PresetName = None,
    debounce_ms: DebounceMs = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report, JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Write latency against rate, SVG.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Push purchases at a fixed rate, or step by step, and measure the freshness of every list that comes back."""
    from launch.latency_plot import write_plot
    from launch.load_report import as_report, as_table, write_report
    from launch.load_run import LoadPlan, run_load
    from producers.load_schedule import parse_rates

    if rate is not None and steps is not None:
        raise SettingsError("--rate and --steps contradict each other. Action: give one of them.")
    if plot is not None and drain and rate is None and steps is None:
        raise SettingsError("--plot needs a step: a drain has no rate. Action: add --rate or --steps.")
    default = "" if drain else "1000"
    text = steps if steps is not None else (str(rate) if rate is not None else default)
    loaded = read_settings_with_origins(
        config,
        {
            "kafka.bootstrap": kafka,
            "catalogue.directory": catalogue,
            "lists.preset": preset,
            "lists.debounce_ms": debounce_ms,
        },
    )
    plan = LoadPlan(
        rates_per_s=parse_rates(text) if text else [],
        step_s=step_s,
        drain=drain,
        customers=customers,
        items=items,
        zipf=zipf,
        seed=seed,
        max_in_flight=max_in_flight,
        patience_s=patience_s,
    )
    started_at = datetime.now(UTC)
    with stop_on_interrupt() as stop, _shown(step_s, quiet=as_json) as show:
        outcome = run_load(
            plan,
            loaded.settings,
            embedded=loaded.origins["kafka.bootstrap"] == "default",
            workers=workers,
            stopped=stop.is_set,
            say=lambda line: typer.echo(line, err=True),
            on_step=show,
        )
    found = as_report(outcome, started_at)
    if report is not None:
        write_report(found, report)
    if plot is not None:
        write_plot(found["steps"], plot, title=f"Freshness against rate, {started_at:%Y-%m-%d}")
    if as_json:
        typer.echo(json.dumps(found))
    else:
        if found["steps"]:
            Console().print(as_table(found))
        for row in found["steps"]:
            if row["saturated"]:
                typer.echo(f"{row['offered_per_s']:,.0f}/s saturates: {row['why']}.")
        typer.echo(_sentence(found))
    faults = _faults(found)
    if faults:
        typer.echo(f"trendloom: {faults}. Action: read the report, and the workers' health pages and logs.", err=True)
        raise typer.Exit(1)


def _sentence(found: dict[str, Any]) -> str:
    said = ""
    if "drain" in found:
        drain = found["drain"]
        said = (
            f"Drain: {drain['purchases']:,} purchases written at {drain['written_per_s']:,.0f}/s, "
            f"listed at {drain['lists_per_s']:,.0f}/s. "
        )
    return said + (
        f"{found['purchases_sent']:,} purchases, {found['lists']:,} lists, "
        + (f"{found['purchases_covered']:,} covered by later ones, " if found["settings"]["debounce_ms"] else "")
        + f"{found['missing_lists']} missing, "
        f"{found['duplicate_lists']} duplicates, {found['purchases_refused']} dead letters. Seed {found['seed']}."
    )


def _faults(found: dict[str, Any]) -> str:
    """Return what must not be; empty where all is well. Saturation is a finding, not a fault."""
    counts = {
        "purchases without a list": found["missing_lists"],
        "versions that do not grow": found["version_regressions"],
        "unreadable lists": found["unreadable_lists"],
    }
    said = [f"{count} {name}" for name, count in counts.items() if count]
    if found["ended_early"] not in {"", "interrupted"}:
        said.insert(0, str(found["ended_early"]))
    return "; ".join(said)


@contextmanager
def _shown(step_s: float, *, quiet: bool) -> Iterator[Callable[[LoadStep, StepSending, Sample], None]]:
    if quiet:
        yield lambda _step, _sending, _sample: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("backlog {task.fields[backlog]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks: dict[int, Any] = {}

        def show(step: LoadStep, sending: StepSending, sample: Sample) -> None:
            if step.first not in tasks:
                tasks[step.first] = progress.add_task(f"{step.rate_per_s:,.0f}/s", total=step_s, backlog=0)
            elapsed_s = max(0.0, (sample.at_ms - sending.start_ms) / 1000.0)
            progress.update(tasks[step.first], completed=min(elapsed_s, step_s), backlog=f"{sample.backlog:,}")

        yield show
