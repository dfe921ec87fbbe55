"""What a bar of progress shows, the same for every command that has one. Read next: ``launch/commands/evaluate.py``."""

from __future__ import annotations

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["progress_columns"]


def progress_columns() -> tuple[ProgressColumn, ...]:
    """Return the columns of a bar: what is done, how far, how long so far and from here.

    >>> len(progress_columns())
    5
    """
    return (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
