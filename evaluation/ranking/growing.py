"""Grows a forest from examples with LightGBM (the extra ``ranking``): LambdaRank, stopped early on customers held out.

The only place that imports lightgbm; what it returns needs none. Read next:
:mod:`trendloom.relevance.learned.forest`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.ranking.examples import Table
from trendloom.errors import InputError, MissingExtra
from trendloom.relevance.learned.forest import Forest, forest_of_text
from trendloom.relevance.learned.signals import SIGNALS

__all__ = ["Grown", "Growth", "can_grow", "grow"]

#: With fewer examples than this there is nothing to hold out.
LEAST_EXAMPLES = 50
#: One customer in so many is held out.
_HELD_OUT = 6


@dataclass(frozen=True)
class Growth:
    """Settings of growing, chosen on 2020-09-17 of the H&M log after learning 2020-09-16."""

    rounds: int = 300
    #: the customers held out are few: growing does not stop before this many trees because of them
    least_rounds: int = 200
    patience: int = 150
    learning_rate: float = 0.06
    leaves: int = 24
    #: a list is made by walking so far down each tree
    depth: int = 8
    least_rows: int = 200
    share_of_signals: float = 0.4
    share_of_rows: float = 0.7
    ridge: float = 5.0
    truncation: int = 20
    seed: int = 1
    threads: int = 1


@dataclass(frozen=True)
class Grown:
    """A forest, how it was grown, and its NDCG@10 on the customers held out (among their candidates)."""

    forest: Forest
    settings: dict[str, float]
    examples: int
    rows: int
    ndcg_held_out: float


def can_grow() -> bool:
    """Return whether lightgbm is installed."""
    return importlib.util.find_spec("lightgbm") is not None


def grow(tables: Table | Sequence[Table], growth: Growth | None = None, *, without: tuple[str, ...] = ()) -> Grown:
    """Return a forest that ranks what was bought before what was not, in the examples of a table or of several.

    ``without`` names signals that no tree may ask. Raises :class:`~trendloom.errors.MissingExtra` without lightgbm,
    :class:`~trendloom.errors.InputError` with too few examples.
    """
    if not can_grow():
        raise MissingExtra("Growing trees needs lightgbm. Action: pip install 'trendloom[ranking]'")
    import lightgbm

    growth = growth if growth is not None else Growth()
    tables = [tables] if isinstance(tables, Table) else tables
    examples = sum(table.sizes.size for table in tables)
    if examples < LEAST_EXAMPLES:
        raise InputError(
            f"The log holds {examples} examples of a candidate that was bought next, and {LEAST_EXAMPLES} are "
            "needed. Action: use a longer log, or a catalogue that knows its items."
        )
    kept = [place for place, name in enumerate(SIGNALS) if name not in without]
    names = [SIGNALS[place] for place in kept]
    learn, check = (
        lightgbm.Dataset(
            [table.signals for table in side],
            np.concatenate([table.bought for table in side]),
            group=np.concatenate([table.sizes for table in side]),
            feature_name=names,
            params={"max_bin": 63, "verbose": -1, "num_threads": growth.threads},
            free_raw_data=True,
        )
        for side in ([_side(table, kept, held_out=out) for table in tables] for out in (False, True))
    )
    parameters: dict[str, Any] = {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [10],
        "learning_rate": growth.learning_rate,
        "num_leaves": growth.leaves,
        "max_depth": growth.depth,
        "min_data_in_leaf": growth.least_rows,
        "feature_fraction": growth.share_of_signals,
        "bagging_fraction": growth.share_of_rows,
        "bagging_freq": 1,
        "lambda_l2": growth.ridge,
        "lambdarank_truncation_level": growth.truncation,
        "max_bin": 63,
        "num_threads": growth.threads,
        "seed": growth.seed,
        "deterministic": True,
        "force_col_wise": True,
        "verbose": -1,
    }
    booster = lightgbm.train(
        parameters,
        learn,
        growth.rounds,
        valid_sets=[check],
        callbacks=[lightgbm.early_stopping(growth.patience, verbose=False)],
        keep_training_booster=True,  # else only the trees up to the best round are left, whatever the least is
    )
    trees = min(max(booster.best_iteration, growth.least_rounds), booster.current_iteration())
    text = booster.model_to_string(num_iteration=trees)
    return Grown(
        _renumbered(forest_of_text(text), np.array(kept, np.int32)),
        asdict(growth),
        examples,
        sum(table.bought.size for table in tables),
        float(booster.best_score["valid_0"]["ndcg@10"]),
    )


def _side(table: Table, kept: list[int], *, held_out: bool) -> Table:
    """Return the examples of the customers who are held out or of the others, with the signals that are kept.

    All of a customer's examples are on one side, by a hash that spreads out, as numbers may mean something.
    """
    chosen = ((table.customer * 2_654_435_761 % 1_000_003) % _HELD_OUT == 0) == held_out
    rows = np.flatnonzero(np.repeat(chosen, table.sizes))
    signals = table.signals[rows]
    if len(kept) < signals.shape[1]:
        signals = signals[:, kept]
    return Table(signals, table.bought[rows], table.sizes[chosen], table.customer[chosen], table.day[chosen])


def _renumbered(forest: Forest, kept: npt.NDArray[np.int32]) -> Forest:
    """Return the forest with the numbers of all signals instead of those of the ones that were kept."""
    signal = np.where(forest.signal >= 0, kept[np.maximum(forest.signal, 0)], -1).astype(np.int32)
    return Forest(signal, forest.threshold, forest.left, forest.right, forest.value, forest.root)
