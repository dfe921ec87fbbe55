"""The live path as a contestant, held against the smaller loop, against itself compiled, and batch against batch."""

from __future__ import annotations

import importlib.util

import numpy as np
import numpy.typing as npt
import pytest
from small_log import START_MS, small_ground, small_purchases

from evaluation.contestant import DAY_MS, Purchases
from evaluation.contestants.live import Live
from evaluation.ground import bare_ground
from evaluation.light_loop import LightLoop, LoopRules
from evaluation.prequential import Judged, run
from evaluation.tasks import ask
from trendloom.errors import InputError
from trendloom.relevance.presets import PRESETS

Ints = npt.NDArray[np.int64]


def judged(purchases: Purchases, *, batch: int, compiled: bool = False) -> Judged:
    ground = small_ground()
    live = Live("balanced", ground, PRESETS["balanced"], compiled=compiled)
    try:
        return run(purchases, ask(purchases, from_ms=START_MS + DAY_MS), ground, [live], batch=batch)
    finally:
        live.close()


def test_lists_are_those_of_the_light_loop() -> None:
    """As long as both look at how all items stand before every purchase: for the first 64."""
    purchases = small_purchases(events=64)
    ground = small_ground()
    live = Live("balanced", ground, PRESETS["balanced"])
    loop = LightLoop(ground.features, LoopRules(standing_purchases=1))
    for place in range(len(purchases)):
        one = purchases.part(slice(place, place + 1))
        top = loop.take(one.customer, one.item, one.at_ms, PRESETS["balanced"], k=10)
        assert top is not None
        assert live.after(one, 10).tolist() == top.items.tolist()
        live.learn(one)
        ground.customers.learn(one)
    live.close()


def test_batches_of_one_and_of_many_agree() -> None:
    purchases = small_purchases(events=900)
    one, many = (judged(purchases, batch=batch) for batch in (1, 500))
    for task in ("next_in_session", "rest_of_basket", "next_basket"):
        assert (one.rows[task] == many.rows[task]).all()
        hits = [found.sheets[task]["balanced"].all_marks()[:, 0].mean() for found in (one, many)]
        assert hits[0] == pytest.approx(hits[1], abs=0.08)  # 40 items, 900 purchases: a batch is half of the log


@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs numba (the extra fast)")
def test_compiled_and_plain_agree() -> None:
    purchases = small_purchases(events=300)
    plain, compiled = (judged(purchases, batch=20, compiled=compiled) for compiled in (False, True))
    for task, sheets in plain.sheets.items():
        assert (sheets["balanced"].all_marks() == compiled.sheets[task]["balanced"].all_marks()).all()


def test_what_was_not_asked_about_is_learnt_as_well() -> None:
    purchases = small_purchases(events=300)
    ends: list[list[list[int]]] = []
    for every in (1, 4):
        ground = small_ground()
        live = Live("balanced", ground, PRESETS["balanced"])
        run(purchases, ask(purchases, from_ms=START_MS, every=every), ground, [live], batch=25)
        ends.append(live.before(np.arange(30), np.full(30, START_MS + 90 * DAY_MS), 10).tolist())
        live.close()
    assert ends[0] == ends[1]


def test_without_a_catalogue_there_is_no_live_path() -> None:
    with pytest.raises(InputError, match="catalogue"):
        Live("balanced", bare_ground(5), PRESETS["balanced"])
