"""Purchases in, refreshed lists out: the one path that the live worker, replays and the evaluation all take.

Read :mod:`trendloom.refresh.refresher` first, then :mod:`trendloom.refresh.assortment` and
:mod:`trendloom.refresh.lists`.
"""

from __future__ import annotations

from trendloom.refresh.applying import Applied
from trendloom.refresh.refresher import Refresher
from trendloom.refresh.scorer import LearnedRules, ListRules

__all__ = ["Applied", "LearnedRules", "ListRules", "Refresher"]
