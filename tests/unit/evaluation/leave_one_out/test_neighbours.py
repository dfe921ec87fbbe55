"""Neighbours against plain sums, and a blend that finds what is worth something."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.leave_one_out.blending import fit_weights, hard_questions
from evaluation.leave_one_out.protocols import Questions
from trendloom.logs.interactions import Interactions

pytest.importorskip("scipy", reason="needs scipy: pip install 'trendloom[evaluation]'")

from evaluation.leave_one_out.neighbours import ItemNeighbours, SecondNeighbours


def some_log(seed: int = 1) -> Interactions:
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(30), 6)
    item = rng.integers(0, 25, user.size)
    names = tuple(map(str, range(30))), tuple(map(str, range(25)))
    return Interactions.of_rows(user, item, np.arange(user.size), *names)


def plain_counts(log: Interactions) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    taken = np.zeros((log.n_users, log.n_items))
    taken[log.user, log.item] = 1
    both = taken.T @ taken
    np.fill_diagonal(both, 0)
    return both


def test_direct_neighbours_are_the_plain_sum() -> None:
    log = some_log()
    both, counts = plain_counts(log), log.counts
    scores = ItemNeighbours(log, damping=0.4, shrinkage=3.0, position_decay=0.8).score_all(np.arange(5))
    for user in range(5):
        mine = log.item[log.start[user] : log.start[user + 1]][::-1]
        wanted = sum(0.8**age * both[item] for age, item in enumerate(mine)) / (counts + 3.0) ** 0.4
        np.testing.assert_allclose(scores[user], wanted + 1e-5 * np.log1p(counts), rtol=1e-5)


def test_second_neighbours_are_two_steps() -> None:
    log = some_log()
    scale = (log.counts + 20.0) ** -0.5
    near = plain_counts(log) * scale * scale[:, None]
    taken = np.zeros((log.n_users, log.n_items))
    taken[log.user, log.item] = 1
    second = SecondNeighbours(log)
    users, items = np.arange(30), np.random.default_rng(2).integers(0, 25, (30, 4))
    np.testing.assert_allclose(second.score_all(users), taken @ near @ near, rtol=1e-4)
    np.testing.assert_allclose(
        second.score_pairs(users, items), np.take_along_axis(taken @ near @ near, items, 1), rtol=1e-4
    )


class Given:
    def __init__(self, table: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
        self._table = table

    def score_all(
        self, users: np.ndarray[tuple[int], np.dtype[np.int64]]
    ) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return self._table[users]

    def score_pairs(
        self, users: np.ndarray[tuple[int], np.dtype[np.int64]], items: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    ) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.take_along_axis(self._table[users], items, axis=1)


def test_a_blend_weighs_what_tells_and_not_what_does_not() -> None:
    rng = np.random.default_rng(3)
    tells, noise = (rng.random((400, 50), np.float32) for _ in range(2))
    target = tells.argmax(axis=1)
    negatives = (target[:, None] + np.arange(1, 21)) % 50
    questions = Questions(np.arange(400), target, negatives, some_log())
    fitted = fit_weights([Given(tells), Given(noise)], questions)
    assert fitted.weights[0] > 5 * abs(fitted.weights[1])


def test_hard_questions_are_the_best_open_items() -> None:
    table = np.tile(np.arange(25, dtype=np.float32), (30, 1))
    log = some_log()
    asked = Questions(np.arange(30), np.full(30, 24), np.zeros((30, 1), np.int64), log)
    hard = hard_questions(Given(table), asked, count=5)
    for user, target, others in zip(hard.users, hard.target, hard.negatives, strict=True):
        mine = set(log.item[log.start[user] : log.start[user + 1]].tolist())
        best = [item for item in range(24, -1, -1) if item not in mine][:5]
        assert {target, *others.tolist()} == set(best)
    assert 0 < hard.users.size <= 30
