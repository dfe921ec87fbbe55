"""The purchases that ask for a list: a batch of them, each with its customer's recent history.

Times are event times; a query knows nothing of what came after its purchase. Read next:
:mod:`trendloom.relevance.score`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["DAY_MS", "NOT_IN_STORE", "UNKNOWN_STORE", "Query"]

DAY_MS = 86_400_000
#: Codes of where something was bought: in no store that is known of (online), in one that the catalogue does not know.
NOT_IN_STORE, UNKNOWN_STORE = -1, -2


@dataclass(frozen=True)
class Query:
    """B purchases, each of which asks for its customer's refreshed list.

    ``item`` (B,) what was bought; ``history`` (B, H) the customer's purchases, newest first, position 0 the purchase
    itself, padded with -1; ``history_ms`` (B, H) their event times; ``at_ms`` (B,) the event time of the purchase;
    ``stores`` (B, H) where they were bought, or :data:`NOT_IN_STORE` or :data:`UNKNOWN_STORE`; ``trendiness`` and
    ``percentile`` (B,), both in [0, 1].
    """

    item: npt.NDArray[np.int32]
    history: npt.NDArray[np.int32]
    history_ms: npt.NDArray[np.int64]
    at_ms: npt.NDArray[np.int64]
    stores: npt.NDArray[np.int16]
    trendiness: npt.NDArray[np.float64]
    percentile: npt.NDArray[np.float64]
    #: trained vectors of the customers (B, W), NaN rows for strangers; None where no model is given
    trained: npt.NDArray[np.float32] | None = None

    def take(self, rows: npt.NDArray[np.int64]) -> Query:
        """Return the purchases of these rows only."""
        return Query(
            self.item[rows],
            self.history[rows],
            self.history_ms[rows],
            self.at_ms[rows],
            self.stores[rows],
            self.trendiness[rows],
            self.percentile[rows],
            None if self.trained is None else self.trained[rows],
        )

    @property
    def size(self) -> int:
        """B, the number of purchases."""
        return int(self.item.size)

    @cached_property
    def newest(self) -> npt.NDArray[np.bool_]:
        """Where a history names an item for the first time, counted from the newest (B, H)."""
        history = self.history
        fresh = history >= 0
        for position in range(1, history.shape[1]):
            fresh[:, position] &= ~(history[:, :position] == history[:, position, None]).any(axis=1)
        return fresh

    @cached_property
    def days_ago(self) -> npt.NDArray[np.int64]:
        """Calendar days (UTC) from each past purchase to this one (B, H), at least 0."""
        return np.asarray(np.maximum(self.at_ms[:, None] // DAY_MS - self.history_ms // DAY_MS, 0), np.int64)

    def recency(self, position_decay: float, day_decay: float) -> npt.NDArray[np.float64]:
        """Return w (B, H) = position_decay^position * day_decay^days over distinct items, 0 elsewhere.

        >>> day = 86_400_000
        >>> query = Query(np.array([5]), np.array([[5, 7, 5, 9]]), np.array([[3, 3, 3, 2]]) * day, np.array([3]) * day,
        ...               np.full((1, 4), -1), np.zeros(1), np.zeros(1))
        >>> query.recency(0.5, 0.1).tolist()
        [[1.0, 0.5, 0.0, 0.025]]
        """
        position = np.cumsum(self.newest, axis=1) - 1
        weight = position_decay ** position.astype(np.float64) * day_decay ** self.days_ago.astype(np.float64)
        return np.where(self.newest, weight, 0.0)
