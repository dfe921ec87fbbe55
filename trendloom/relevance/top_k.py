"""The answer to a batch of purchases: a list of items for each, with their scores and the parts of these.

Read next: :mod:`trendloom.candidates`, which makes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["TopK"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TopK:
    """B lists: items (B, k), the best first, padded with -1; scores (B, k); parts (B, k, P), which sum to them."""

    items: npt.NDArray[np.int32]
    scores: Floats
    parts: Floats
    part_names: tuple[str, ...]
    #: the preset that made them, where it is not the one that was asked for or there are two
    preset: str = ""

    def first(self, k: int) -> TopK:
        """Return the first ``k`` places of every list."""
        if self.items.shape[1] <= k:
            return self
        return TopK(self.items[:, :k], self.scores[:, :k], self.parts[:, :k], self.part_names)

    def put(self, rows: npt.NDArray[np.int64], others: TopK) -> None:
        """Replace the lists of these rows (R,) by ``others`` (R, k), which have as many places."""
        self.items[rows], self.scores[rows], self.parts[rows] = others.items, others.scores, others.parts

    def without(self, gone: npt.NDArray[np.bool_], k: int) -> TopK:
        """Return the lists without the items (by number) that are ``gone`` (N,), cut to ``k``.

        >>> top = TopK(np.array([[2, 0, 1]], np.int32), np.array([[3., 2., 1.]]), np.ones((1, 3, 1)), ("visual",))
        >>> top.without(np.array([True, False, False]), 2).items.tolist()
        [[2, 1]]
        """
        lost = (self.items < 0) | gone[np.maximum(self.items, 0)]
        order = np.argsort(lost, axis=1, kind="stable")[:, :k]  # those that stay, in their order, then the others
        lost = np.take_along_axis(lost, order, axis=1)
        return TopK(
            np.where(lost, -1, np.take_along_axis(self.items, order, axis=1)).astype(np.int32),
            np.where(lost, 0.0, np.take_along_axis(self.scores, order, axis=1)),
            np.where(lost[:, :, None], 0.0, np.take_along_axis(self.parts, order[:, :, None], axis=1)),
            self.part_names,
            self.preset,
        )
