"""Two ways to ask whether a held-out item is found: among 99 items drawn for each user, and among all items.

The sampled protocol is that of the literature and easy to satisfy with popular items; full ranking is what a shop does,
and leads. Candidates never hold what the user is known to have taken. Read next: :mod:`evaluation.leave_one_out.ranks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from evaluation.leave_one_out.ranks import Ranks, ranks_among
from evaluation.leave_one_out.split import Split
from models.collaborative.negatives import Untaken
from trendloom.logs.interactions import Interactions

__all__ = ["Questions", "Scorer", "ask_test", "ask_validation", "figures", "rank_in_full", "rank_sampled"]

#: Users ranked against all items at a time: 256 x 23,033 scores are 24 MB.
_USERS_AT_ONCE = 256

Ints = npt.NDArray[np.int64]


class Scorer(Protocol):
    """What gives scores: higher is better, only their order within a user counts."""

    def score_all(self, users: Ints) -> npt.NDArray[np.floating]:
        """Return the scores of all items for some users (B,): (B, N)."""
        ...

    def score_pairs(self, users: Ints, items: Ints) -> npt.NDArray[np.floating]:
        """Return the scores of some items (B, C) for some users (B,): (B, C)."""
        ...


@dataclass(frozen=True, slots=True)
class Questions:
    """For Q users (Q,) the item that they took next (Q,), C others that they never took (Q, C), and what was known."""

    users: Ints
    target: Ints
    negatives: Ints
    known: Interactions


def ask_validation(split: Split, *, negatives: int = 99, rng: np.random.Generator) -> Questions:
    """Ask for the validation items, from what was learnt. Raises ``ValueError`` as :class:`Untaken` does."""
    return _questions(split, split.validation, split.learnt, negatives, rng)


def ask_test(split: Split, *, negatives: int = 99, rng: np.random.Generator) -> Questions:
    """Ask for the test items, from what was learnt and the validation item. To be measured once, at the end."""
    return _questions(split, split.test, split.before_test, negatives, rng)


def _questions(
    split: Split, held_out: npt.NDArray[np.int32], known: Interactions, negatives: int, rng: np.random.Generator
) -> Questions:
    users = np.flatnonzero(held_out >= 0)
    every = split.everything
    drawn = Untaken(every.start, every.item, every.n_items).draw_distinct(users, negatives, rng)
    return Questions(users, held_out[users].astype(np.int64), drawn, known)


def rank_sampled(scorer: Scorer, questions: Questions, *, at_once: int = 512) -> Ranks:
    """Rank each target among its user's drawn negatives."""
    greater, equal = [], []
    for low in range(0, questions.users.size, at_once):
        part = slice(low, low + at_once)
        items = np.column_stack((questions.target[part], questions.negatives[part]))  # (B, 1 + C)
        scores = scorer.score_pairs(questions.users[part], items)
        ranks = ranks_among(scores[:, 0], scores[:, 1:])
        greater.append(ranks.greater)
        equal.append(ranks.equal)
    return Ranks(np.concatenate(greater), np.concatenate(equal))


def rank_in_full(scorer: Scorer, questions: Questions) -> Ranks:
    """Rank each target among all items but those that its user is known to have taken."""
    known = questions.known
    greater, equal = [], []
    for low in range(0, questions.users.size, _USERS_AT_ONCE):
        users = questions.users[low : low + _USERS_AT_ONCE]
        target = questions.target[low : low + _USERS_AT_ONCE]
        scores = scorer.score_all(users)  # (B, N)
        wanted = scores[np.arange(users.size), target]
        counts = known.start[users + 1] - known.start[users]
        row = np.repeat(np.arange(users.size), counts)
        place = np.arange(row.size) - np.repeat(np.cumsum(counts) - counts, counts) + known.start[users][row]
        taken = scores[row, known.item[place]]
        ranks = ranks_among(wanted, scores)
        wanted_of_row = wanted[row]
        above = np.bincount(row, weights=taken > wanted_of_row, minlength=users.size).astype(np.int64)
        beside = np.bincount(row, weights=taken == wanted_of_row, minlength=users.size).astype(np.int64)
        greater.append(ranks.greater - above)
        equal.append(ranks.equal - beside - 1)  # the target itself
    return Ranks(np.concatenate(greater), np.concatenate(equal))


def figures(ranks: Ranks, k: int = 10) -> Mapping[str, float]:
    """Return the means over all questions: hit rate (= recall, one target) and NDCG, with their standard errors.

    >>> figures(Ranks(np.array([0, 20]), np.array([0, 0])))["hit@10"]
    0.5
    """
    told: dict[str, float] = {}
    for name, values in ((f"hit@{k}", ranks.hit_at(k)), (f"ndcg@{k}", ranks.ndcg_at(k))):
        told[name] = float(values.mean())
        told[f"{name} se"] = float(values.std() / np.sqrt(max(values.size, 1)))
    return told
