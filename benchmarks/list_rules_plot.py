"""Draws what diversity costs: ``python -m benchmarks.list_rules_plot`` reads ``benchmarks/results/list_rules.json``.

It measures nothing; :mod:`evaluation.list_rules_study` does. The plot is ``docs/list-rules-diversity.svg``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.plots import draw_lines

__all__ = ["draw_curve"]

_HERE = Path(__file__).parent


def draw_curve(lists: Mapping[str, Mapping[str, float]]) -> str:
    """Return hit@10 and likeness at each weight of diversity, in per cent of those without a rule.

    >>> told = {"no rule": {"hit_at_10": 0.2, "likeness": 0.5}, "diversity 0.1": {"hit_at_10": 0.1, "likeness": 0.25}}
    >>> draw_curve(told).count("<circle")
    2
    """
    base = lists["no rule"]
    weights = {float(name.split()[1]): told for name, told in lists.items() if name.startswith("diversity ")}
    lines = {
        label: [(100 * weight, 100 * told[key] / base[key]) for weight, told in sorted(weights.items())]
        for label, key in (("hit@10", "hit_at_10"), ("likeness within a list", "likeness"))
    }
    return draw_lines(
        "What diversity costs: per cent of the lists without it",
        lines,
        across="lists.diversity_weight, hundredths",
        up="per cent",
    )


if __name__ == "__main__":
    found = json.loads((_HERE / "results" / "list_rules.json").read_text(encoding="utf-8"))
    (_HERE.parent / "docs" / "list-rules-diversity.svg").write_text(draw_curve(found["lists"]), encoding="utf-8")
