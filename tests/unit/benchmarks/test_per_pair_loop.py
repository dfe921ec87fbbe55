from dataclasses import replace

import numpy as np

from benchmarks.per_pair_loop import Shelf, list_by_pairs, measure_pairs
from trendloom.candidates import recommend
from trendloom.relevance.presets import PRESETS

SHELF = Shelf(items=300, dimensions=16, queries=8)


def test_the_loop_and_the_vectorised_form_list_the_same_items() -> None:
    paper = PRESETS["paper"]
    found = recommend(
        SHELF.query,
        SHELF.features,
        SHELF.dynamics,
        replace(paper, weights={"visual": 0.4, "popularity_fit": 0.2}),
        k=10,
        exclude_other_views=False,
        standing=SHELF.standing,
        exhaustive=True,
    )
    vectors, popularity = list(SHELF.vectors), dict(enumerate(SHELF.popularity.tolist()))
    for row in range(SHELF.query.size):
        history = [item for item in SHELF.query.history[row].tolist() if item >= 0]
        listed = list_by_pairs(history[0], history, float(SHELF.query.trendiness[row]), vectors, popularity)
        assert listed == found.items[row].tolist()


def test_nothing_bought_is_listed() -> None:
    vectors, popularity = list(SHELF.vectors), dict(enumerate(SHELF.popularity.tolist()))
    assert not set(list_by_pairs(0, [0, 5, 9], 0.5, vectors, popularity, k=297)) & {0, 5, 9}


def test_all_forms_are_measured_and_agree() -> None:
    told = measure_pairs(items=300, queries=4, loops=2)
    assert told["ratio_to_loop"]["per-pair loop"] == 1.0
    assert set(told["ms_per_list"]) == set(told["ratio_to_loop"])
    assert told["overlap_with_loop"]["compiled, exhaustive"] == 1.0
    assert np.all(np.array(list(told["ms_per_list"].values())) > 0.0)
