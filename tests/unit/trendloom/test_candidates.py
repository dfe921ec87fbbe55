from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_shop import START_MS, asking, shop, some_histories

from evaluation.light_loop import LightLoop
from trendloom.candidates import TopK, recommend, top_k
from trendloom.relevance.presets import PRESETS, Preset
from trendloom.relevance.query import DAY_MS, Query
from trendloom.relevance.score import Pairs

PRESET_NAMES = sorted(PRESETS)


def lists(
    loop: LightLoop, query: Query, preset: Preset, *, k: int = 10, views: bool = False, exhaustive: bool = False
) -> TopK:
    return recommend(query, loop.features, loop.dynamics, preset, k=k, exclude_other_views=views, exhaustive=exhaustive)


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_parts_sum_to_the_score_and_scores_fall(name: str) -> None:
    loop = shop(1)
    top = lists(loop, asking(some_histories(1, 30)), PRESETS[name])
    assert top.items.shape == top.scores.shape == (30, 10)
    assert top.parts.shape == (30, 10, len(top.part_names))
    assert np.abs(top.parts.sum(axis=2) - top.scores).max() < 1e-9
    assert (np.diff(top.scores, axis=1) <= 0).all()
    for row in top.items.tolist():
        assert len(set(row)) == 10


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_the_same_question_has_the_same_answer_alone_and_in_a_batch(name: str) -> None:
    loop = shop(2)
    query = asking(some_histories(2, 12))
    whole = lists(loop, query, PRESETS[name])
    for row in range(12):
        alone = lists(
            loop,
            query.take(np.array([row])),
            PRESETS[name],
        )
        assert alone.items[0].tolist() == whole.items[row].tolist()
        assert np.abs(alone.scores[0] - whole.scores[row]).max() < 1e-9


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_candidates_find_what_exhaustive_scoring_finds(name: str) -> None:
    loop = shop(3)
    query = asking(some_histories(3, 40))
    found = lists(loop, query, PRESETS[name]).items
    best = lists(loop, query, PRESETS[name], exhaustive=True).items
    overlap = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), best.tolist(), strict=True)])
    assert overlap > 0.9


def test_when_candidates_are_all_items_the_lists_are_the_exhaustive_ones() -> None:
    loop = shop(4)
    query = asking(some_histories(4, 20))
    everything = replace(PRESETS["balanced"], retrieve={"trending": 80, "neighbours": 16, "groups": 5, "in_group": 80})
    for item in range(80):  # all sold, so that trending proposes them all
        loop.take(np.array([99]), np.array([item]), np.array([START_MS + 3 * DAY_MS]), None)
    assert (lists(loop, query, everything).items == lists(loop, query, everything, exhaustive=True).items).all()


def test_paper_lists_nothing_of_the_history() -> None:
    loop = shop(5)
    histories = some_histories(5, 40)
    top = lists(loop, asking(histories), PRESETS["paper"], k=60)
    for past, row in zip(histories, top.items.tolist(), strict=True):
        assert not {item for item, _ in past} & set(row)


def test_balanced_lists_older_purchases_again_but_none_of_the_day_nor_of_the_last_hours() -> None:
    loop = shop(6)
    midnight_ms = (START_MS // DAY_MS + 5) * DAY_MS
    histories = [[(1, 0), (2, 30_000), (3, 3_600_000), (4, 40 * 3_600_000)]]
    preset = PRESETS["balanced"].weighing({"repurchase": 5.0})
    early = lists(loop, asking(histories, now_ms=midnight_ms + 60_000), preset, k=70, exhaustive=True).items[0].tolist()
    assert early[0] == 4
    assert not {1, 2, 3} & set(early)  # 3 was bought yesterday by date, an hour ago by the clock
    late = lists(loop, asking([[(1, 0), (2, 70_000_000)]], now_ms=midnight_ms + 80_000_000), preset, k=70).items[0]
    assert not {1, 2} & set(late.tolist())  # 2 was bought 19 hours ago, on the same day
    never = lists(loop, asking(histories), PRESETS["balanced"].weighing({"repurchase": 0.0}), k=70, exhaustive=True)
    assert not {1, 2, 3, 4} & set(never.items[0].tolist())


def test_other_views_of_the_bought_item_are_left_out_when_asked() -> None:
    loop = shop(7)
    assert loop.features.view_group[20] == loop.features.view_group[21] >= 0
    query = asking([[(20, 0)]])
    shown = lists(loop, query, PRESETS["balanced"], k=79, exhaustive=True).items[0].tolist()
    hidden = lists(loop, query, PRESETS["balanced"], k=79, views=True, exhaustive=True).items[0].tolist()
    assert 21 in shown
    assert set(shown) - set(hidden) == {21}
    assert 21 not in lists(loop, query, PRESETS["paper"], k=79, views=True).items[0].tolist()


def test_items_that_are_not_eligible_are_never_listed() -> None:
    loop = shop(8)
    eligible = np.arange(80) % 3 != 0
    top = recommend(
        asking(some_histories(8, 20)),
        loop.features,
        loop.dynamics,
        PRESETS["balanced"],
        k=10,
        exclude_other_views=False,
        eligible=eligible,
    )
    assert eligible[top.items[top.items >= 0]].all()


def test_short_lists_are_padded() -> None:
    loop = shop(9, n=12, events=20)
    top = lists(loop, asking([[(1, 0), (2, 0)]]), PRESETS["balanced"], k=30, exhaustive=True)
    assert (top.items[0, :10] >= 0).all()
    assert (top.items[0, 10:] == -1).all()
    assert not top.scores[0, 10:].any()
    assert not top.parts[0, 10:].any()


def test_equal_scores_are_listed_by_item_number() -> None:
    pairs = Pairs.of_keys(np.array([1, 3, 4, 8, 12, 15, 17]), n_items=10)
    parts = np.array([[1.0, 2.0, 1.0, 1.0, 0.0, 0.0, 0.0]])
    top = top_k(pairs, parts, n_rows=3, k=3, part_names=("visual",))
    assert top.items.tolist() == [[3, 1, 4], [2, 5, 7], [-1, -1, -1]]


def test_a_state_at_rest_is_not_changed_by_asking() -> None:
    loop = shop(10)
    before = (loop.dynamics.purchases.copy(), loop.dynamics.slow.copy(), loop.dynamics.transitions.groups.copy())
    lists(loop, asking(some_histories(10, 5)), PRESETS["balanced"])
    after = (loop.dynamics.purchases, loop.dynamics.slow, loop.dynamics.transitions.groups)
    assert all((one == other).all() for one, other in zip(before, after, strict=True))
