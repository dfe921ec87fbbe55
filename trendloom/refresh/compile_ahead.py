"""``python -m trendloom.refresh.compile_ahead``: compile the kernels now and keep them, so that no worker has to wait.

They are compiled for one set of array types, the same for every catalogue; what is kept is found again until the code
changes. Without numba there is nothing to do.
"""

from __future__ import annotations

import asyncio
import importlib.util
import time

import numpy as np

from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.refresh.refresher import Refresher
from trendloom.refresh.scorer import LearnedRules, ListRules
from trendloom.relevance.presets import PRESETS
from trendloom.relevance.transitions import Transitions
from trendloom.state.in_process import InProcessStore
from trendloom.state.rules import StateRules

__all__ = ["compile_ahead"]


def compile_ahead() -> bool:
    """Compile what a worker needs, or read what was compiled before; return False where numba is not installed."""
    if importlib.util.find_spec("numba") is None:
        return False
    # trees of one leaf: what is compiled does not depend on what they say
    from trendloom.record_batches import record_batches
    from trendloom.relevance.learned.forest import Forest

    record_batches([], b"", np.zeros(1, np.int64), np.zeros(0, np.int32), 0, 0)
    none, leaf = np.zeros(1, np.int32), np.full(1, -1, np.int32)
    forest = Forest(leaf, np.zeros(1), none, none, np.zeros(1), none)
    Transitions(product=np.zeros(0, np.int64), group=np.zeros(0, np.int64), compiled=True)  # and the counts it holds
    refresher = Refresher(
        InProcessStore(),
        load_catalogue(demo_catalogue_path()),
        state_rules=StateRules(),
        list_rules=ListRules(PRESETS["balanced"], learned=LearnedRules(PRESETS["learned"], forest)),
        stores={},
        worker="ahead",
        follow_every_s=1.0,
        monotonic=time.monotonic,
        compiled=True,
    )
    asyncio.run(refresher.open(1_600_000_000_000))
    return True


if __name__ == "__main__":
    compile_ahead()
