"""``trendloom evaluate``: how good the lists are, on a recorded log.

``prequential`` asks every model about each purchase before it is learnt and writes a report. What is asked and how it
is judged is in ``evaluation/``; this reads flags, shows progress and writes files.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from launch.log_options import ColumnMap, KnownColumns, LogFile, LogTo, TimeFormat
from launch.options import ConfigFile, read_settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Measure the lists on a recorded log.", add_completion=False)


@app.callback()
def _group() -> None:
    pass


@app.command()
def prequential(
    log: LogFile,
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help="First scored time (UTC); before: warm-up.")],
    catalogue: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Catalogue directory; without one, models that need none.")
    ] = None,
    columns: KnownColumns = None,
    column_map: ColumnMap = None,
    time_format: TimeFormat = None,
    to: LogTo = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A model's name; may be repeated. Default: all untrained."),
    ] = None,
    baseline: Annotated[str, typer.Option(help="Model that the others are compared with.")] = "item-knn",
    seed: Annotated[
        list[int] | None, typer.Option("--seed", help="Seed of times of day and ties; may be repeated. Default: 1.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Purchases that are asked about at once, then learnt.")] = 500,
    every: Annotated[int, typer.Option(min=1, help="Score every so manieth basket (all are learnt).")] = 1,
    frozen: Annotated[
        bool, typer.Option(help="Also ask each model with its state frozen at midnight: what live is worth.")
    ] = True,
    past: Annotated[
        Path | None, typer.Option(metavar="LOG", help="An earlier log; only its part before the first scored day.")
    ] = None,
    draws: Annotated[int, typer.Option(min=10, help="Bootstrap draws over customers.")] = 1_000,
    window: Annotated[int, typer.Option(min=10, help="Questions in the sliding window.")] = 5_000,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write it as CSV.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as one HTML page.")] = None,
    config: ConfigFile = None,
    models: Annotated[bool, typer.Option("--models", help="Only show the models.")] = False,
) -> None:
    """Ask each model about every purchase before it is learnt: next item, rest of the basket, next basket."""
    from evaluation.reporting import Plan, evaluate
    from launch.assembly import state_rules
    from trendloom.catalogue.directory import load_catalogue
    from trendloom.logs.columns import parse_mapping
    from trendloom.logs.event_time import parse_moment

    if models:
        _show_models()
        return
    plan = Plan(
        log=log,
        columns=parse_mapping(column_map or [], preset=columns, time_format=time_format),
        from_ms=parse_moment(from_),
        to_ms=None if to is None else parse_moment(to),
        models=tuple(model or ()),
        baseline=baseline,
        seeds=tuple(seed or (1,)),
        batch=batch,
        every=every,
        frozen=frozen,
        draws=draws,
        window=window,
        past=past,
        rules=state_rules(read_settings(config)),
    )
    report = _watched(plan, None if catalogue is None else load_catalogue(catalogue), evaluate)
    if json_file is not None:
        json_file.write_text(json.dumps(report, indent=1) + "\n")
    if csv_file is not None:
        from evaluation.sheet_table import csv_of

        csv_file.write_text(csv_of(report))
    if html_file is not None:
        from evaluation.page import page_of

        html_file.write_text(page_of(report))
    _show(report)


def _watched(plan: Any, catalogue: Any, evaluate: Any) -> dict[str, Any]:
    """Run the plan with progress on stderr: a bar, or a line every tenth of the way where nobody sees a bar move."""
    from rich.console import Console
    from rich.progress import Progress

    from launch.progress_bar import progress_columns

    console = Console(stderr=True)
    with Progress(*progress_columns(), console=console, disable=not sys.stderr.isatty()) as bar:
        lines: dict[int, Any] = {}
        tenths: dict[int, int] = {}

        def watch(seed: int, done: int, size: int) -> None:
            if seed not in lines:
                lines[seed] = bar.add_task(f"seed {seed}", total=size)
            bar.update(lines[seed], completed=done)
            if bar.disable and 10 * done // size > tenths.get(seed, 0):
                tenths[seed] = 10 * done // size
                typer.echo(f"seed {seed}: {done} of {size} purchases", err=True)

        report: dict[str, Any] = evaluate(plan, catalogue, watch=watch)
    return report


def _show_models() -> None:
    from evaluation.contestants.registry import CONTESTANTS

    width = max(len(name) for name in CONTESTANTS)
    for name, entrant in CONTESTANTS.items():
        typer.echo(f"{name:<{width}}  {entrant.says}")


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    about = report["about"]
    for task, figures in report["tasks"].items():
        k = figures["k"]
        hit, others = f"hit@{k}", [f"{name}@{k}" for name in ("ndcg", "map", "recall")]
        table = Table(
            "model",
            hit,
            "95 %",
            *others,
            f"against {about['baseline']}",
            "ratio",
            title=f"{task} ({figures['questions']})",
        )
        for name, told in sorted(figures["models"].items(), key=lambda one: -float(one[1][hit]["value"])):
            against = told.get("against", {}).get(about["baseline"], {}).get(hit)
            bounds = f"{told[hit]['low']:.4f}-{told[hit]['high']:.4f}"
            compared = ["", ""]
            if against is not None:
                ratio = against["ratio"]
                compared = [
                    f"{against['difference']:+.4f} ({against['low']:+.4f} to {against['high']:+.4f})",
                    "" if ratio is None else f"{ratio:.2f}",
                ]
            values = [f"{told[other]['value']:.4f}" for other in others]
            table.add_row(name, f"{told[hit]['value']:.4f}", bounds, *values, *compared)
        Console(width=None if sys.stdout.isatty() else 150).print(table)
    typer.echo(
        f"{about['purchases']} purchases, {about['seconds']} s ({about['CPU seconds']} s of CPU), "
        f"{about['times faster than real time']} times faster "
        f"than real time, {about['peak memory GB']} GB"
    )
