"""A trained model on the stream: scores of any item for any customer, by the item numbers of the state.

Rules for who and what the model lacks: a customer stands for the mean of the customers who took what he took, each item
weighed by its recency; with nothing known in his history, and for an item that the model lacks, the part is 0, so that
popularity, co-purchase and looks decide. Nothing is learnt here: train anew and start the worker again.
Read next: :mod:`trendloom.relevance.trained`, which asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from trendloom.collaborative.model import CollaborativeModel

__all__ = ["StreamModel", "mean_takers"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def mean_takers(model: CollaborativeModel) -> Floats:
    """Return for each item (N, F + H) the mean vector of the customers who took it, the model's two parts side by side.

    An item that nobody took has the mean of all customers.
    """
    vectors = np.hstack((model.user_dot, model.user_hidden))
    user = np.repeat(np.arange(model.n_users), np.diff(model.start))
    counts = np.bincount(model.taken, minlength=model.n_items)
    sums = np.stack(
        [
            np.bincount(model.taken, weights=vectors[user, column], minlength=model.n_items)
            for column in range(vectors.shape[1])
        ],
        axis=1,
    )
    means: Floats = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], vectors.mean(axis=0))
    return means.astype(np.float32)


class StreamModel:
    """A model by item number: ``number_of`` tells the state's numbers of item ids, ``size`` how many there may be."""

    def __init__(self, model: CollaborativeModel, number_of: Mapping[str, int], size: int) -> None:
        self._user_number = model.user_number
        self._width = model.user_dot.shape[1]
        self._vectors = np.hstack((model.user_dot, model.user_hidden)).astype(np.float32)
        numbers = np.array([number_of.get(item, -1) for item in model.item_ids], np.int64)
        rows = np.flatnonzero((numbers >= 0) & (numbers < size))
        #: Row of each item number (size,) among the items that model and state both know, -1 for none.
        self._row = np.full(size, -1, np.int64)
        self._row[numbers[rows]] = np.arange(rows.size)
        self._numbers = numbers[rows]
        self._takers = mean_takers(model)[rows]
        self._items = replace(
            model,
            item_ids=tuple(model.item_ids[row] for row in rows.tolist()),
            item_dot=model.item_dot[rows],
            item_bias=model.item_bias[rows],
            item_hidden=model.item_hidden[rows],
        )

    def customers(self, names: Sequence[str]) -> Floats:
        """Return the trained vectors of customers (B, W); NaN rows for those whom the model lacks."""
        numbers = np.array([self._user_number.get(name, -1) for name in names], np.int64)
        vectors = np.full((numbers.size, self._vectors.shape[1]), np.nan, np.float32)
        vectors[numbers >= 0] = self._vectors[numbers[numbers >= 0]]
        return vectors

    def standing_in(self, history: Ints, weight: npt.NDArray[np.float64]) -> Floats:
        """Return vectors (B, W) for histories (B, H) of item numbers, -1 none, weighed (B, H); NaN where none tells."""
        row = np.where(history >= 0, self._row[np.maximum(history, 0)], -1)
        weight = np.where(row >= 0, weight, 0.0)
        total = weight.sum(axis=1, keepdims=True)
        if not len(self._takers):
            return np.full((len(history), self._vectors.shape[1]), np.nan, np.float32)
        summed = (self._takers[np.maximum(row, 0)] * weight[:, :, None]).sum(axis=1)
        return np.where(total > 0, summed / np.where(total > 0, total, 1.0), np.nan).astype(np.float32)

    def chances(self, customers: Floats, rows: Ints, items: Ints) -> npt.NDArray[np.float64]:
        """Return the chance (P,) of each pair of a customer's row in (B, W) and an item number; 0 where unknown."""
        place = self._row[items]
        known = (place >= 0) & ~np.isnan(customers[rows]).any(axis=1)
        out = np.zeros(items.size)
        vectors, place = customers[rows[known]], place[known]
        logits = self._items.score_rows(vectors[:, : self._width], vectors[:, self._width :], place)
        out[known] = 0.5 * (1.0 + np.tanh(0.5 * logits.astype(np.float64)))
        return out

    def best(self, customers: Floats, count: int) -> Ints:
        """Return the numbers of the ``count`` items (B, count) with the highest chances; -1 where there are fewer."""
        out = np.full((len(customers), count), -1, np.int64)
        known = np.flatnonzero(~np.isnan(customers).any(axis=1))
        count = min(count, len(self._numbers))
        if not known.size or not count:
            return out
        vectors = customers[known]
        scores = self._items.score_vectors(vectors[:, : self._width], vectors[:, self._width :])
        best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        out[known, :count] = self._numbers[best]
        return out
