"""The customers' side of the stream: how trendy the customers are who are buying now.

The customers' records change in the atomic step of :mod:`agents.purchases`; this keeps a summary for the health
endpoint.
"""

from __future__ import annotations

import numpy as np

from trendloom.refresh import Applied

__all__ = ["TrendinessSummary"]

_BINS = 10


class TrendinessSummary:
    """How many of the refreshed lists went to customers of each tenth of trendiness, since the worker's start.

    >>> TrendinessSummary().as_dict()
    {'mean': None, 'tenths': [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]}
    """

    def __init__(self) -> None:
        self._tenths = np.zeros(_BINS, np.int64)
        self._sum = 0.0
        self._count = 0

    def observe(self, applied: Applied) -> None:
        """Count every listed purchase of a batch."""
        found = applied.listed.trendiness
        self._tenths += np.bincount(np.minimum((found * _BINS).astype(np.int64), _BINS - 1), minlength=_BINS)
        self._sum += float(found.sum())
        self._count += int(found.size)

    def as_dict(self) -> dict[str, object]:
        """Return the summary for JSON."""
        return {"mean": self._sum / self._count if self._count else None, "tenths": self._tenths.tolist()}
