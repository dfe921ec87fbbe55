"""Latency against rate as an SVG: a line for each quantile, both axes logarithmic, saturated steps drawn hollow.

The SVG is written by hand, so no plotting package is needed. Read next: :mod:`launch.load_report`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from trendloom.errors import InputError

__all__ = ["draw_latency", "write_plot"]

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 90, 44, 56
_COLOURS = {"p50": "#1b7f79", "p90": "#3b6fb6", "p99": "#b5651d", "p99.9": "#b03a48", "max": "#6b6b6b"}


def draw_latency(steps: Sequence[Mapping[str, Any]], *, title: str) -> str:
    """Return the SVG for a report's steps (``offered_per_s``, ``freshness_ms`` by quantile, ``saturated``).

    Steps without a list have no point. Raises :class:`~trendloom.errors.InputError` if there is nothing to draw.

    >>> step = {"offered_per_s": 1000.0, "freshness_ms": {"p50": 5.0, "p99": 20.0}, "saturated": False}
    >>> draw_latency([step], title="a worker").count("<circle")
    2
    """
    drawn = sorted(
        (step for step in steps if any(step["freshness_ms"].get(name) for name in _COLOURS)),
        key=lambda step: float(step["offered_per_s"]),
    )
    if not drawn:
        raise InputError("No step has a list: there is nothing to plot. Action: see why no lists come, then run again.")
    values = [step["freshness_ms"][name] for step in drawn for name in _COLOURS if step["freshness_ms"].get(name)]
    across = _Axis([float(step["offered_per_s"]) for step in drawn], _LEFT, _WIDTH - _RIGHT)
    up = _Axis(values, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        "<style>text { font-size: 12px }</style>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="24" style="font-size: 15px">{escape(title)}</text>',
        *_grid(across, up),
    ]
    for name, colour in _COLOURS.items():
        parts += _line(name, colour, drawn, across, up)
    parts += _names(drawn[-1], across, up)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def write_plot(steps: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> None:
    """Write the SVG of :func:`draw_latency`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(draw_latency(steps, title=title), encoding="utf-8")


class _Axis:
    """A logarithmic axis of whole decades' steps 1, 2, 5 around the values, from ``start`` to ``end`` in pixels."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        ticks = [digit * 10.0**power for power in range(-3, 9) for digit in (1, 2, 5)]
        low, high = max(min(values), ticks[0]), min(max(values), ticks[-1])
        first = max(place for place, tick in enumerate(ticks) if tick <= low * 1.000001)
        last = min(place for place, tick in enumerate(ticks) if tick >= high * 0.999999)
        if first == last:
            first, last = max(0, first - 1), min(len(ticks) - 1, last + 1)
        self.ticks = ticks[first : last + 1]
        self._low, self._high = math.log(self.ticks[0]), math.log(self.ticks[-1])
        self._start, self._end = start, end

    def place(self, value: float) -> float:
        """Return where a value lies, in pixels."""
        share = (math.log(max(value, math.exp(self._low))) - self._low) / (self._high - self._low)
        return round(self._start + share * (self._end - self._start), 1)


def _grid(across: _Axis, up: _Axis) -> list[str]:
    parts = []
    for tick in across.ticks:
        x = across.place(tick)
        parts += [
            f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{_HEIGHT - _BOTTOM}" stroke="#e4e4e4"/>',
            f'<text x="{x}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{tick:,.10g}</text>',
        ]
    for tick in up.ticks:
        y = up.place(tick)
        parts += [
            f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="#e4e4e4"/>',
            f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{tick:,.10g}</text>',
        ]
    x, y, low = (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT / 2, _HEIGHT - 14
    parts += [
        f'<text x="{x}" y="{low}" text-anchor="middle">offered purchases a second (hollow: saturated)</text>',
        f'<text x="16" y="{y}" text-anchor="middle" transform="rotate(-90 16 {y})">freshness, ms</text>',
    ]
    return parts


def _line(name: str, colour: str, steps: Sequence[Mapping[str, Any]], across: _Axis, up: _Axis) -> list[str]:
    points = [
        (across.place(step["offered_per_s"]), up.place(step["freshness_ms"][name]), step["saturated"])
        for step in steps
        if step["freshness_ms"].get(name)
    ]
    if not points:
        return []
    path = " ".join(f"{x},{y}" for x, y, _ in points)
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(
            f'<circle cx="{x}" cy="{y}" r="4" fill="{"white" if saturated else colour}" stroke="{colour}" '
            'stroke-width="2"/>'
            for x, y, saturated in points
        ),
    ]


def _names(last: Mapping[str, Any], across: _Axis, up: _Axis) -> list[str]:
    """Name each line at its last point, names at least a line of text apart."""
    x, below = across.place(last["offered_per_s"]) + 9, float(_HEIGHT)
    parts = []
    for name, colour in _COLOURS.items():  # from the lowest line to the highest
        value = last["freshness_ms"].get(name)
        if value:
            below = min(up.place(value) + 4, below - 13)
            parts.append(f'<text x="{x}" y="{below}" fill="{colour}">{name}</text>')
    return parts
