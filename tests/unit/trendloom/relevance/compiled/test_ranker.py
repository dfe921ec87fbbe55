"""The compiled ranker against its reference, the numpy form: the same items, scores and parts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from small_shop import START_MS, asking, shop, some_histories

from evaluation.light_loop import LightLoop
from trendloom.candidates import recommend
from trendloom.relevance.compiled import ranker as ranker_module
from trendloom.relevance.compiled.arrays import CARD, Asked
from trendloom.relevance.compiled.ranker import Ranker
from trendloom.relevance.compiled.snapshot import best_of_groups, write_standing
from trendloom.relevance.presets import PRESETS, Preset
from trendloom.relevance.query import Query
from trendloom.relevance.standing import Standing
from trendloom.relevance.top_k import TopK

ALL_PARTS = {"category": 0.3, "gender": 0.2, "proximity": 0.1}


def ranked(
    loop: LightLoop, query: Query, preset: Preset, *, views: bool = True, k: int = 10, touched: bool = True
) -> TopK:
    ranker = Ranker(
        loop.features, preset, k=k, exclude_other_views=views, history_length=query.history.shape[1], co_limit=128
    )
    if touched:
        ranker.touch(None, loop.dynamics)
    return ranker.rank(query, loop.dynamics, Standing(loop.features, loop.dynamics))


def assert_same(compiled: TopK, reference: TopK) -> None:
    assert compiled.part_names == reference.part_names
    assert compiled.items.tolist() == reference.items.tolist()
    assert np.abs(compiled.scores - reference.scores).max() < 1e-6
    assert np.abs(compiled.parts - reference.parts).max() < 1e-6


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("views", [False, True])
@pytest.mark.parametrize("weights", [{}, ALL_PARTS, {"repurchase": 0.0}, {"visual": -0.2}], ids=str)
def test_balanced_lists_are_those_of_the_numpy_form(seed: int, weights: dict[str, float], *, views: bool) -> None:
    loop = shop(seed, n=200, events=900)
    query = asking(some_histories(seed, 50, n=200))
    preset = PRESETS["balanced"].weighing(weights)
    reference = recommend(query, loop.features, loop.dynamics, preset, k=10, exclude_other_views=views)
    assert_same(ranked(loop, query, preset, views=views), reference)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("views", [False, True])
@pytest.mark.parametrize("weights", [{}, ALL_PARTS], ids=str)
def test_paper_lists_are_those_of_exhaustive_scoring(seed: int, weights: dict[str, float], *, views: bool) -> None:
    """Neighbours and popular items are enough: an item that is neither cannot reach the k best."""
    loop = shop(seed, n=200, events=900)
    query = asking(some_histories(seed, 50, n=200))
    preset = PRESETS["paper"].weighing(weights)
    reference = recommend(query, loop.features, loop.dynamics, preset, k=10, exclude_other_views=views, exhaustive=True)
    assert_same(ranked(loop, query, preset, views=views), reference)


@pytest.mark.parametrize("preset", ["balanced", "paper"])
@pytest.mark.parametrize("rows", [511, 512, 1_001])
def test_many_lists_are_the_same_in_one_thread_and_in_two(
    preset: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = shop(3, n=200, events=900)
    query = asking(some_histories(3, rows, n=200))
    monkeypatch.setattr(ranker_module, "_CORES", 1)
    alone = ranked(loop, query, PRESETS[preset])
    monkeypatch.setattr(ranker_module, "_CORES", 2)
    together = ranked(loop, query, PRESETS[preset])
    assert together.items.tolist() == alone.items.tolist()
    assert together.scores.tolist() == alone.scores.tolist()
    assert together.parts.tolist() == alone.parts.tolist()


def test_a_fault_in_the_second_thread_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = shop(3, n=200, events=900)
    query = asking(some_histories(3, 600, n=200))
    monkeypatch.setattr(ranker_module, "_CORES", 2)

    def broken(asked: Asked, *_: object) -> None:
        if asked.item[0] == query.item[0]:
            msg = "the first half"
            raise FloatingPointError(msg)

    monkeypatch.setattr(ranker_module, "rank", broken)
    with pytest.raises(FloatingPointError, match="first half"):
        ranked(loop, query, PRESETS["balanced"])


def test_other_exponents_and_few_items() -> None:
    loop = shop(7, n=12, events=60)
    query = asking(some_histories(7, 30, n=12))
    for preset in (replace(PRESETS["paper"], fit_exponent=3.0), replace(PRESETS["balanced"], fit_exponent=1.5)):
        reference = recommend(query, loop.features, loop.dynamics, preset, k=15, exclude_other_views=False)
        assert_same(ranked(loop, query, preset, views=False, k=15), reference)
        assert (reference.items == -1).any()


def test_an_item_that_the_catalogue_does_not_know_asks_for_a_list_too() -> None:
    loop = shop(8, n=100)
    query = asking([[(500, 0), (3, 1000)], [(4, 0)]])
    for name in ("balanced", "paper"):
        reference = recommend(query, loop.features, loop.dynamics, PRESETS[name], k=10, exclude_other_views=True)
        compiled = ranked(loop, query, PRESETS[name])
        assert compiled.items[1].tolist() == reference.items[1].tolist()
        assert np.abs(compiled.scores[0] - reference.scores[0]).max() < 1e-6


def test_a_ranker_that_was_not_told_of_a_change_does_not_see_it() -> None:
    """The counts are copies: whoever changes them must touch, and touching the changed items is enough."""
    loop = shop(9, n=100)
    query = asking(some_histories(9, 40, n=100))
    preset = PRESETS["balanced"]
    ranker = Ranker(loop.features, preset, k=10, exclude_other_views=True, history_length=8, co_limit=128)
    standing = Standing(loop.features, loop.dynamics)
    ranker.touch(None, loop.dynamics)
    before = ranker.rank(query, loop.dynamics, standing)
    loop.dynamics.purchases[:50] += 1000
    assert ranker.rank(query, loop.dynamics, standing).scores.tolist() == before.scores.tolist()
    ranker.touch(np.arange(50), loop.dynamics)
    after = ranker.rank(query, loop.dynamics, standing)
    assert after.scores.tolist() != before.scores.tolist()
    assert_same(
        after,
        recommend(query, loop.features, loop.dynamics, preset, k=10, exclude_other_views=True, standing=standing),
    )


def test_no_purchases_no_lists() -> None:
    loop = shop(10, n=50)
    nothing = asking([[(1, 0)]]).take(np.zeros(0, np.int64))
    assert ranked(loop, nothing, PRESETS["balanced"]).items.shape == (0, 10)


def test_a_ranker_that_follows_snapshots_is_as_good_as_a_new_one() -> None:
    """What it keeps of the last snapshot is mended, also where items have lost what they had sold."""
    rng = np.random.default_rng(11)
    for name in ("balanced", "paper"):
        preset = PRESETS[name]
        loop = shop(11, n=300, events=200)
        query = asking(some_histories(11, 40, n=300))
        ranker = Ranker(loop.features, preset, k=10, exclude_other_views=True, history_length=8, co_limit=128)
        ranker.touch(None, loop.dynamics)
        standing: Standing | None = None
        for step in range(5):
            standing = Standing(loop.features, loop.dynamics, standing)
            compiled = ranker.rank(query, loop.dynamics, standing)
            assert_same(compiled, ranked(loop, query, preset))
            some = rng.integers(300, size=12)
            if step == 2:
                loop.dynamics.purchases[some], loop.dynamics.slow[some] = 0, -np.inf
            else:
                loop.dynamics.purchases[some] += 1 + step
                loop.dynamics.slow[some] = np.logaddexp(loop.dynamics.slow[some], 178.0 + step)
            ranker.touch(some, loop.dynamics)


def test_it_lists_what_leads_each_group_and_counts_products_as_the_snapshot_does() -> None:
    loop = shop(12, n=150, events=400)
    standing = Standing(loop.features, loop.dynamics)
    features = loop.features
    starts, items = best_of_groups(standing.by_popularity, features.group, features.n_groups, 4)
    whole = standing.in_group
    for group in range(features.n_groups):
        led = whole.items[whole.starts[group] : whole.starts[group + 1]][:4]
        assert items[starts[group] : starts[group + 1]].tolist() == led.tolist()
    cards = np.zeros(features.size, CARD)
    bought = write_standing(
        cards,
        standing.sold,
        standing.slow,
        standing.percentile,
        standing.purchases,
        features.group,
        features.product,
        features.n_groups,
        features.n_products,
    )
    assert bought.tolist() == standing.product_purchases.tolist()
    for name in ("percentile", "group_share", "product_share"):
        assert np.abs(cards[name] - getattr(standing, name)).max() < 1e-6


def test_scores_that_have_grown_beyond_what_a_float_can_raise_e_to_are_still_compared() -> None:
    """Half-lives of seconds make scores of thousands: what is kept of them is relative to a recent one."""
    loop = shop(13, n=60)
    preset = PRESETS["balanced"]
    ranker = Ranker(loop.features, preset, k=10, exclude_other_views=True, history_length=8, co_limit=128)
    loop.dynamics.slow_half_life_s = 30.0
    rate = math.log(2.0) / 30_000.0
    for step in range(4):
        now_ms = START_MS + step * 30_000_000  # so many half-lives later: scores are 693 greater
        some = np.arange(10 * step, 10 * step + 10)
        loop.dynamics.slow[some] = rate * (now_ms - loop.dynamics.landmark_ms) + 0.01 * some
        ranker.touch(some if step else None, loop.dynamics)
        query = asking(some_histories(13, 30, n=60), now_ms=now_ms)
        standing = Standing(loop.features, loop.dynamics)
        reference = recommend(
            query, loop.features, loop.dynamics, preset, k=10, exclude_other_views=True, standing=standing
        )
        assert_same(ranker.rank(query, loop.dynamics, standing), reference)
