"""A trained GMF, MLP, NeuMF or image-MLP in the one form that all of them share, scored with numpy.

It trains nothing and opens no file. Read next: :mod:`trendloom.collaborative.model_file` (keeping it) and
:mod:`models.collaborative.networks` (where the arrays come from).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["CollaborativeModel"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

#: Hidden values computed at a time: 8 M are 32 MB.
_HIDDEN_AT_ONCE = 8_388_608
#: The same with one hidden layer: 128 K are half a MB, which a processor keeps at hand.
_SHALLOW_AT_ONCE = 131_072


@dataclass(frozen=True)
class CollaborativeModel:
    """Scores of U customers for N items, as logits: sigmoid of a score is the chance that the network gives.

    score(u, i) = user_dot[u] · item_dot[i] + item_bias[i] + out · h, with h = relu(user_hidden[u] + item_hidden[i])
    put through ``layers`` (weights (in, out), bias (out,)), a ReLU after each. The output weights of the product part
    are already in ``user_dot`` and the first hidden layer of the other part is already split between user and item,
    which is exact: a linear layer of two vectors side by side is the sum of two layers. Parts that a model lacks have
    width 0. ``start`` (U + 1,) and ``taken`` (E,) are what each customer had when the model was trained.
    """

    kind: str
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    user_dot: Floats
    item_dot: Floats
    item_bias: Floats
    user_hidden: Floats
    item_hidden: Floats
    layers: tuple[tuple[Floats, Floats], ...]
    out: Floats
    start: Ints
    taken: npt.NDArray[np.int32]
    #: Image-MLP: hidden values of an item (I, H) from its image embedding alone, for items without sales; else (0, H).
    image_hidden: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_users(self) -> int:
        """Number of customers, U."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Number of items, N."""
        return len(self.item_ids)

    @cached_property
    def user_number(self) -> Mapping[str, int]:
        """Numbers of the customers by id."""
        return {customer: number for number, customer in enumerate(self.user_ids)}

    def with_popularity(self, weight: float) -> CollaborativeModel:
        """Return the model with weight · log(1 + customers who took it) added to each item's score."""
        counts = np.bincount(self.taken, minlength=self.n_items)
        return replace(self, item_bias=(self.item_bias + weight * np.log1p(counts)).astype(np.float32))

    def joined(self, other: CollaborativeModel, weight: float) -> CollaborativeModel:
        """Return one NeuMF whose logits are a GMF's (this one) plus ``weight`` times an MLP's (the other).

        Both must know the same customers and items; ``ValueError`` otherwise.
        """
        if self.user_ids != other.user_ids or self.item_ids != other.item_ids:
            raise ValueError("the two models know other customers or items")
        if self.item_hidden.shape[1] or other.item_dot.shape[1]:
            raise ValueError("a product part is joined with a hidden part, in this order")
        return replace(
            self,
            kind="neumf",
            item_bias=(self.item_bias + weight * other.item_bias).astype(np.float32),
            user_hidden=other.user_hidden,
            item_hidden=other.item_hidden,
            layers=other.layers,
            out=(weight * other.out).astype(np.float32),
        )

    def score_all(self, users: Ints) -> Floats:
        """Return the scores of all items for customers (B,): (B, N)."""
        return self.score_vectors(self.user_dot[users], self.user_hidden[users])

    def score_vectors(self, dot: Floats, hidden: Floats) -> Floats:
        """Return the scores of all items for customers given by their vectors (B, F) and (B, H): (B, N)."""
        scores: Floats = dot @ self.item_dot.T + self.item_bias
        if self.item_hidden.shape[1] and not self.layers:
            self._add_shallow(scores, hidden)
        elif self.item_hidden.shape[1]:
            step = max(1, _HIDDEN_AT_ONCE // (self.n_items * self.item_hidden.shape[1]))
            for low in range(0, len(scores), step):
                part = hidden[low : low + step]
                scores[low : low + step] += self._deep(part[:, None, :] + self.item_hidden)
        return scores

    def _add_shallow(self, scores: Floats, hidden: Floats) -> None:
        """Add one hidden layer's part (B, H) to all scores (B, N), unit by unit and few users at a time."""
        items = np.ascontiguousarray(self.item_hidden.T)  # (H, N)
        step = max(1, _SHALLOW_AT_ONCE // self.n_items)
        for low in range(0, len(scores), step):
            part = hidden[low : low + step]
            room = np.empty((len(part), self.n_items), np.float32)
            for unit, weight in enumerate(self.out):
                np.add(part[:, unit, None], items[unit], out=room)
                np.maximum(room, 0.0, out=room)
                room *= weight
                scores[low : low + step] += room

    def score_pairs(self, users: Ints, items: Ints) -> Floats:
        """Return the scores of some items (B, C) for customers (B,): (B, C)."""
        scores: Floats = (self.item_dot[items] @ self.user_dot[users][:, :, None])[..., 0] + self.item_bias[items]
        if self.item_hidden.shape[1]:
            step = max(1, _HIDDEN_AT_ONCE // (max(items.shape[1], 1) * self.item_hidden.shape[1]))
            for low in range(0, len(scores), step):
                part = slice(low, low + step)
                scores[part] += self._deep(self.user_hidden[users[part]][:, None, :] + self.item_hidden[items[part]])
        return scores

    def score_rows(self, dot: Floats, hidden: Floats, items: Ints) -> Floats:
        """Return the scores (P,) of single pairs: a customer's vectors (P, F) and (P, H), and an item (P,)."""
        scores: Floats = np.einsum("pf,pf->p", dot, self.item_dot[items]) + self.item_bias[items]
        if self.item_hidden.shape[1]:
            scores += self._deep(hidden + self.item_hidden[items])
        return scores

    def _deep(self, hidden: Floats) -> Floats:
        """Return what the hidden part adds, from sums of first layers (..., H): (...). Overwrites its argument."""
        np.maximum(hidden, 0.0, out=hidden)
        for weights, bias in self.layers:
            hidden = hidden @ weights + bias
            np.maximum(hidden, 0.0, out=hidden)
        added: Floats = hidden @ self.out
        return added

    def best(self, user: int, k: int) -> tuple[Ints, Floats]:
        """Return a customer's k best items that it had not taken, and their scores, best first.

        Of equal scores the smaller item number comes first.
        """
        scores = self.score_all(np.array([user]))[0]
        scores[self.taken[self.start[user] : self.start[user + 1]]] = -np.inf
        k = min(k, int(np.isfinite(scores).sum()))
        cut = np.partition(scores, -k)[-k] if k else np.inf
        likely = np.flatnonzero(scores >= cut)
        order = likely[np.argsort(-scores[likely], kind="stable")][:k]
        return order.astype(np.int64), scores[order]
