"""Plots as inline SVG: bars with intervals and lines over time, text and all, with nothing to fetch.

Colours come from the page's style (classes ``c0`` ... ``c7``), so they follow a dark or a light screen. Read next:
:mod:`evaluation.page`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["COLOURS", "bars", "lines"]

#: How many line colours the page's style has.
COLOURS = 8
_WIDTH = 860
_LABELS = 230
_ROW = 22


def bars(rows: Sequence[tuple[str, float, float, float]], *, title: str) -> str:
    """Return bars, one a row of (name, value, low, high), with the interval as a line.

    >>> bars([("popularity", 0.02, 0.01, 0.03)], title="hit@10").count("<rect")
    1
    """
    top = max([high for *_, high in rows] + [1e-9])
    span = _WIDTH - _LABELS - 90
    height = _ROW * len(rows) + 8
    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">']
    for place, (name, value, low, high) in enumerate(rows):
        y = place * _ROW + 4
        middle = y + _ROW / 2 - 1
        x, from_x, to_x = (_LABELS + span * max(number, 0.0) / top for number in (value, low, high))
        parts += [
            f'<text x="{_LABELS - 8}" y="{middle + 4:.0f}" class="end">{escape(name)}</text>',
            f'<rect x="{_LABELS}" y="{y}" width="{x - _LABELS:.1f}" height="{_ROW - 6}" class="bar"/>',
            f'<line x1="{from_x:.1f}" x2="{to_x:.1f}" y1="{middle:.1f}" y2="{middle:.1f}" class="whisker"/>',
            f'<text x="{to_x + 8:.1f}" y="{middle + 4:.0f}">{value:.4f}</text>',
        ]
    return "".join([*parts, "</svg>"])


def lines(curves: Mapping[str, Sequence[float]], labels: Sequence[str], *, title: str) -> str:
    """Return curves over the same places, named by ``labels``; the key stands at the right.

    >>> lines({"a": [0.1, 0.2]}, ["Monday", "Tuesday"], title="hit@10").count("<polyline")
    1
    """
    height, left, right, bottom, head = 300, 50, 220, 40, 10
    top = max([value for curve in curves.values() for value in curve] + [1e-9]) * 1.05
    steps = max(len(labels) - 1, 1)
    wide, tall = _WIDTH - left - right, height - bottom - head
    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">']
    for tick in range(5):
        y = head + tall * (1 - tick / 4)
        parts.append(f'<line x1="{left}" x2="{left + wide}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" class="end">{top * tick / 4:.3f}</text>')
    shown = sorted({0, steps // 2, steps}) if labels else []
    for place in shown:
        if place < len(labels):
            x = left + wide * place / steps
            anchor = "start" if place == 0 else "middle"
            parts.append(
                f'<text x="{x:.1f}" y="{height - 16}" style="text-anchor:{anchor}">{escape(labels[place])}</text>'
            )
    for number, (name, curve) in enumerate(curves.items()):
        points = " ".join(
            f"{left + wide * place / steps:.1f},{head + tall * (1 - value / top):.1f}"
            for place, value in enumerate(curve)
        )
        colour = f"c{number % COLOURS}"
        parts.append(f'<polyline points="{points}" class="curve {colour}"/>')
        y = head + 14 + number * 20
        parts.append(
            f'<line x1="{left + wide + 12}" x2="{left + wide + 32}" y1="{y}" y2="{y}" class="curve {colour}"/>'
        )
        parts.append(f'<text x="{left + wide + 38}" y="{y + 4}">{escape(name)}</text>')
    return "".join([*parts, "</svg>"])
