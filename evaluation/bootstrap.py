"""Intervals by the bootstrap over customers: whole customers are drawn again and again, with all that they were asked.

Two contestants are compared on the same draws (paired). McNemar's test beside it is only a description: it takes the
questions of one customer for independent, which they are not. Read next: :mod:`evaluation.figures`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Draws", "Interval", "mcnemar"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: So many draws are held at once.
_CHUNK = 32


@dataclass(frozen=True)
class Interval:
    """A mean and the bounds between which the middle 95 % of the draws lie."""

    value: float
    low: float
    high: float


class Draws:
    """Bootstrap draws over the customers (Q,) of Q questions.

    >>> draws = Draws(np.array([3, 3, 8, 9]), draws=200, rng=np.random.default_rng(1))
    >>> found = draws.interval(np.array([[1.0], [1.0], [0.0], [0.0]]))
    >>> found[0].value, found[0].low, found[0].high
    (0.5, 0.0, 1.0)
    """

    def __init__(self, customer: Ints, *, draws: int, rng: np.random.Generator) -> None:
        _, self._who = np.unique(customer, return_inverse=True)
        self._size = int(self._who.max(initial=-1)) + 1
        self._draws = draws
        self._seed = int(rng.integers(2**63))

    def interval(self, values: npt.NDArray[np.floating]) -> list[Interval]:
        """Return the mean of each column of ``values`` (Q, M) and its interval: all questions weigh the same."""
        if not self._size:
            return [Interval(0.0, 0.0, 0.0)] * values.shape[1]
        means = self.means(values)
        low, high = np.quantile(means, [0.025, 0.975], axis=0)
        found = values.mean(axis=0, dtype=np.float64)
        return [Interval(*three) for three in zip(found.tolist(), low.tolist(), high.tolist(), strict=True)]

    def means(self, values: npt.NDArray[np.floating]) -> Floats:
        """Return the mean of each column in each draw (draws, M); the same draws at every call."""
        sums = np.stack(
            [np.ones(self._who.size), *values.T.astype(np.float64)], axis=1
        )  # (Q, 1 + M), the first counts the questions
        of_customer = np.stack([np.bincount(self._who, column, self._size) for column in sums.T], axis=1)
        rng = np.random.default_rng(self._seed)
        out = np.empty((self._draws, values.shape[1]))
        for start in range(0, self._draws, _CHUNK):
            some = min(_CHUNK, self._draws - start)
            picked = rng.integers(self._size, size=(some, self._size))
            times = np.stack([np.bincount(row, minlength=self._size) for row in picked]).astype(np.float64)
            drawn = times @ of_customer
            out[start : start + some] = drawn[:, 1:] / drawn[:, :1]
        return out


def mcnemar(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> tuple[int, int, float]:
    """Return how many questions (Q,) only the one and only the other answered, and McNemar's p with correction.

    >>> mcnemar(np.array([True] * 30 + [False] * 10), np.array([False] * 30 + [True] * 10))[:2]
    (30, 10)
    """
    only_one, only_other = int((one & ~other).sum()), int((~one & other).sum())
    if only_one + only_other == 0:
        return 0, 0, 1.0
    statistic = max(abs(only_one - only_other) - 1.0, 0.0) ** 2 / (only_one + only_other)
    return only_one, only_other, math.erfc(math.sqrt(statistic / 2.0))
