from __future__ import annotations

import numpy as np
import pytest

from evaluation.bootstrap import Draws, mcnemar


def test_customers_are_drawn_whole() -> None:
    """A hundred questions of four customers are four opinions: the interval is that of four numbers."""
    customer = np.repeat(np.arange(4), 25)
    values = (customer < 2).astype(float)[:, None]
    found = Draws(customer, draws=2000, rng=np.random.default_rng(1)).interval(values)[0]
    alone = Draws(np.arange(100), draws=2000, rng=np.random.default_rng(1)).interval(values)[0]
    assert (found.low, found.high) == (0.0, 1.0)
    assert alone.high - alone.low < 0.25


def test_the_interval_is_that_of_the_normal_law_for_many_customers() -> None:
    rng = np.random.default_rng(3)
    values = rng.random((4000, 1))
    found = Draws(np.arange(4000), draws=1000, rng=rng).interval(values)[0]
    half = 1.96 * values.std() / np.sqrt(4000)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)


def test_pairs_are_drawn_together() -> None:
    rng = np.random.default_rng(5)
    customer = rng.integers(300, size=2000)
    one = rng.random((2000, 1))
    draws = Draws(customer, draws=200, rng=rng)
    difference = draws.means(one + 0.25) - draws.means(one)
    assert difference == pytest.approx(np.full((200, 1), 0.25))


def test_nothing_asked_is_nothing_found() -> None:
    none = Draws(np.zeros(0, np.int64), draws=10, rng=np.random.default_rng(1)).interval(np.zeros((0, 2)))
    assert [(one.value, one.low, one.high) for one in none] == [(0.0, 0.0, 0.0)] * 2


def test_mcnemar_of_equals_is_one_and_of_opposites_small() -> None:
    one = np.arange(100) % 2 == 0
    assert mcnemar(one, one)[2] == 1.0
    only_one, only_other, p = mcnemar(one, np.zeros(100, bool))
    assert (only_one, only_other) == (50, 0)
    assert p < 1e-10
