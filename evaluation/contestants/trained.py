"""Trained contestants: models that are made anew every day from the baskets of earlier days and answer in between.

The frame is the same for all of them; what a model is and how it is trained is handed over. Read next:
:mod:`evaluation.contestants.als`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS, Ground, Histories, Purchases
from evaluation.contestants.baskets import Baskets
from evaluation.contestants.choosing import best_of_scores, filled
from evaluation.contestants.popularity import Popularity
from evaluation.contestants.repurchase import distinct_weights

__all__ = ["Learnt", "Model", "Silent", "Train", "Trained"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
#: So many rows are scored at once: a table of them and of all items must fit beside the model.
_ROWS = 256


class Model(Protocol):
    """What a training leaves behind: it scores the C items that the baskets knew."""

    def scores(self, column: Ints, weight: Floats) -> Floats:
        """Return scores (B, C) for histories ``column`` (B, H) of ``weight`` (B, H), 0 where nothing is known.

        A score of -inf is never listed; at least one weight of each row is positive.
        """
        ...


class Silent:
    """A model that has learnt nothing of C items and lists none, so that popular ones take all places.

    >>> Silent(2).scores(np.array([[0]]), np.array([[1.0]], np.float32)).tolist()
    [[-inf, -inf]]
    """

    def __init__(self, size: int) -> None:
        self._size = size

    def scores(self, column: Ints, weight: Floats) -> Floats:
        """Return -inf (B, C)."""
        return np.full((column.shape[0], self._size), -np.inf, np.float32)


class Learnt(Protocol):
    """What a training is given, made of the purchases before some moment: baskets, or sequences."""

    @property
    def item(self) -> Ints:
        """The numbers (C,) of the items that were bought at all, ascending."""
        ...

    @property
    def count(self) -> int:
        """How many baskets or sequences there are; of none nothing is trained."""
        ...


Train = Callable[[Any, np.random.Generator], Model]  # takes what `gather` makes


class Trained:
    """The best items by a model of the earlier days, folding in the history, today's purchases too; then popular ones.

    A past item weighs .95^place * .7^days, as in item-kNN. The model is trained when a day's first list is asked for,
    on the baskets of the days before that are learnt by then; ``every_ms`` shorter than a day trains more often, on
    what was bought until that part of the day began, and with ``renew_every`` it serves for so many of these periods.
    Items that the model does not know are listed only as popular ones (half-life a day, live), which take the places
    that it leaves free, all of them for new customers; without ``fill`` nobody does. ``gather`` makes of the purchases
    what the training takes.
    """

    def __init__(
        self,
        name: str,
        ground: Ground,
        train: Train,
        *,
        gather: Callable[[Sequence[Purchases], int], Learnt] = Baskets.of,
        every_ms: int = DAY_MS,
        renew_every: int = 1,
        history_length: int = 20,
        position_decay: float = 0.95,
        day_decay: float = 0.7,
        fill: bool = True,
    ) -> None:
        self.name = name
        self._ground = ground
        self._train = train
        self._gather = gather
        self._every_ms = every_ms
        self._renew_every = renew_every
        self._length = history_length
        self._fill = fill
        self._decays = (position_decay, day_decay)
        self._rng = ground.generator(name)
        self._learnt: list[Purchases] = []
        self._popular = Popularity(name, ground, half_life_s=86_400.0)
        self._period: int | None = None
        self._model: Model | None = None
        self._item = np.zeros(0, np.int64)
        self._column_of = np.full(ground.n_items + 1, -1, np.int64)  # the last one is for -1

    def after(self, batch: Purchases, k: int) -> Ints:
        """Return what the model makes of the customer's purchases, the one just made among them."""
        return self._lists(self._ground.customers.after(batch), batch.at_ms, k)

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        """Return what the model makes of the customer's earlier purchases."""
        return self._lists(self._ground.customers.before(customer), at_ms, k)

    def learn(self, batch: Purchases) -> None:
        """Keep the batch for the next training."""
        if len(batch):
            self._learnt.append(batch)
            self._popular.learn(batch)

    def _lists(self, histories: Histories, at_ms: Ints, k: int) -> Ints:
        barred = histories.bought_on(at_ms)
        weight = distinct_weights(histories, at_ms, position_decay=self._decays[0], day_decay=self._decays[1])
        lists = np.full((at_ms.size, k), -1, np.int64)
        periods = at_ms // self._every_ms
        for period in np.unique(periods).tolist():
            self._refresh(period)
            column = self._column_of[histories.item[:, : self._length]]
            known = np.where(column >= 0, weight[:, : self._length], 0.0).astype(np.float32)
            asked = np.flatnonzero((periods == period) & (known > 0).any(axis=1))
            for start in range(0, asked.size, _ROWS):
                row = asked[start : start + _ROWS]
                lists[row] = self._best(np.maximum(column[row], 0), known[row], barred[row], k)
        return filled(lists, self._popular.ranking(), barred) if self._fill else lists

    def _best(self, column: Ints, weight: Floats, barred: Ints, k: int) -> Ints:
        if self._model is None:
            return np.full((column.shape[0], k), -1, np.int64)
        scores = self._model.scores(column, weight).astype(np.float64)
        best = best_of_scores(scores, self._column_of[barred], k, self._rng)
        return np.where(best >= 0, self._item[best], -1)

    def _refresh(self, period: int) -> None:
        """Train if this is another day than the model's, or so many days later."""
        if self._period is not None:
            age = period - self._period
            if age == 0 or (self._model is not None and 0 < age < self._renew_every):
                return
        learnt = self._gather(self._learnt, period * self._every_ms)
        self._period, self._model = period, None
        self._column_of[:] = -1
        self._item = learnt.item
        if learnt.count:
            self._column_of[learnt.item] = np.arange(learnt.item.size)
            self._model = self._train(learnt, self._ground.generator(f"{self.name} {period}"))
