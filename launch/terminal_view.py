"""The demo in the terminal: rates, freshness, what rises, and a few customers' refreshed lists with their score parts.

It reads a :class:`~dashboard.feed.Feed` a few times a second and draws; it changes nothing. Read next:
:mod:`dashboard.page` for the same with pictures.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dashboard.feed import Feed
from trendloom.catalogue.garment import Catalogue

__all__ = ["TerminalView", "draw"]

_DRAWS_PER_S = 4.0
_SPARKS = "▁▂▃▄▅▆▇█"
_PART_COLOURS = ("magenta", "cyan", "yellow", "green", "blue", "red", "bright_magenta", "bright_cyan")
_BAR = 16
_LISTS_SHOWN = 3
_ENTRIES_SHOWN = 4


class TerminalView:
    """Draws a feed until its block ends; ``address`` is that of the page with pictures, if there is one."""

    def __init__(self, console: Console, catalogue: Catalogue, address: str | None) -> None:
        self._console, self._address = console, address
        self._titles = dict(zip(catalogue.item_ids, catalogue.titles, strict=True))

    @contextmanager
    def watch(self, feed: Feed) -> Iterator[None]:
        """Show the feed while the block runs; on a terminal in place, elsewhere a line every few seconds."""
        ended = threading.Event()
        live = Live(console=self._console, auto_refresh=False, transient=True)
        drawing = threading.Thread(target=self._draw_until, args=(ended, live, feed), name="terminal", daemon=True)
        with live if self._console.is_terminal else _nothing():
            drawing.start()
            try:
                yield
            finally:
                ended.set()
                drawing.join(2.0)

    def _draw_until(self, ended: threading.Event, live: Live, feed: Feed) -> None:
        said_s = 0.0
        while not ended.wait(1.0 / _DRAWS_PER_S):
            state = feed.state()
            if self._console.is_terminal:
                live.update(draw(state, self._titles, self._address, self._console.size.height), refresh=True)
            elif time.monotonic() - said_s >= 5.0:
                said_s = time.monotonic()
                self._console.print(_headline(state))


def draw(state: Mapping[str, Any], titles: Mapping[str, str], address: str | None, height: int = 40) -> RenderableType:
    """Return the picture of a feed's state; ``titles`` by item id; ``height`` is that of the terminal, in lines."""
    lists = max(1, min(_LISTS_SHOWN, (height - 16) // (_ENTRIES_SHOWN + 2)))
    shown: list[RenderableType] = [
        Panel(_headline(state), title=f"Trendloom · {state['preset']}", title_align="left", border_style="magenta"),
        _rising(state, titles),
    ]
    shown.extend(_list(found, titles) for found in state["recent"][:lists])
    hint = Text("Ctrl-C ends everything", style="dim")
    if address:
        hint = Text.assemble(("With pictures: ", "dim"), (address, f"bold underline link {address}"), "   ", hint)
    shown.append(hint)
    return Group(*shown)


def _headline(state: Mapping[str, Any]) -> Text:
    fresh = state["freshness_ms"]
    p50, p99 = (f"{fresh[name]:,.0f}" if fresh[name] is not None else "–" for name in ("p50", "p99"))
    return Text.assemble(
        (f"{state['purchases_per_s']:,.0f}", "bold"),
        " purchases/s  ",
        (_sparkline(state["lists_each_s"]), "magenta"),
        "   freshness p50 ",
        (p50, "bold"),
        " / p99 ",
        (p99, "bold"),
        " ms   awaited ",
        (f"{state['awaited']:,}", "bold"),
        f"   lists {state['lists_published']:,}",
        f"   dead letters {state['dead_letters']:,}" if state["dead_letters"] else "",
    )


def _rising(state: Mapping[str, Any], titles: Mapping[str, str]) -> RenderableType:
    table = Table(title="Rising now", title_justify="left", title_style="bold", box=None, pad_edge=False, expand=True)
    table.add_column("garment", no_wrap=True, ratio=3)
    for heading in ("rising", "popularity", "purchases"):
        table.add_column(heading, justify="right", ratio=1)
    for item in state["rising"][:6]:
        title = titles.get(item["item_id"], item["item_id"])
        table.add_row(title, f"×{item['rising']:.2f}", f"{item['popularity']:.1f}", str(item["purchases"]))
    if not state["rising"]:
        table.add_row(Text("the first snapshot comes in a moment", style="dim"), "", "", "")
    return table


def _list(found: Mapping[str, Any], titles: Mapping[str, str]) -> RenderableType:
    table = Table(box=None, pad_edge=False, expand=True, title_justify="left", title_style="")
    bought = titles.get(found["cause"]["item_id"], found["cause"]["item_id"])
    table.title = Text.assemble(
        (str(found["customer_id"]), "bold"),
        " bought ",
        (bought, "bold cyan"),
        (f" (purchase {found['version']['number']}, trendiness {found['trendiness']:.2f}) and now sees", "dim"),
    )
    table.add_column("", no_wrap=True, ratio=3)
    table.add_column("", justify="right", width=7)
    table.add_column("", no_wrap=True, ratio=4)
    names = sorted({name for entry in found["entries"] for name in entry["parts"]})
    best = max((entry["score"] for entry in found["entries"]), default=1.0) or 1.0
    for entry in found["entries"][:_ENTRIES_SHOWN]:
        bar = Text()
        for name, value in sorted(entry["parts"].items(), key=lambda part: -part[1]):
            width = round(_BAR * max(value, 0.0) / best)
            colour = _PART_COLOURS[names.index(name) % len(_PART_COLOURS)]
            bar.append("█" * width, style=colour)
        leading = max(entry["parts"].items(), key=lambda part: part[1], default=("", 0.0))[0]
        bar.append(f" {leading.replace('_', ' ')}", style="dim")
        table.add_row(titles.get(entry["item_id"], entry["item_id"]), f"{entry['score']:.3f}", bar)
    table.show_header = False
    return table


def _sparkline(values: list[int]) -> str:
    """Return small bars for a row of numbers.

    >>> _sparkline([0, 5, 10])
    '▁▄█'
    """
    top = max(values, default=0) or 1
    return "".join(_SPARKS[(len(_SPARKS) - 1) * value // top] for value in values)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
