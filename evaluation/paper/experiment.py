"""The source paper's experiment from end to end: customers buy, every backbone recommends, the lists are judged.

One run a seed; what a run gives is compared with chance, with each part of the score alone and with each left out, and
with the original's faults put back one at a time. Read next: :mod:`evaluation.paper.customers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.paper.customers import Faults, Habits, Purchases, buy
from evaluation.paper.lists import Shop, features_of, lists_for, preset_with, random_lists
from evaluation.paper.looks import Looks
from evaluation.paper.measures import Measures, measure
from evaluation.paper.results import file_stem, write_purchases, write_results
from trendloom.errors import SettingsError
from trendloom.relevance.popularity_fit import popularity_fit

__all__ = ["SCORE_PARTS", "Plan", "run", "variants_of"]

#: The parts that the source describes; its code sums the first two.
SCORE_PARTS = ("visual", "popularity_fit", "category", "gender", "proximity")
#: What they weigh where all of them count: as in the source's code, its two lines without effect, and distance alike.
ALL_WEIGHTS = {"visual": 0.4, "popularity_fit": 0.2, "category": 0.2, "gender": 0.2, "proximity": 0.2}


@dataclass(frozen=True)
class Plan:
    """What is run: seeds, habits, list length, the score and what is left out or put back to compare."""

    seeds: tuple[int, ...] = (42,)
    habits: Habits = field(default_factory=Habits)
    top_k: int = 10
    exponent: float = 4.0
    weights: Mapping[str, float] = field(default_factory=lambda: {"visual": 0.4, "popularity_fit": 0.2})
    faults: Faults = field(default_factory=Faults)
    ablation: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be; the text names the flag."""
        if self.top_k < 1:
            raise SettingsError(f"--top_k {self.top_k} lists nothing. Action: give 1 or more.")
        if not (0.0 < self.exponent < float("inf")):
            raise SettingsError(f"--Penalty_exponent {self.exponent} is no exponent. Action: give a number above 0.")
        if unknown := sorted(set(self.weights) - set(SCORE_PARTS)):
            raise SettingsError(f"There is no part {unknown[0]!r} here. Action: weigh {', '.join(SCORE_PARTS)}.")
        if not any(self.weights.values()) or not self.seeds:
            raise SettingsError("Nothing weighs anything. Action: give a seed and a weight that is not 0.")


def variants_of(plan: Plan) -> dict[str, tuple[dict[str, float], float]]:
    """Return the scores that are compared, by name: weights and penalty exponent, the plan's own first.

    >>> list(variants_of(Plan()))[:4]
    ['as planned', 'only visual', 'only popularity_fit', 'only category']
    """
    variants = {"as planned": (dict(plan.weights), plan.exponent)}
    if not plan.ablation:
        return variants
    variants |= {f"only {part}": ({part: 1.0}, plan.exponent) for part in SCORE_PARTS}
    variants["all parts"] = (dict(ALL_WEIGHTS), plan.exponent)
    for part in SCORE_PARTS:
        kept = {name: weight for name, weight in ALL_WEIGHTS.items() if name != part}
        variants[f"all but {part}"] = (kept, plan.exponent)
    for exponent in (1.0, 2.0, 8.0):
        if exponent != plan.exponent:
            variants[f"exponent {exponent:g}"] = (dict(plan.weights), exponent)
    return variants


def run(
    looks: Looks,
    stores: Mapping[str, tuple[float, float]],
    plan: Plan,
    *,
    out: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Run the plan and return its report; with ``out`` the tables of every seed are written there as well.

    The report holds for each backbone and variant every measure's mean over the seeds, and its standard error where
    there are several. ``progress("lists", done, total)`` counts lists' variants.
    """
    garments = looks.garments
    features = {
        name: features_of(garments, rows, stores, plan.habits.max_purchases) for name, rows in looks.rows.items()
    }
    variants = variants_of(plan)
    found: dict[str, dict[str, list[Measures]]] = {name: {} for name in features}
    sales: list[dict[str, float]] = []
    written: list[str] = []
    total, done = len(plan.seeds) * len(features) * len(variants), 0
    for seed in plan.seeds:
        rng = np.random.default_rng(seed)
        purchases = buy(garments.items.gender, plan.habits, plan.faults, rng)
        shops = {name: Shop(its, purchases) for name, its in features.items()}
        sales.append(_sales(purchases))
        planned = {}
        for name, shop in shops.items():
            for variant, (weights, exponent) in variants.items():
                top = lists_for(shop, preset_with(weights, exponent), plan.top_k)
                if variant == "as planned":
                    planned[name] = top
                judged = measure(top.items, shop.features, purchases, gender_of_bought=plan.faults.gender_of_bought)
                found[name].setdefault(variant, []).append(judged)
                done += 1
                if progress is not None:
                    progress("lists", done, total)
            if plan.ablation:
                by_chance = random_lists(shop, plan.top_k, np.random.default_rng([seed, 1]))
                found[name].setdefault("chance", []).append(measure(by_chance, shop.features, purchases))
        if out is not None:
            stem = file_stem(seed, plan.habits, plan.exponent, plan.top_k)
            write_results(out, stem, shops, planned, garments)
            write_purchases(out, stem, purchases, garments)
            written.append(f"{stem}.csv")
    return {
        "garments": len(garments),
        "categories": len(garments.category_names),
        "photos_left_out": len(looks.left_out),
        "backbones": looks.made_with,
        "plan": asdict(plan),
        "penalty_spread": {f"{taste:g}": _spread(taste, plan.exponent) for taste in (0.0, 0.25, 0.5, 0.75, 1.0)},
        "sales": _mean_of(sales),
        "files": written,
        "measures": {
            name: {variant: _mean_of([asdict(one) for one in runs]) for variant, runs in judged.items()}
            for name, judged in found.items()
        },
    }


def _sales(purchases: Purchases) -> dict[str, float]:
    """Return how many purchases there were, how many of what was popular, and whether the trendy bought more of it."""
    later = np.ones(purchases.item.size, np.bool_)
    later[np.unique(purchases.customer, return_index=True)[1]] = False  # a first purchase follows no trend
    trendiness, popular = purchases.trendiness[purchases.customer[later]], purchases.popular[later]
    varied = popular.size > 1 and popular.any() and not popular.all()
    return {
        "purchases": float(purchases.item.size),
        "popular_share": float(popular.mean()) if popular.size else float("nan"),
        "trendiness_popular_correlation": float(np.corrcoef(trendiness, popular)[0, 1]) if varied else 0.0,
    }


def _spread(trendiness: float, exponent: float) -> float:
    """Return how far the unweighted popularity fit can differ between two garments, for a customer's trendiness."""
    fit = popularity_fit(np.linspace(0.0, 1.0, 1001), trendiness, exponent)
    return round(float(fit.max() - fit.min()), 4)


def _mean_of(runs: Sequence[Mapping[str, float | int | None]]) -> dict[str, float | None]:
    told: dict[str, float | None] = {}
    for name in runs[0]:
        values = np.array([run[name] for run in runs if run[name] is not None], np.float64)
        values = values[~np.isnan(values)]
        told[name] = round(float(values.mean()), 6) if values.size else None
        if values.size > 1 and name not in {"lists", "purchases", "gender_known"}:
            told[f"{name}_standard_error"] = round(float(values.std(ddof=1) / np.sqrt(values.size)), 6)
    return told
