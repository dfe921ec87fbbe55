"""What the trees know of an item beyond :class:`~trendloom.relevance.features.ItemFeatures`: type, colour, title words.

And how often purchases go from one value of an attribute to another, counted from the very pairs that co-purchase is
counted from. Reads no catalogue: :mod:`trendloom.refresh.attributes` makes the codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts
from trendloom.relevance.features import Lists
from trendloom.relevance.learned.steps import count_values

__all__ = ["AttributePairs", "Attributes", "codes_of", "first_word"]

Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
#: An attribute of more values than this has its rarest ones left out: transitions are counted in a square table.
MOST_VALUES = 512
#: Transitions are shrunk towards what everybody buys by this many half units.
PRIOR_HALVES = 5.0


def first_word(title: str) -> str:
    """Return the first word of a title in small letters, without the marks around it.

    >>> first_word("Timeless Midrise Brief"), first_word("")
    ('timeless', '')
    """
    words = title.split()
    return words[0].casefold().strip(".,:;()'\"") if words else ""


def codes_of(values: Sequence[str], most: int | None = None) -> Int32s:
    """Return a code (N,) for each value, -1 for "" and, beyond the ``most`` frequent values, for the rarest.

    >>> codes_of(["red", "", "blue", "red"]).tolist(), codes_of(["red", "", "blue", "red"], most=1).tolist()
    ([1, -1, 0, 1], [0, -1, -1, 0])
    """
    names, code, count = np.unique(np.array(values, dtype=str), return_inverse=True, return_counts=True)
    kept = names != ""
    if most is not None and kept.sum() > most:
        frequent = np.argsort(np.where(kept, -count, 1), kind="stable")[:most]
        kept = np.isin(np.arange(names.size), frequent) & kept
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    return number[code].astype(np.int32)


@dataclass(frozen=True)
class Attributes:
    """Codes of N items, -1 unknown: ``dense`` (N, A) in the order of ``signals.DENSE``, ``word`` and ``title`` (N,)."""

    dense: Int32s
    word: Int32s
    title: Int32s

    @cached_property
    def sizes(self) -> Ints:
        """The number of values (A,) of each attribute."""
        return np.asarray(self.dense.max(axis=0, initial=-1) + 1, np.int64)

    @property
    def n_values(self) -> int:
        """The greatest number of values that an attribute has."""
        return int(self.sizes.max(initial=0))

    @cached_property
    def by_word(self) -> Lists:
        """The items whose titles begin with each word."""
        return Lists.by_code(self.word, np.arange(self.word.size))


class AttributePairs:
    """Transitions between the values of each attribute, in half units, and the chances that follow from them.

    >>> items = Attributes(np.array([[0], [1]], np.int32), np.zeros(2, np.int32), np.zeros(2, np.int32))
    >>> learned = AttributePairs(items)
    >>> learned.learn_pairs(np.array([0]), np.array([1]), np.array([2]))
    >>> learned.chances()[0][0, 0].round(2).tolist()        # (0 + 5 * 0.5) / (2 + 5), (2 + 5 * 0.5) / (2 + 5)
    [0.36, 0.64]
    """

    def __init__(self, attributes: Attributes) -> None:
        self._dense = attributes.dense
        n = attributes.n_values
        #: (A, G, G) how often the values were bought by the same customer
        self.counts: Floats = np.zeros((attributes.dense.shape[1], n, n))
        self._chances: tuple[Floats, Floats] | None = None

    @classmethod
    def rebuilt(cls, attributes: Attributes, co: BoundedCounts) -> AttributePairs:
        """Return what co-purchase counts imply; pairs that were cut from them are forgotten."""
        learned = cls(attributes)
        rows = co.rows()
        for start in range(0, rows.size, 4096):
            columns, counts = co.gather(rows[start : start + 4096])
            place, column = np.nonzero(columns >= 0)
            learned._count(rows[start + place], columns[place, column], counts[place, column], both=False)
        return learned

    def learn_pairs(self, rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer], weights: Ints) -> None:
        """Add weights (P,) in half units to the pairs (rows (P,), columns (P,)), in both directions."""
        self._count(rows, columns, weights, both=True)

    def chances(self) -> tuple[Floats, Floats]:
        """Return the chance (A, G, G) of each value after each value, and of each value after any, (A, G).

        (count + prior * everybody's) / (row sum + prior). The arrays are handed out again until something is learnt.
        """
        if self._chances is None:
            sums = self.counts.sum(axis=2)
            everybody = sums / np.maximum(sums.sum(axis=1, keepdims=True), 1.0)
            chance = (self.counts + PRIOR_HALVES * everybody[:, None, :]) / (sums[:, :, None] + PRIOR_HALVES)
            self._chances = (chance, everybody)
        return self._chances

    def _count(
        self,
        rows: npt.NDArray[np.integer],
        columns: npt.NDArray[np.integer],
        weights: npt.NDArray[np.integer],
        *,
        both: bool,
    ) -> None:
        if rows.size:
            count_values(
                self._dense,
                self.counts,
                rows.astype(np.int64),
                columns.astype(np.int64),
                weights.astype(np.int64),
                both,
            )
            self._chances = None
