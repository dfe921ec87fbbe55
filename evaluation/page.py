"""A report as one HTML page that carries its plots and its style with it and asks nobody for anything.

It is written from the figures alone (:mod:`evaluation.figures`), so a page can be made again from the JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from evaluation.drawing import COLOURS, bars, lines
from evaluation.figures import FROZEN, metric_names

__all__ = ["page_of"]

_TITLES = {
    "next_in_session": "Next in session",
    "rest_of_basket": "Rest of the basket",
    "next_basket": "Next basket",
}
_SAYS = {
    "next_in_session": "After each purchase: is the customer's next different item in the refreshed list?",
    "rest_of_basket": "The same lists: how much of what the customer still buys that day do they hold?",
    "next_basket": "Before a customer's day begins: what of that day's purchases does the list hold?",
}
_STYLE = """
:root { color-scheme: light dark; --ink: #1c1c22; --soft: #6a6a76; --line: #d9d9e0; --back: #fff; --bar: #7f9cc9 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf1; --soft: #a3a3b0; --line: #3a3a44; --back: #17171c; --bar: #5a78a8 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); max-width: 1100px;
  margin: 2rem auto; padding: 0 1rem }
h1, h2, h3 { line-height: 1.2 } p, .soft { color: var(--soft) } .wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; white-space: nowrap }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left } th { font-weight: 600 }
svg { width: 100%; max-width: 860px; height: auto } svg text { font-size: 12px; fill: var(--ink) }
svg .end { text-anchor: end } .bar { fill: var(--bar) } .whisker { stroke: var(--ink); stroke-width: 1.5 }
.grid { stroke: var(--line) } .curve { fill: none; stroke-width: 2 }
"""
_HUES = ("#3b6fb5", "#c4542d", "#2f8f57", "#8a4fa8", "#b08a1e", "#2a8f9c", "#b8457a", "#777783")
#: So many models have a line in the plot over time, the best ones.
_CURVES = 8


def page_of(report: Mapping[str, Any]) -> str:
    """Return the page (HTML) of a report as ``trendloom evaluate prequential`` makes it."""
    about = report["about"]
    told = "".join(
        f"<tr><td>{escape(str(name))}</td><td>{escape(str(value))}</td></tr>" for name, value in about.items()
    )
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Prequential evaluation: {escape(str(about.get('log', '')))}</title>",
        f"<style>{_STYLE}{_colours()}</style></head><body>",
        "<h1>Prequential evaluation</h1>",
        (
            "<p>Each batch of purchases is asked about before it is learnt. Intervals hold the middle 95 % of "
            "bootstrap draws over customers.</p>"
        ),
        f"<div class='wide'><table>{told}</table></div>",
    ]
    parts += [_section(task, figures, report["models"]) for task, figures in report["tasks"].items()]
    return "".join([*parts, "</body></html>\n"])


def _colours() -> str:
    return "".join(f".c{number} {{ stroke: {_HUES[number]} }}\n" for number in range(COLOURS))


def _section(task: str, figures: Mapping[str, Any], costs: Mapping[str, Any]) -> str:
    k, models = figures["k"], figures["models"]
    hit = f"hit@{k}"
    ranked = sorted(
        (name for name in models if not name.endswith(FROZEN)), key=lambda name: -models[name][hit]["value"]
    )
    rows = [(name, *(models[name][hit][bound] for bound in ("value", "low", "high"))) for name in ranked]
    best = ranked[:_CURVES]
    until = models[best[0]]["sliding"]["until"] if best else []
    window = models[best[0]]["sliding"]["questions"] if best else 0
    curves = {name: models[name]["sliding"][hit] for name in best}
    return "".join(
        [
            (
                f"<h2>{_TITLES.get(task, task)}</h2><p>{_SAYS.get(task, '')} {figures['questions']:,} questions of "
                f"{figures['customers']:,} customers, {figures['cold']:.0%} of them about customers of whom nothing "
                "was known from an earlier day.</p>"
            ),
            f"<h3>{hit}</h3>",
            bars(rows, title=f"{hit} of each model with its interval"),
            _table(ranked, models, costs, k),
            f"<h3>{hit} day by day</h3>",
            _days(ranked, models, hit),
            f"<h3>{hit} in a sliding window of {window:,} questions</h3>",
            lines(curves, until, title=f"{hit} over time"),
        ]
    )


def _table(ranked: list[str], models: Mapping[str, Any], costs: Mapping[str, Any], k: int) -> str:
    names = metric_names(k)
    others = (f"coverage@{k}", f"gini@{k}", f"novelty@{k}")
    baseline = next((other for name in ranked for other in models[name].get("against", {})), None)
    head = ["model", names[0], "95 %", *names[1:], *others, "new customers", "known", "frozen", "µs a list"]
    if baseline is not None:
        head[3:3] = [f"against {baseline}", "95 % of it", "ratio"]
    lines_ = []
    for name in ranked:
        mine = models[name]
        against = mine.get("against", {}).get(baseline, {}).get(names[0])
        cells = [name, f"{mine[names[0]]['value']:.4f}", f"{mine[names[0]]['low']:.4f} to {mine[names[0]]['high']:.4f}"]
        if baseline is not None:
            cells += _compared(against)
        cells += [f"{mine[metric]['value']:.4f}" for metric in names[1:]]
        cells += [f"{mine[others[0]]:.3f}", f"{mine[others[1]]:.3f}", f"{mine[others[2]]:.1f}"]
        cells += [f"{mine['slices'][label][names[0]]:.4f}" for label in ("new customers", "known customers")]
        frozen = models.get(name + FROZEN)
        cells += [f"{frozen[names[0]]['value']:.4f}" if frozen else "", f"{costs[name]['us_per_list']:.0f}"]
        lines_.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return f"<div class='wide'><table><tr>{heads}</tr>{''.join(lines_)}</table></div>"


def _compared(against: Mapping[str, Any] | None) -> list[str]:
    if against is None:
        return ["", "", ""]
    ratio = against["ratio"]
    return [
        f"{against['difference']:+.4f}",
        f"{against['low']:+.4f} to {against['high']:+.4f}",
        "" if ratio is None else f"{ratio:.2f}",
    ]


def _days(ranked: list[str], models: Mapping[str, Any], metric: str) -> str:
    dates = list(models[ranked[0]][metric]["per_day"]) if ranked else []
    head = "".join(f"<th>{date}</th>" for date in dates)
    body = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{models[name][metric]['per_day'][date]:.4f}</td>" for date in dates)
        + "</tr>"
        for name in ranked
    )
    return f"<div class='wide'><table><tr><th>model</th>{head}</tr>{body}</table></div>"
