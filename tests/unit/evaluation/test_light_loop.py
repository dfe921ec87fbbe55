from __future__ import annotations

import numpy as np
import pytest

from evaluation.light_loop import LightLoop, LoopRules
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.refresh.assortment import features_by_number
from trendloom.relevance.presets import PRESETS
from trendloom.relevance.query import DAY_MS

START_MS = 18_521 * DAY_MS


def loop(**rules: int) -> LightLoop:
    catalogue = random_catalogue(30, np.random.default_rng(1))
    return LightLoop(features_by_number(catalogue, np.arange(30), 30, {}), LoopRules(**rules))


def feed(one: LightLoop, events: list[tuple[int, int, int]], batch: int) -> None:
    table = np.array(events, np.int64)
    for start in range(0, len(events), batch):
        part = table[start : start + batch]
        one.take(part[:, 0], part[:, 1], part[:, 2], None)


def test_same_day_pairs_weigh_two_halves_and_others_one() -> None:
    one = loop()
    feed(one, [(1, 5, START_MS), (1, 6, START_MS + 9), (2, 5, START_MS + 9), (1, 7, START_MS + DAY_MS)], batch=1)
    assert one.dynamics.co.row(5) == {6: 2, 7: 1}
    assert one.dynamics.co.row(7) == {5: 1, 6: 1}


def test_only_the_window_is_paired() -> None:
    one = loop(co_purchase_window=1)
    feed(one, [(1, 5, START_MS), (1, 6, START_MS), (1, 7, START_MS)], batch=1)
    assert one.dynamics.co.row(7) == {6: 2}


def test_state_does_not_depend_on_the_batches() -> None:
    rng = np.random.default_rng(3)
    events = [(int(rng.integers(5)), int(rng.integers(30)), START_MS + place * 3_000_000) for place in range(90)]
    first, second = loop(), loop()
    feed(first, events, batch=1)
    feed(second, events, batch=40)
    assert (first.dynamics.purchases == second.dynamics.purchases).all()
    assert first.dynamics.slow.tolist() == pytest.approx(second.dynamics.slow.tolist())
    assert all(first.dynamics.co.row(item) == second.dynamics.co.row(item) for item in range(30))
    assert (first.dynamics.transitions.groups == second.dynamics.transitions.groups).all()


def test_a_list_is_made_before_its_batch_is_learnt() -> None:
    one = loop(standing_purchases=1)
    moment = np.array([START_MS])
    one.take(np.array([1]), np.array([5]), moment, None)
    together = one.take(np.array([2, 3]), np.array([6, 7]), moment.repeat(2), PRESETS["balanced"], k=30)
    assert together is not None
    place = together.part_names.index("popularity")
    shown = dict(zip(together.items[0].tolist(), together.parts[0, :, place].tolist(), strict=True))
    assert shown[5] > 0
    assert shown.get(7, 0.0) == 0.0  # bought in the same batch: not known yet


def test_trendiness_may_fade_from_purchase_to_purchase() -> None:
    features = loop().features
    rules = LoopRules(trendiness_prior_weight=2.0, trendiness_fade=0.5, standing_purchases=1)
    one = LightLoop(features, rules)
    sold = np.array([1, 1, 1, 2])  # item 1 three times, item 2 once: percentiles .75 and .25
    one.take(np.array([5, 6, 7, 8]), sold, np.arange(4), None)
    one.take(np.array([9]), np.array([1]), np.array([10]), None)  # .75
    one.take(np.array([9]), np.array([2]), np.array([11]), None)  # .25
    told = one.ask(np.array([9]), np.array([12]))
    prior = (0.75 + 0.25) / 6  # six purchases, of which four when nothing had been sold
    assert told.trendiness[0] == pytest.approx((2 * prior + 0.5 * 0.75 + 0.25) / (2 + 1.5))
