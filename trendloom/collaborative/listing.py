"""A customer's list from a trained model, and by which rule it was made: never empty, whoever asks.

Customers whom the model knows get its best items that they had not taken; others get what most customers took.
Read next: :mod:`trendloom.collaborative.model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from trendloom.collaborative.model import CollaborativeModel

__all__ = ["ModelList", "list_for"]


@dataclass(frozen=True, slots=True)
class ModelList:
    """Item ids and scores, best first; ``rule`` is ``model``, or ``popular`` for a customer that the model lacks.

    The model's scores are chances in (0, 1), the popular items' scores are how many customers took them.
    """

    items: tuple[str, ...]
    scores: tuple[float, ...]
    rule: Literal["model", "popular"]


def list_for(model: CollaborativeModel, customer_id: str, k: int) -> ModelList:
    """Return a customer's k items.

    >>> one = np.ones((1, 1), np.float32)
    >>> model = CollaborativeModel(
    ...     "gmf", ("ann",), ("hat", "cap", "tie"), one, np.array([[1], [2], [3]], np.float32), np.zeros(3, np.float32),
    ...     np.zeros((1, 0), np.float32), np.zeros((3, 0), np.float32), (), np.zeros(0, np.float32),
    ...     start=np.array([0, 1]), taken=np.array([2], np.int32))
    >>> list_for(model, "ann", 2).items
    ('cap', 'hat')
    >>> list_for(model, "who", 1)
    ModelList(items=('tie',), scores=(1.0,), rule='popular')
    """
    number = model.user_number.get(customer_id)
    if number is None:
        counts = np.bincount(model.taken, minlength=model.n_items)
        best = np.argsort(-counts, kind="stable")[:k]
        return ModelList(_names(model, best.tolist()), tuple(counts[best].astype(float).tolist()), "popular")
    items, scores = model.best(number, k)
    chances = 0.5 * (1.0 + np.tanh(0.5 * scores.astype(np.float64)))  # the sigmoid, without overflow
    return ModelList(_names(model, items.tolist()), tuple(chances.tolist()), "model")


def _names(model: CollaborativeModel, numbers: list[int]) -> tuple[str, ...]:
    return tuple(model.item_ids[number] for number in numbers)
