"""Writes ``docs/performance.md``: each part's table between its markers, the plots beside it.

What stands outside the markers is left as it is; a part that was not measured keeps what it had. Read next:
:mod:`benchmarks.tables`, :mod:`benchmarks.plots`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.contenders.registry import CONTENDERS
from benchmarks.plots import draw_bars, draw_lines
from benchmarks.report import read_parts
from benchmarks.tables import TABLES, measured_on, targets_table
from launch.latency_plot import draw_latency
from trendloom.errors import InputError

__all__ = ["begin", "draw", "end", "replaced", "write_docs"]

_PAGE = "performance.md"
#: The plots of each part, by the beginnings of their files' names.
_PLOTS = {"drain": "performance-drain", "freshness": "performance-freshness", "scale": "performance-scale"}
_PLOTS |= {"profile": "performance-profile"}


def begin(name: str) -> str:
    """Return the line above what is written for a part."""
    return f"<!-- begin: {name}, written by `make bench ARGS=--write-docs` -->"


def end(name: str) -> str:
    """Return the line below it."""
    return f"<!-- end: {name} -->"


def write_docs(docs: Path, results: Path, summary: Mapping[str, Any]) -> None:
    """Write the tables and plots of every part that was measured.

    Raises :class:`InputError` if the page has no markers for a part.
    """
    page, parts = docs / _PAGE, read_parts(results)
    text = page.read_text(encoding="utf-8")
    text = replaced(text, "targets", targets_table(summary))
    for name, part in parts.items():
        if name not in TABLES:
            continue
        drawn = draw(name, part)
        for file, plot in drawn.items():
            (docs / file).write_text(plot, encoding="utf-8")
        images = "\n".join(f"![{Path(file).stem}]({file})" for file in drawn)
        text = replaced(text, name, "\n\n".join(filter(None, [TABLES[name](summary, part), images, measured_on(part)])))
    page.write_text(text, encoding="utf-8")


def replaced(text: str, name: str, block: str) -> str:
    r"""Return a page with what lies between a part's markers replaced; raises :class:`InputError` without markers.

    >>> page = f"a\n{begin('drain')}\nold\n{end('drain')}\nb"
    >>> "old" in replaced(page, "drain", "new"), "new" in replaced(page, "drain", "new")
    (False, True)
    """
    head, there, rest = text.partition(begin(name))
    _, ended, tail = rest.partition(end(name))
    if not there or not ended:
        raise InputError(f"The page has no markers for {name}. Action: put {begin(name)} and {end(name)} into it.")
    return f"{head}{begin(name)}\n\n{block}\n\n{end(name)}{tail}"


def draw(name: str, part: Mapping[str, Any]) -> dict[str, str]:
    """Return the plots of a part, by file name; none for most."""
    if name not in _PLOTS or not part.get("presets"):
        return {}
    presets, file = part["presets"], _PLOTS[name]
    if name == "drain":
        return {f"{file}.svg": _drained(presets)}
    if name == "profile":
        return {f"{file}.svg": _profiled(presets)}
    if name == "freshness":
        return {
            f"{file}-{preset}.svg": draw_latency(steps, title=f"Freshness against rate, preset {preset}")
            for preset, found in presets.items()
            if (steps := [step for step in found.values() if "freshness_ms" in step and step["lists"]])
        }
    return {
        f"{file}-{what}.svg": plot for what in ("items", "customers", "max_batch") if (plot := _scaled(presets, what))
    }


def _drained(presets: Mapping[str, Any]) -> str:
    groups: dict[str, dict[str, float]] = {}
    for preset, found in presets.items():
        for name, told in found["contenders"].items():
            groups.setdefault(CONTENDERS[name].title.partition(",")[0].replace("`", ""), {})[preset] = told[
                "drain_per_s"
            ]
    return draw_bars("Drain, purchases a second", groups, unit="/s")


def _profiled(presets: Mapping[str, Any]) -> str:
    groups: dict[str, dict[str, float]] = {}
    for preset, found in presets.items():
        for stage, us in found["us_per_purchase"].items():
            groups.setdefault(stage, {})[preset] = us
    return draw_bars("The worker's time for a purchase, by stage", groups, unit="µs")


def _scaled(presets: Mapping[str, Any], what: str) -> str:
    lines = {
        f"{preset}, {name}": [(line["size"], line[key] if name == "all" else line[key][name]) for line in found[what]]
        for preset, found in presets.items()
        for name, key in (("all", "all_cpu_us"), ("worker", "cpu_us_per_purchase"))
        if len(found.get(what, ())) > 1
    }
    across = {"max_batch": "purchases in a batch, at most"}.get(what, what)
    return draw_lines(f"CPU of a purchase against {across}", lines, across=across, up="µs") if lines else ""
