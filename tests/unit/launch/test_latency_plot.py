from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from launch.latency_plot import draw_latency, write_plot
from trendloom.errors import InputError

SVG = "{http://www.w3.org/2000/svg}"


def _step(rate: float, *values: float | None, saturated: bool = False) -> dict[str, Any]:
    names = ("p50", "p90", "p99", "p99.9", "max")
    return {"offered_per_s": rate, "freshness_ms": dict(zip(names, values, strict=True)), "saturated": saturated}


def _drawn(*steps: dict[str, Any]) -> ET.Element:
    return ET.fromstring(draw_latency(steps, title="A & B <1>"))  # noqa: S314 - our own words


def test_points_rise_with_latency_and_go_right_with_rate() -> None:
    root = _drawn(_step(2000, 10, 20, 40, 80, 90, saturated=True), _step(1000, 1, 2, 4, 8, 9))
    lines = root.findall(f"{SVG}polyline")
    assert len(lines) == 5
    ends = []
    for line in lines:
        (x1, y1), (x2, y2) = ([float(n) for n in point.split(",")] for point in line.attrib["points"].split())
        assert x1 < x2, "slowest rate first, whatever the order of the steps"
        assert y1 > y2, "ten times the latency is higher up"
        ends.append(y2)
    assert ends == sorted(ends, reverse=True)
    hollow = [circle for circle in root.findall(f"{SVG}circle") if circle.attrib["fill"] == "white"]
    assert len(hollow) == 5
    assert {circle.attrib["cx"] for circle in hollow} == {lines[0].attrib["points"].split()[1].split(",")[0]}


def test_everything_lies_within_the_picture_and_names_do_not_overlap() -> None:
    root = _drawn(_step(0.5, 5.0, 5.0, 5.0, 5.0, 5.0))
    for circle in root.findall(f"{SVG}circle"):
        assert 0 < float(circle.attrib["cx"]) < 760
        assert 0 < float(circle.attrib["cy"]) < 440
    names = [text for text in root.findall(f"{SVG}text") if text.text in {"p50", "p90", "p99", "p99.9", "max"}]
    heights = [float(text.attrib["y"]) for text in names]
    assert len(heights) == 5
    assert all(lower - upper >= 12 for lower, upper in itertools.pairwise(heights))
    assert root.findall(f"{SVG}text")[0].text == "A & B <1>"


def test_a_step_without_lists_has_no_point() -> None:
    root = _drawn(_step(1000, 1, 2, 4, 8, 9), _step(2000, None, None, None, None, None, saturated=True))
    assert len(root.findall(f"{SVG}circle")) == 5


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Action: "):
        write_plot([], tmp_path / "plot.svg", title="")
