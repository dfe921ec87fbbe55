"""Where a ranker comes from, as JSON values: the log, its dates, the settings, how good it was, the versions."""

from __future__ import annotations

import importlib.metadata
import platform
from datetime import UTC, datetime

from evaluation.contestant import Purchases
from evaluation.ranking.growing import Grown
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.relevance.learned.signals import SIGNALS

__all__ = ["provenance_of"]


def provenance_of(grown: Grown, log: PurchaseLog, purchases: Purchases, catalogue: str) -> dict[str, object]:
    """Return what is kept beside the trees that were grown from these purchases of a log."""
    return {
        "log": log.name,
        "log_sha256": log.sha256,
        "order_key": log.order_key,
        "seed": log.seed,
        "purchases": len(purchases),
        "first": _moment(int(purchases.at_ms[0])),
        "last": _moment(int(purchases.at_ms[-1])),
        "catalogue": catalogue,
        "signals": list(SIGNALS),
        "settings": grown.settings,
        "examples": grown.examples,
        "rows": grown.rows,
        "trees": grown.forest.n_trees,
        "ndcg_held_out": round(grown.ndcg_held_out, 4),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("trendloom", "numpy", "lightgbm")},
        },
    }


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
