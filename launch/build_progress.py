"""Shows how far a long build is: bars with rate and remaining time on a terminal, a line now and then elsewhere.

Knows stages by name and nothing of what they do. Read next: :mod:`launch.commands.catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any

import typer

__all__ = ["Pace", "show_progress"]

#: Without a terminal a stage says how far it is this often, so that a log shows that something goes on.
_EVERY_S = 10.0


class Pace:
    """How fast one stage goes, from when it began or last was found far ahead; ``clock`` is in seconds.

    What was done before the first report (an earlier build's work) is no pace.

    >>> now_s = [0.0]
    >>> pace = Pace(clock=lambda: now_s[0])
    >>> pace.tell(100, 500)
    '100 of 500'
    >>> now_s[0] = 4.0
    >>> pace.tell(200, 500)
    '200 of 500, 25.0/s, 12 s left'
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._from: tuple[float, int] | None = None

    def rate(self, done: int) -> float:
        """Return how many are done in a second; 0 while nobody knows."""
        now_s = self._clock()
        if self._from is None:
            self._from = (now_s, done)
        began_s, before = self._from
        return (done - before) / (now_s - began_s) if now_s > began_s else 0.0

    def tell(self, done: int, total: int) -> str:
        """Return how far it is, how fast it goes and how long it will take."""
        rate = self.rate(done)
        told = f"{done:,} of {total:,}"
        if rate > 0:
            told += f", {rate:,.1f}/s"
            if done < total:
                told += f", {(total - done) / rate:,.0f} s left"
        return told


@contextmanager
def show_progress(stages: Mapping[str, str], *, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Yield ``progress(stage, done, total)``; ``stages`` has the words for each stage, ``quiet`` shows nothing."""
    from rich.console import Console

    console = Console(stderr=True, quiet=quiet)
    if quiet:
        yield lambda stage, done, total: None
    elif console.is_terminal:
        with _bars(console, stages) as tell:
            yield tell
    else:
        yield _lines(stages)


def _lines(stages: Mapping[str, str]) -> Callable[[str, int, int], None]:
    paces: dict[str, Pace] = {}
    said_s: dict[str, float] = {}

    def tell(stage: str, done: int, total: int) -> None:
        pace = paces.setdefault(stage, Pace())
        told, now_s = pace.tell(done, total), monotonic()
        if now_s - said_s.setdefault(stage, now_s) >= _EVERY_S:
            said_s[stage] = now_s
            typer.echo(f"{stages.get(stage, stage)}: {told}", err=True)

    return tell


@contextmanager
def _bars(console: Any, stages: Mapping[str, str]) -> Iterator[Callable[[str, int, int], None]]:
    from rich.progress import BarColumn, Progress, TextColumn

    bars = Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), console=console)
    tasks: dict[str, Any] = {}
    paces: dict[str, Pace] = {}

    def tell(stage: str, done: int, total: int) -> None:
        pace = paces.setdefault(stage, Pace())
        if stage not in tasks:
            tasks[stage] = bars.add_task(stages.get(stage, stage), total=total, told="")
        bars.update(tasks[stage], completed=done, total=total, told=pace.tell(done, total))

    with bars:
        yield tell
