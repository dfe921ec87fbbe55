"""Several scorers made one: a weighted sum of logarithms and logits, its few weights fitted on validation questions.

A sum of logarithms lets the parts' products count, so that an item has to suit all of them. Read next:
:mod:`evaluation.leave_one_out.neighbours`, the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.leave_one_out.protocols import Questions, Scorer

__all__ = ["Blend", "Logarithm", "Mean", "fit_weights", "hard_questions", "offset_of"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_USERS_AT_ONCE = 256


@dataclass(frozen=True)
class Logarithm:
    """log(score + offset) of a scorer whose scores are not negative."""

    scorer: Scorer
    offset: float

    def score_all(self, users: Ints) -> Floats:
        """Return (B, N) logarithms."""
        told: Floats = np.log(np.asarray(self.scorer.score_all(users), np.float32) + np.float32(self.offset))
        return told

    def score_pairs(self, users: Ints, items: Ints) -> Floats:
        """Return (B, C) logarithms."""
        told: Floats = np.log(np.asarray(self.scorer.score_pairs(users, items), np.float32) + np.float32(self.offset))
        return told


@dataclass(frozen=True)
class Mean:
    """The mean score of several scorers: networks that differ by their seed agree on more than one of them knows."""

    scorers: Sequence[Scorer]

    def score_all(self, users: Ints) -> Floats:
        """Return (B, N) means."""
        means: Floats = np.mean([scorer.score_all(users) for scorer in self.scorers], axis=0, dtype=np.float32)
        return means

    def score_pairs(self, users: Ints, items: Ints) -> Floats:
        """Return (B, C) means."""
        scores = [scorer.score_pairs(users, items) for scorer in self.scorers]
        means: Floats = np.mean(scores, axis=0, dtype=np.float32)
        return means


@dataclass(frozen=True)
class Blend:
    """score = Σ_p w_p s_p."""

    parts: Sequence[Scorer]
    weights: Sequence[float]

    def score_all(self, users: Ints) -> Floats:
        """Return (B, N) scores."""
        return sum((np.float32(w) * part.score_all(users) for w, part in self._weighed()), np.zeros((1, 1), np.float32))

    def score_pairs(self, users: Ints, items: Ints) -> Floats:
        """Return (B, C) scores."""
        return sum(
            (np.float32(w) * part.score_pairs(users, items) for w, part in self._weighed()),
            np.zeros((1, 1), np.float32),
        )

    def _weighed(self) -> list[tuple[float, Any]]:
        return list(zip(self.weights, self.parts, strict=True))


def offset_of(scorer: Scorer, questions: Questions, share: float) -> float:
    """Return ``share`` of the median positive score of the questions' candidates; ``share`` itself if none is."""
    scores = scorer.score_pairs(questions.users, np.column_stack((questions.target, questions.negatives)))
    positive = scores[scores > 0]
    return share * float(np.median(positive)) if positive.size else share


def hard_questions(scorer: Scorer, questions: Questions, count: int = 200) -> Questions:
    """Return questions whose negatives are the items that a scorer puts first, for full ranking; the others are easy.

    Users whose target is not among the ``count`` best of their open items are left out.
    """
    users, targets, others = [], [], []
    known = questions.known
    for low in range(0, questions.users.size, _USERS_AT_ONCE):
        part = slice(low, low + _USERS_AT_ONCE)
        asked, target = questions.users[part], questions.target[part]
        scores = np.array(scorer.score_all(asked), np.float32)
        for row, user in enumerate(asked.tolist()):
            scores[row, known.item[known.start[user] : known.start[user + 1]]] = -np.inf
        best = np.argpartition(-scores, count - 1, axis=1)[:, :count]  # (B, count)
        met = best == target[:, None]
        found = met.any(axis=1)
        users.append(asked[found])
        targets.append(target[found])
        others.append(best[found][~met[found]].reshape(-1, count - 1))
    return Questions(np.concatenate(users), np.concatenate(targets), np.concatenate(others), known)


def fit_weights(parts: Sequence[Scorer], questions: Questions, *, iterations: int = 50) -> Blend:
    """Return the blend whose softmax gives the targets the most chance among their negatives.

    One weight a part, by Newton's method on the mean log-likelihood, which is concave; a step too long is halved. To be
    fitted on validation questions.
    """
    items = np.column_stack((questions.target, questions.negatives))
    seen = np.stack([part.score_pairs(questions.users, items) for part in parts], axis=-1).astype(np.float64)
    weights = np.zeros(len(parts))
    likelihood, chance = _likelihood(seen, weights)
    for _ in range(iterations):
        expected = np.einsum("qc,qcp->qp", chance, seen)  # (Q, P)
        gradient = (seen[:, 0] - expected).mean(axis=0)
        second = np.einsum("qcp,qcr->pr", seen * chance[:, :, None], seen, optimize=True) / len(seen)
        curvature = second - expected.T @ expected / len(seen) + 1e-9 * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        before = likelihood
        for _ in range(20):
            likelihood, chance = _likelihood(seen, weights + step)
            if likelihood >= before:
                break
            step = step / 2
        weights = weights + step
        if likelihood - before < 1e-9:
            break
    return Blend(tuple(parts), tuple(weights.tolist()))


def _likelihood(seen: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> tuple[float, Any]:
    """Return the targets' mean log chance and all chances (Q, 1 + C)."""
    logits = seen @ weights
    logits -= logits.max(axis=1, keepdims=True)
    chance = np.exp(logits)
    total = chance.sum(axis=1, keepdims=True)
    return float((logits[:, 0] - np.log(total[:, 0])).mean()), chance / total
