"""A whole prequential evaluation: a log read under every seed, all models asked, and one report of it all.

It opens files only to read the log; writing the report is the caller's. Read next: :mod:`evaluation.prequential` for
the run itself, :mod:`evaluation.figures` for what is made of it.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.contestant import Contestant, Ground
from evaluation.contestants.registry import CONTESTANTS, build, standard
from evaluation.figures import FROZEN, figures_of
from evaluation.merging import Run
from evaluation.prequential import Frozen, run
from evaluation.recorded import prepare
from evaluation.tasks import ask
from trendloom.catalogue.garment import Catalogue
from trendloom.errors import InputError
from trendloom.logs.columns import ColumnMap
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.read import read_log
from trendloom.state.rules import StateRules

__all__ = ["Plan", "Watcher", "evaluate"]

#: Told the seed, the purchases done and how many there are.
Watcher = Callable[[int, int, int], None]
#: What of the state's rules moves the lists.
_TOLD = (
    "slow_half_life_s",
    "fast_half_life_s",
    "history_length",
    "co_purchase_window",
    "co_purchase_keep",
    "co_purchase_limit",
)


@dataclass(frozen=True)
class Plan:
    """What is evaluated and how; times are ms since the epoch, UTC. Without ``models`` all that need no training."""

    log: Path
    columns: ColumnMap | str
    from_ms: int
    to_ms: int | None = None
    models: tuple[str, ...] = ()
    baseline: str = "item-knn"
    seeds: tuple[int, ...] = (1,)
    batch: int = 500
    every: int = 1
    k: int = 10
    k_basket: int = 12
    frozen: bool = True
    draws: int = 1_000
    window: int = 5_000
    past: Path | None = None
    #: of the state that the live path's contestants keep
    rules: StateRules = field(default_factory=StateRules)


def evaluate(
    plan: Plan, catalogue: Catalogue | None, *, watch: Watcher = lambda seed, done, size: None
) -> dict[str, Any]:
    """Run a plan and return its report: ``about``, ``tasks`` (task -> model -> metric) and ``models`` (their cost).

    Raises InputError for a model or a baseline that is not there, LogFormatError for a log that cannot be used.
    """
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    runs, logs = [], []
    for seed in plan.seeds:
        log = read_log(plan.log, plan.columns, seed=seed, to_ms=plan.to_ms)
        past = None if plan.past is None else read_log(plan.past, plan.columns, seed=seed, to_ms=plan.from_ms)
        purchases, ground = prepare(log, catalogue, seed=seed, past=past, from_ms=plan.from_ms)
        ground = replace(ground, rules=plan.rules)
        questions = ask(purchases, from_ms=plan.from_ms, to_ms=plan.to_ms, every=plan.every)
        names = list(dict.fromkeys(plan.models)) or standard(ground)
        if plan.baseline not in names:
            names.append(plan.baseline)
        with ExitStack() as open_models:
            contestants = _contestants(names, ground, open_models, frozen=plan.frozen)
            judged = run(
                purchases,
                questions,
                ground,
                contestants,
                batch=plan.batch,
                k=plan.k,
                k_basket=plan.k_basket,
                progress=partial(_told, watch, seed, len(purchases)),
            )
        runs.append(Run(seed, purchases, questions, ground, judged))
        logs.append(log)
    report = figures_of(runs, baseline=plan.baseline, draws=plan.draws, window=plan.window)
    for name, cost in report["models"].items():
        cost["says"] = CONTESTANTS[name.removesuffix(FROZEN)].says
    seconds, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    return {"about": _about(plan, catalogue, logs, seconds, cpu_s), **report}


def _told(watch: Watcher, seed: int, size: int, done: int) -> None:
    watch(seed, done, size)


def _contestants(names: Sequence[str], ground: Ground, open_models: ExitStack, *, frozen: bool) -> list[Contestant]:
    made: list[Contestant] = []

    def built(name: str) -> Contestant:
        one = build(name, ground)
        close = getattr(one, "close", None)
        if close is not None:
            open_models.callback(close)
        return one

    for name in names:
        made.append(built(name))
        if frozen and CONTESTANTS[name].live:
            made.append(Frozen(built(name), name + FROZEN))
    return made


def _about(
    plan: Plan, catalogue: Catalogue | None, logs: Sequence[PurchaseLog], seconds: float, cpu_s: float
) -> dict[str, Any]:
    log = logs[0]
    if not len(log):
        raise InputError("The log holds no purchase. Action: choose another time.")
    days = (int(log.occurred_at_ms[-1]) - int(log.occurred_at_ms[0])) / 86_400_000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "log": log.name,
        "log sha256": log.sha256,
        "purchases": len(log),
        "customers": len(log.customers),
        "items": len(log.items),
        "days": round(days, 2),
        "scored from": _moment(plan.from_ms),
        "scored to": "the end" if plan.to_ms is None else _moment(plan.to_ms),
        "scored baskets": "all" if plan.every == 1 else f"every {plan.every}th",
        "catalogue": "none" if catalogue is None else catalogue.fingerprint,
        "seeds": ", ".join(str(seed) for seed in plan.seeds),
        "batch": plan.batch,
        "state": ", ".join(f"{name} {value:g}" for name, value in asdict(plan.rules).items() if name in _TOLD),
        "baseline": plan.baseline,
        "bootstrap draws": plan.draws,
        "seconds": round(seconds, 1),
        "CPU seconds": round(cpu_s, 1),
        "times faster than real time": round(days * 86_400 * len(plan.seeds) / seconds, 1),
        "peak memory GB": round(peak / (1e9 if sys.platform == "darwin" else 1e6), 2),
    }


def _moment(at_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ms / 1000))
