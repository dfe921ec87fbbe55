"""``trendloom train season``: counts of each item by week, from a recorded log of more than a year.

A worker that weighs the part `season` reads them (setting `lists.season_file`). This reads flags and writes the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from launch.log_options import ColumnMap, KnownColumns, LogFile, LogFrom, LogTo, TimeFormat

__all__ = ["season"]


def season(
    log: LogFile,
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write, e.g. season.safetensors.")],
    columns: KnownColumns = None,
    column_map: ColumnMap = None,
    time_format: TimeFormat = None,
    from_: LogFrom = None,
    to: LogTo = None,
) -> None:
    """Count a log's purchases by item and week, for the part `season`."""
    from trendloom.logs.columns import parse_mapping
    from trendloom.logs.event_time import parse_moment
    from trendloom.logs.read import read_log
    from trendloom.refresh.season_file import season_of_log, write_season

    purchases = read_log(
        log,
        parse_mapping(column_map or [], preset=columns, time_format=time_format),
        from_ms=None if from_ is None else parse_moment(from_),
        to_ms=None if to is None else parse_moment(to),
    )
    made = season_of_log(purchases)
    write_season(out, made)
    weeks = made.provenance["weeks"]
    typer.echo(f"{out}: {made.count.size:,} counts of {len(made.item_ids):,} items in {weeks} weeks")
    if weeks <= 52:
        typer.echo("A season is told from earlier years: these weeks say something a year after them.", err=True)
    typer.echo(f"A worker weighs them with lists.season_file = {out} and, say, lists.weights = {{ season = 0.0003 }}.")
