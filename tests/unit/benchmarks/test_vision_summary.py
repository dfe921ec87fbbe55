"""The table of all figures is what the parts say, and the page and the JSON that are committed are this table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.vision_summary import Figure, figures, table, with_table
from trendloom.errors import InputError

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "benchmarks" / "results"


def test_the_committed_summary_is_that_of_the_committed_parts() -> None:
    found = figures(RESULTS)
    told = json.loads((RESULTS / "vision.json").read_text(encoding="utf-8"))
    assert [one["measured"] for one in told["figures"]] == [one.measured for one in found]
    page = (ROOT / "docs" / "vision.md").read_text(encoding="utf-8")
    assert with_table(page, table(found)) == page


def test_nothing_is_told_of_parts_that_are_not_there(tmp_path: Path) -> None:
    assert figures(tmp_path) == []


def test_a_missed_target_is_told() -> None:
    slow = Figure("build", "times as fast", 1.5, 1.0, "one at a time", 2.0, "vision_index")
    late = Figure("build", "seconds", 301.0, 900.0, "one at a time", 300.0, "vision_index", most=True)
    unasked = Figure("detector", "mAP", 0.6, 0.2, "mean boxes", None, "vision_detector", interval=(0.55, 0.65))
    assert (slow.met, late.met, unasked.met) == (False, False, None)
    lines = table([slow, late, unasked]).splitlines()[2:]
    assert lines == [
        "| build | times as fast | 1.5 | one at a time | ≥ 2 | **missed** |",
        "| build | seconds | 301 | 900, one at a time | ≤ 300 | **missed** |",
        "| detector | mAP | 0.6 (0.55 to 0.65) | 0.2, mean boxes |  |  |",
    ]


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(InputError, match="Action: put"):
        with_table("# a page", "| |")
