"""Options of the commands that read a recorded log: the file, its columns, and the part of it that is read.

They become a reading of the log in ``trendloom/logs/columns.py`` and ``trendloom/logs/event_time.py``; nothing here
opens a file. Read next: ``launch/commands/evaluate.py``, one of the commands that take them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["ColumnMap", "KnownColumns", "LogFile", "LogFrom", "LogTo", "TimeFormat"]

LogFile = Annotated[Path, typer.Argument(metavar="LOG", help="CSV, JSON Lines (both also .gz) or Parquet.")]
#: the option is called as the parameter is: ``--columns``, in ``replay`` ``--preset``
KnownColumns = Annotated[
    str | None, typer.Option(metavar="NAME", help="Columns of a known log: hm, uci or purchases (the default).")
]
ColumnMap = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN,...",
        help="Columns by field: customer_id, item_id, occurred_at, quantity, price, store_id, variant_id, "
        "event_id, basket. May be repeated; goes on top of the known columns.",
    ),
]
TimeFormat = Annotated[
    str | None, typer.Option(help="strptime format of the time column, if it is not ISO 8601 or a number; UTC.")
]
LogFrom = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="Nothing before this is read: a date or ISO 8601 (UTC).")
]
LogTo = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="Nothing from here on is read: a date or ISO 8601 (UTC).")
]
