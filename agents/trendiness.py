"""The customers' side of the stream: how trendy the customers are who are buying now.

The customers' records change in the atomic step of :mod:`agents.purchases`; this keeps a summary for the health
endpoint.
"""

from __future__ import annotations

from trendloom.refresh import Applied

__all__ = ["TrendinessSummary"]

_BINS = 10


class TrendinessSummary:
    """How many of the refreshed lists went to customers of each tenth of trendiness, since the worker's start.

    >>> summary = TrendinessSummary()
    >>> summary.add(0.25); summary.add(1.0)
    >>> summary.as_dict()["tenths"]
    [0, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    """

    def __init__(self) -> None:
        self._tenths = [0] * _BINS
        self._sum = 0.0
        self._count = 0

    def add(self, trendiness: float) -> None:
        """Count one customer's trendiness, in [0, 1], after a purchase."""
        self._tenths[min(int(trendiness * _BINS), _BINS - 1)] += 1
        self._sum += trendiness
        self._count += 1

    def observe(self, applied: Applied) -> None:
        """Count every listed purchase of a batch."""
        for listed in applied.listed:
            self.add(listed.trendiness)

    def as_dict(self) -> dict[str, object]:
        """Return the summary for JSON."""
        return {"mean": self._sum / self._count if self._count else None, "tenths": list(self._tenths)}
