import json
import xml.dom.minidom
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import read_parts, summarise
from benchmarks.tables import TABLES
from benchmarks.writing import begin, draw, end, replaced, write_docs
from trendloom.errors import InputError

PAGE = Path(__file__).parents[3] / "docs" / "performance.md"


@pytest.fixture
def results(tmp_path: Path, parts: dict[str, dict[str, Any]]) -> Path:
    found = tmp_path / "results"
    found.mkdir()
    for name, part in parts.items():
        (found / f"{name}.json").write_text(json.dumps(part))
    return found


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    found = tmp_path / "docs"
    found.mkdir()
    (found / "performance.md").write_text(PAGE.read_text())
    return found


def test_every_part_has_a_table_and_a_place_in_the_projects_own_page(parts: dict[str, dict[str, Any]]) -> None:
    text = PAGE.read_text()
    assert set(TABLES) == set(parts)
    for name in ("targets", *TABLES):
        assert text.count(begin(name)) == text.count(end(name)) == 1


def test_writing_twice_writes_the_same_and_leaves_the_prose_alone(results: Path, docs: Path) -> None:
    summary = summarise(results)
    write_docs(docs, results, summary)
    once = (docs / "performance.md").read_text()
    write_docs(docs, results, summary)
    assert (docs / "performance.md").read_text() == once
    assert "Nothing was measured yet." not in once
    assert "## How to read it" in once
    assert "10,000,000 customers" in once
    for name, part in read_parts(results).items():
        assert TABLES[name](summary, part).splitlines()[0] in once


def test_plots_are_drawn_beside_the_page_and_shown_in_it(results: Path, docs: Path) -> None:
    write_docs(docs, results, summarise(results))
    text = (docs / "performance.md").read_text()
    plots = sorted(path.name for path in docs.glob("*.svg"))
    assert plots == [
        "performance-drain.svg",
        "performance-freshness-paper.svg",
        "performance-profile.svg",
        "performance-scale-items.svg",
    ]
    for plot in plots:
        assert f"({plot})" in text
        xml.dom.minidom.parse(str(docs / plot))  # noqa: S318 - we wrote it


def test_a_part_that_found_nothing_has_no_plot(parts: dict[str, dict[str, Any]]) -> None:
    assert draw("scale", {"presets": {}}) == draw("pairs", parts["pairs"]) == {}


def test_a_page_without_markers_is_left_alone(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("mine")
    with pytest.raises(InputError, match="markers"):
        write_docs(tmp_path, results, summarise(results))
    assert page.read_text() == "mine"


def test_only_what_lies_between_a_parts_markers_is_replaced() -> None:
    page = f"before\n{begin('drain')}\nold\n{end('drain')}\n{begin('kill')}\nkept\n{end('kill')}\nafter\n"
    found = replaced(page, "drain", "new")
    assert found.startswith("before\n")
    assert found.endswith("\nafter\n")
    assert "old" not in found
    assert "kept" in found
