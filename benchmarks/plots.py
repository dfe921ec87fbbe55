"""Small plots as SVG, written by hand: bars, and lines over a logarithmic axis. No plotting package is needed.

Read next: :mod:`benchmarks.writing`, which chooses what is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

__all__ = ["draw_bars", "draw_lines"]

_COLOURS = ("#1b7f79", "#b5651d", "#3b6fb6", "#b03a48", "#6b6b6b")
_WIDTH = 760
Point = tuple[float, float]


def draw_bars(title: str, groups: Mapping[str, Mapping[str, float]], *, unit: str) -> str:
    """Return horizontal bars: a group for each label, in it a bar for each series.

    >>> draw_bars("rates", {"ours": {"paper": 30.0, "balanced": 18.0}}, unit="/s").count("<rect")
    5
    """
    series = list(dict.fromkeys(name for bars in groups.values() for name in bars))
    most = max((value for bars in groups.values() for value in bars.values()), default=0.0) or 1.0
    left, top, high, gap = 240, 64, 14, 10
    parts, at = [], float(top)
    for label, bars in groups.items():
        middle = at + high * len(series) / 2 + 4
        parts.append(f'<text x="{left - 8}" y="{middle:.1f}" text-anchor="end">{escape(label)}</text>')
        for name in series:
            if name in bars:
                width = max((_WIDTH - left - 110) * bars[name] / most, 1.0)
                colour = _COLOURS[series.index(name) % len(_COLOURS)]
                parts.append(f'<rect x="{left}" y="{at:.1f}" width="{width:.1f}" height="{high - 2}" fill="{colour}"/>')
                said = f"{bars[name]:,.0f}" if bars[name] >= 100 else f"{bars[name]:.1f}"
                parts.append(f'<text x="{left + width + 5:.1f}" y="{at + high - 3:.1f}">{said} {escape(unit)}</text>')
            at += high
        at += gap
    return _page(title, series, parts, round(at + 12))


def draw_lines(title: str, lines: Mapping[str, Sequence[Point]], *, across: str, up: str) -> str:
    """Return a line for each name through its points; across is logarithmic, up begins at 0.

    >>> draw_lines("cost", {"paper": [(1000, 20.0), (10_000, 21.0)]}, across="items", up="µs").count("<circle")
    2
    """
    points = [point for line in lines.values() for point in line]
    left, right, top, bottom, height = 70, 50, 64, 50, 360
    lowest, highest = (math.log10(pick(x for x, _ in points)) for pick in (min, max))
    most = _ceiling(max(y for _, y in points))

    def place(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(x) - lowest) / max(highest - lowest, 1e-9)
        return left + share * (_WIDTH - left - right), height - bottom - y / most * (height - top - bottom)

    parts = []
    for step in range(5):
        _, y = place(points[0][0], most * step / 4)
        parts += [
            f'<line x1="{left}" y1="{y:.1f}" x2="{_WIDTH - right}" y2="{y:.1f}" stroke="#e4e4e4"/>',
            f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{most * step / 4:,.10g}</text>',
        ]
    for x in sorted({x for x, _ in points}):
        at, _ = place(x, 0)
        parts.append(f'<text x="{at:.1f}" y="{height - bottom + 18}" text-anchor="middle">{x:,.0f}</text>')
    for number, line in enumerate(lines.values()):
        colour = _COLOURS[number % len(_COLOURS)]
        placed = [place(*point) for point in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in placed]
    parts.append(f'<text x="{_WIDTH / 2}" y="{height - 12}" text-anchor="middle">{escape(across)}</text>')
    parts.append(
        f'<text x="16" y="{height / 2}" text-anchor="middle" transform="rotate(-90 16 {height / 2})">{up}</text>'
    )
    return _page(title, list(lines), parts, height)


def _page(title: str, series: Sequence[str], parts: Sequence[str], height: int) -> str:
    legend, at = [], 20
    for number, name in enumerate(series):
        colour = _COLOURS[number % len(_COLOURS)]
        legend.append(f'<rect x="{at}" y="36" width="10" height="10" fill="{colour}"/>')
        legend.append(f'<text x="{at + 15}" y="45">{escape(name)}</text>')
        at += 40 + 7 * len(name)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif">',
            "<style>text { font-size: 12px }</style>",
            f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
            f'<text x="20" y="22" style="font-size: 15px">{escape(title)}</text>',
            *legend,
            *parts,
            "</svg>\n",
        ]
    )


def _ceiling(value: float) -> float:
    """Return the next of 1, 2, 4, 5, 8, 10 times a power of ten: four steps below it are round.

    >>> _ceiling(23.0), _ceiling(0.7)
    (40.0, 0.8)
    """
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value * 0.999999)
