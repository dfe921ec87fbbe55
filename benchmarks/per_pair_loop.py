"""One purchase against every item: our vectorised forms beside a loop that takes one pair after the other.

The loop does what the research code that this project grew out of does (its formula is our preset ``paper``): a cosine
for each pair, a dictionary of popularity, min-max over both lists, the sum for each pair, a sort. It is written anew,
with numpy instead of torch for the cosine, which is faster a pair. All forms see the same 10,324 made-up items with
true neighbours, and their lists must agree. ``python -m benchmarks.per_pair_loop`` prints the ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.processes_seen import machine
from trendloom.bounded_counts import BoundedCounts
from trendloom.candidates import propose, recommend
from trendloom.catalogue.neighbours import find_extremes
from trendloom.relevance.compiled.ranker import Ranker
from trendloom.relevance.features import ItemDynamics, ItemFeatures
from trendloom.relevance.presets import PRESETS, Preset
from trendloom.relevance.query import Query
from trendloom.relevance.score import Question
from trendloom.relevance.standing import Standing
from trendloom.relevance.transitions import Transitions
from trendloom.state.rules import LANDMARK_MS, StateRules

__all__ = ["Shelf", "list_by_pairs", "main", "measure_pairs"]

ITEMS, DIMENSIONS, K = 10_324, 128, 10
_QUERIES, _HISTORY, _BATCH = 500, 20, 500
_PAPER = PRESETS["paper"]
Singles = npt.NDArray[np.float32]


class Shelf:
    """Made-up items, how popular they are, and purchases of customers who have bought three items each."""

    def __init__(
        self, items: int = ITEMS, dimensions: int = DIMENSIONS, queries: int = _QUERIES, seed: int = 3
    ) -> None:
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(40, dimensions))
        vectors = centres[rng.integers(40, size=items)] + rng.normal(size=(items, dimensions))
        self.vectors: Singles = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        self.popularity = rng.integers(1, 101, size=items)
        found = find_extremes(self.vectors, nearest=64, farthest=16)
        rows = np.arange(items)
        self.features = ItemFeatures(
            category=(rows % 17).astype(np.int16),
            category_names=tuple(f"kind-{number}" for number in range(17)),
            gender=np.ones(items, np.int8),
            product=rows.astype(np.int32),
            view_group=np.full(items, -1, np.int32),
            group=(rows % 17).astype(np.int16),
            store=np.full(items, -1, np.int16),
            store_latitude_deg=np.empty(0),
            store_longitude_deg=np.empty(0),
            photo_row=rows.astype(np.int32),
            photo_embeddings=self.vectors,
            table_embeddings=None,
            neighbours=found.nearest.astype(np.int32),
            neighbour_similarity=found.nearest_similarity.astype(np.float32),
            lowest=found.farthest.astype(np.int32),
            lowest_similarity=found.farthest_similarity.astype(np.float32),
        )
        self.rules = StateRules()
        keep, limit = self.rules.co_purchase_keep, self.rules.co_purchase_limit
        self.dynamics = ItemDynamics(
            purchases=self.popularity.astype(np.int64),
            initial=np.zeros(items),
            slow=np.log(self.popularity.astype(np.float64)),
            fast=np.log(self.popularity.astype(np.float64)),
            slow_half_life_s=self.rules.slow_half_life_s,
            fast_half_life_s=self.rules.fast_half_life_s,
            landmark_ms=LANDMARK_MS,
            co=BoundedCounts(keep=keep, limit=limit),
            transitions=Transitions(product=self.features.product, group=self.features.group, keep=keep, limit=limit),
        )
        self.standing = Standing(self.features, self.dynamics)
        self.query = self._ask(queries, rng)

    def _ask(self, queries: int, rng: np.random.Generator) -> Query:
        history = np.full((queries, _HISTORY), -1, np.int32)
        history[:, :3] = np.argsort(rng.random((queries, self.popularity.size)), axis=1)[:, :3]
        at_ms = np.full(queries, 1_700_000_000_000, np.int64)
        return Query(
            item=history[:, 0].copy(),
            history=history,
            history_ms=np.where(history >= 0, at_ms[:, None], 0),
            at_ms=at_ms,
            stores=np.full(history.shape, -1, np.int16),
            trendiness=rng.random(queries),
            percentile=self.standing.percentile[history[:, 0]],
        )

    def ranker(self, preset: Preset) -> Ranker:
        """Return the compiled form for a preset, ready."""
        ranker = Ranker(
            self.features,
            preset,
            k=K,
            exclude_other_views=False,
            history_length=_HISTORY,
            co_limit=self.rules.co_purchase_limit,
        )
        ranker.touch(None, self.dynamics)
        ranker.rank(_some(self.query, 0, 1), self.dynamics, self.standing)  # compiled now, not while timed
        return ranker


def list_by_pairs(
    bought: int,
    history: Sequence[int],
    trendiness: float,
    vectors: Sequence[Singles],
    popularity: dict[int, int],
    k: int = K,
) -> list[int]:
    """Return the k best items for a purchase, one pair after the other.

    0.4 minmax(cosine) + 0.2 (1 - (minmax(popularity) - trendiness)^4), over every item that was not bought; of equal
    ones the smaller number.

    >>> here, there = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    >>> list_by_pairs(0, [0], 0.0, [here, here, there], {0: 1, 1: 1, 2: 5})
    [1, 2]
    """
    ours = vectors[bought]
    cosines, counts, candidates = [], [], []
    for item, vector in enumerate(vectors):
        if item in history:
            continue
        product = float(np.dot(ours, vector))
        cosines.append(product / (float(np.sqrt(np.dot(ours, ours))) * float(np.sqrt(np.dot(vector, vector)))))
        counts.append(popularity[item])
        candidates.append(item)
    low, high, least, most = min(cosines), max(cosines), min(counts), max(counts)
    scored = []
    for item, cosine, count in zip(candidates, cosines, counts, strict=True):
        alike = (cosine - low) / (high - low) if high > low else 1.0
        popular = (count - least) / (most - least) if most > least else 1.0
        scored.append((0.4 * alike + 0.2 * (1.0 - (popular - trendiness) ** 4), item))
    scored.sort(key=lambda pair: (-pair[0], pair[1]))
    return [item for _, item in scored[:k]]


def measure_pairs(items: int = ITEMS, queries: int = _QUERIES, loops: int = 11) -> dict[str, Any]:
    """Return the milliseconds that one list takes in each form, the ratios, and how far the lists agree."""
    shelf = Shelf(items, queries=queries)
    everything = {key: take for key, take in _PAPER.retrieve.items() if key != "popular"} | {"trending": items}
    by_candidates, exhaustive = shelf.ranker(_PAPER), shelf.ranker(replace(_PAPER, retrieve=everything))

    def numpy_form(query: Query, *, every: bool) -> npt.NDArray[np.int32]:
        return recommend(
            query,
            shelf.features,
            shelf.dynamics,
            _PAPER,
            k=K,
            exclude_other_views=False,
            standing=shelf.standing,
            exhaustive=every,
        ).items

    def compiled_form(ranker: Ranker, query: Query) -> npt.NDArray[np.int32]:
        return ranker.rank(query, shelf.dynamics, shelf.standing).items

    popularity, vectors = dict(enumerate(shelf.popularity.tolist())), list(shelf.vectors)

    def looped(row: int) -> list[int]:
        history = [item for item in shelf.query.history[row].tolist() if item >= 0]
        return list_by_pairs(history[0], history, float(shelf.query.trendiness[row]), vectors, popularity)

    lists = {
        "compiled, exhaustive": compiled_form(exhaustive, shelf.query),
        "compiled, candidates": compiled_form(by_candidates, shelf.query),
        "numpy, candidates": numpy_form(shelf.query, every=False),
    }
    wanted = np.array([looped(row) for row in range(min(loops, queries))])
    ms = {
        "per-pair loop": _median_ms(lambda at: looped(at % queries), loops, 1),
        "numpy, exhaustive": _median_ms(lambda at: numpy_form(_some(shelf.query, at % queries, 1), every=True), 50, 1),
        "compiled, exhaustive": _median_ms(
            lambda at: compiled_form(exhaustive, _some(shelf.query, at % queries, 1)), 200, 1
        ),
        "numpy, candidates": _median_ms(lambda _: numpy_form(shelf.query, every=False), 5, queries),
        "compiled, candidates, one purchase": _median_ms(
            lambda at: compiled_form(by_candidates, _some(shelf.query, at % queries, 1)), 500, 1
        ),
        "compiled, candidates": _median_ms(lambda _: compiled_form(by_candidates, shelf.query), 20, queries),
    }
    question = Question(shelf.query, shelf.features, shelf.dynamics, _PAPER, shelf.standing)
    return {
        "items": items,
        "dimensions": DIMENSIONS,
        "batch": queries,
        "preset": "paper",
        "ms_per_list": {name: round(value, 5) for name, value in ms.items()},
        "ratio_to_loop": {name: round(ms["per-pair loop"] / value, 1) for name, value in ms.items()},
        "overlap_with_loop": {name: _overlap(found[: len(wanted)], wanted) for name, found in lists.items()},
        "candidates_of_the_numpy_form": round(propose(question).key.size / queries, 1),
    }


def _some(query: Query, first: int, count: int) -> Query:
    part = slice(first, first + count)
    return Query(
        query.item[part],
        query.history[part],
        query.history_ms[part],
        query.at_ms[part],
        query.stores[part],
        query.trendiness[part],
        query.percentile[part],
    )


def _median_ms(work: Callable[[int], object], times: int, lists: int) -> float:
    """Return the median milliseconds of CPU, of all threads, that one list takes; others at work do not matter."""
    spent = []
    work(0)
    for at in range(times):
        began_s = time.process_time()
        work(at)
        spent.append((time.process_time() - began_s) * 1000.0 / lists)
    return statistics.median(spent)


def _overlap(found: npt.NDArray[np.int32], wanted: npt.NDArray[np.int64]) -> float:
    shares = [len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), wanted.tolist(), strict=True)]
    return round(sum(shares) / len(shares), 4)


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=ITEMS)
    print(json.dumps({"machine": machine(), **measure_pairs(parser.parse_args().items)}, indent=1))


if __name__ == "__main__":
    main()
