"""Both protocols against a plain re-reading, and the leaks that they must not have."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.leave_one_out.baselines import Chance, Popularity
from evaluation.leave_one_out.networks_study import questions_of
from evaluation.leave_one_out.protocols import Questions, figures, rank_in_full, rank_sampled
from evaluation.leave_one_out.ranks import Ranks, ranks_among
from evaluation.leave_one_out.split import leave_one_out
from trendloom.logs.interactions import Interactions

Ints = npt.NDArray[np.int64]


def small_log(users: int = 60, items: int = 200, seed: int = 3) -> Interactions:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 12, users)
    user = np.repeat(np.arange(users), lengths)
    item = np.minimum(rng.zipf(1.3, user.size) - 1, items - 1)
    names = tuple(f"u{number}" for number in range(users)), tuple(f"i{number}" for number in range(items))
    return Interactions.of_rows(user, item, np.arange(user.size), *names)


class Table:
    """Scores as they stand in a table (U, N)."""

    def __init__(self, table: npt.NDArray[np.floating]) -> None:
        self._table = table

    def score_all(self, users: Ints) -> npt.NDArray[np.floating]:
        return self._table[users]

    def score_pairs(self, users: Ints, items: Ints) -> npt.NDArray[np.floating]:
        return np.take_along_axis(self._table[users], items, axis=1)


def questions() -> tuple[Questions, Questions]:
    return questions_of(leave_one_out(small_log()), negatives=50)


def test_a_constant_scorer_gets_chance_level() -> None:
    for one in questions():
        constant = Table(np.zeros((60, 200), np.float32))
        assert figures(rank_sampled(constant, one))["hit@10"] == pytest.approx(10 / 51)
        open_items = 200 - np.diff(one.known.start)[one.users]
        assert figures(rank_in_full(constant, one))["hit@10"] == pytest.approx((10 / open_items).mean())


def test_drawn_items_are_different_and_nobody_ever_took_them() -> None:
    log = small_log()
    for one in questions():
        for user, target, drawn in zip(one.users, one.target, one.negatives, strict=True):
            mine = set(log.item[log.start[user] : log.start[user + 1]].tolist())
            assert target in mine
            assert len(set(drawn.tolist())) == 50
            assert not mine & set(drawn.tolist())


def test_what_is_known_holds_nothing_that_is_asked() -> None:
    for one in questions():
        for user, target in zip(one.users, one.target, strict=True):
            assert target not in one.known.item[one.known.start[user] : one.known.start[user + 1]]


def test_full_ranking_is_the_plain_one() -> None:
    _, one = questions()
    table = np.random.default_rng(1).integers(0, 9, (60, 200)).astype(np.float32)
    ranks = rank_in_full(Table(table), one)
    for place, (user, target) in enumerate(zip(one.users, one.target, strict=True)):
        known = one.known.item[one.known.start[user] : one.known.start[user + 1]]
        others = np.delete(table[user], np.r_[known, target])
        assert ranks.greater[place] == (others > table[user, target]).sum()
        assert ranks.equal[place] == (others == table[user, target]).sum()


def test_popularity_and_chance_stand_where_they_should() -> None:
    log = small_log(400, 300)
    split = leave_one_out(log)
    validation, _ = questions_of(split)
    popular = figures(rank_sampled(Popularity(split.learnt), validation))["hit@10"]
    chance = figures(rank_sampled(Chance(300, np.random.default_rng(0)), validation))["hit@10"]
    assert abs(chance - 0.1) < 0.06
    assert popular > 0.3


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.integers(1, 8))
def test_expected_figures_are_the_mean_over_all_orders_of_equal_scores(scores: list[int], k: int) -> None:
    values = np.array(scores, np.float64)
    ranks = ranks_among(values[:1], values[None, 1:])
    places = np.arange(ranks.greater[0], ranks.greater[0] + ranks.equal[0] + 1)
    assert ranks.hit_at(k)[0] == pytest.approx((places < k).mean())
    assert ranks.ndcg_at(k)[0] == pytest.approx(np.where(places < k, 1 / np.log2(places + 2), 0).mean())


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        ranks_among(np.array([np.nan]), np.array([[1.0]]))
    assert Ranks(np.array([0]), np.array([0])).hit_at(1).tolist() == [1.0]
