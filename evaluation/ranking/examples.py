"""Examples to grow trees from: the candidates of past purchases, and which of them the customer then bought.

An example waits until its customer's basket must be over, is kept if a candidate was bought, and loses most of the
candidates that were not: they are many and alike. Nothing later than the day of a purchase is looked at. Read next:
:mod:`evaluation.ranking.growing`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS
from trendloom.relevance.learned.lists import Described
from trendloom.relevance.learned.signals import SIGNALS

__all__ = ["Examples", "Table"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """Q examples: ``signals`` (E, F) and whether each candidate was bought (E,), example after example.

    ``sizes`` (Q,) candidates of each, ``customer`` (Q,) whose it is, ``day`` (Q,) of the purchase, since the epoch.
    """

    signals: npt.NDArray[np.float32]
    bought: npt.NDArray[np.int8]
    sizes: Ints
    customer: Ints
    day: Ints


@dataclass
class _Waiting:
    sequence: Ints
    customer: Ints
    at_ms: Ints
    described: Described


class Examples:
    """Collects examples in event-time order: tell it of each batch what was asked (``ask``); read them as a ``table``.

    ``patience`` purchases later, or when the day is over, a basket is taken for finished. Of the candidates that were
    not bought a share of ``kept`` stays.
    """

    def __init__(self, rng: np.random.Generator, *, patience: int = 4_000, kept: float = 0.2) -> None:
        self._rng = rng
        self._patience = patience
        #: the share of candidates that were not bought which stays, from now on
        self.kept = kept
        self._waiting: deque[_Waiting] = deque()
        self._sequence = 0
        self._day = -1
        self._bought: dict[int, list[tuple[int, int]]] = {}
        self._done: list[Table] = []

    def ask(self, customer: Ints, item: Ints, at_ms: Ints, described: Described) -> None:
        """Note a batch of purchases (B,), all of one day or of several, and their candidates."""
        for one in np.unique(at_ms // DAY_MS).tolist():
            if one != self._day:
                self.settle()
                self._bought.clear()
                self._day = one
        sequence = self._sequence + np.arange(item.size)
        self._sequence += item.size
        for buyer, place, bought in zip(customer.tolist(), sequence.tolist(), item.tolist(), strict=True):
            self._bought.setdefault(buyer, []).append((place, bought))
        self._waiting.append(_Waiting(sequence, customer, at_ms, described))
        while self._waiting and self._sequence - int(self._waiting[0].sequence[0]) > self._patience:
            self._finish(self._waiting.popleft())

    def settle(self) -> None:
        """Take all baskets for finished."""
        while self._waiting:
            self._finish(self._waiting.popleft())

    @property
    def count(self) -> int:
        """How many examples are finished."""
        return sum(one.sizes.size for one in self._done)

    def drop(self) -> None:
        """Forget the examples that are finished."""
        self._done.clear()

    def table(self, *, most: int | None = None) -> Table:
        """Return the examples that are finished, about the latest ``most`` of them, as one table."""
        chosen = self.tables(most=most) or [_nothing()]
        return Table(*(np.concatenate([getattr(one, name) for one in chosen]) for name in Table.__dataclass_fields__))

    def tables(self, *, most: int | None = None) -> list[Table]:
        """Return the same in the pieces that they came in: of signals, which are large, no copy is made."""
        count = 0
        chosen: list[Table] = []
        for one in self._done[::-1]:
            if most is not None and count >= most:
                break
            chosen.append(one)
            count += one.sizes.size
        return chosen[::-1]

    def _finish(self, waiting: _Waiting) -> None:
        described, starts = waiting.described, waiting.described.starts
        signals, bought, sizes, customers, days = [], [], [], [], []
        for row, (buyer, place) in enumerate(zip(waiting.customer.tolist(), waiting.sequence.tolist(), strict=True)):
            later = [item for number, item in self._bought.get(buyer, ()) if number > place]
            if not later:
                continue
            part = slice(int(starts[row]), int(starts[row + 1]))
            hit = np.isin(described.item[part], later)
            if not hit.any():
                continue
            stays = hit | (self._rng.random(hit.size) < self.kept)
            signals.append(described.signals[part][stays])
            bought.append(hit[stays].astype(np.int8))
            sizes.append(int(stays.sum()))
            customers.append(buyer)
            days.append(int(waiting.at_ms[row]) // DAY_MS)
        if sizes:
            self._done.append(
                Table(
                    np.concatenate(signals),
                    np.concatenate(bought),
                    np.array(sizes, np.int64),
                    np.array(customers, np.int64),
                    np.array(days, np.int64),
                )
            )


def _nothing() -> Table:
    none = np.zeros(0, np.int64)
    return Table(np.zeros((0, len(SIGNALS)), np.float32), none.astype(np.int8), none, none, none)
