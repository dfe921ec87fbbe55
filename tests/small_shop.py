"""A small shop after some hundred purchases, and purchases that ask it for lists: shared by tests of relevance."""

from __future__ import annotations

import numpy as np

from evaluation.light_loop import LightLoop, LoopRules
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.refresh.assortment import features_by_number
from trendloom.relevance.query import DAY_MS, Query

__all__ = ["START_MS", "asking", "shop", "some_histories"]

START_MS = 1_600_000_000_000


def shop(seed: int, *, n: int = 80, events: int = 300, photo_share: float = 1.0) -> LightLoop:
    catalogue = random_catalogue(n, np.random.default_rng(seed), photo_share=photo_share)
    loop = LightLoop(features_by_number(catalogue, np.arange(n), n, {}), LoopRules(history_length=8))
    rng = np.random.default_rng(seed)
    at_ms = np.sort(rng.integers(0, 2 * DAY_MS, size=events)) + START_MS
    item = (n * rng.random(events) ** 2).astype(np.int64)
    for start in range(0, events, 25):
        part = slice(start, start + 25)
        loop.take(rng.integers(20, size=item[part].size), item[part], at_ms[part], None)
    return loop


def asking(histories: list[list[tuple[int, int]]], *, now_ms: int = START_MS + 5 * DAY_MS) -> Query:
    """Return a query from (item, milliseconds ago) pairs, newest first."""
    width = 8
    history = np.full((len(histories), width), -1, np.int32)
    history_ms = np.zeros((len(histories), width), np.int64)
    for row, past in enumerate(histories):
        history[row, : len(past)] = [item for item, _ in past]
        history_ms[row, : len(past)] = [now_ms - ago for _, ago in past]
    rng = np.random.default_rng(len(histories))
    return Query(
        item=history[:, 0],
        history=history,
        history_ms=history_ms,
        at_ms=history_ms[:, 0],
        stores=np.full(history.shape, -1, np.int16),
        trendiness=rng.random(len(histories)),
        percentile=rng.random(len(histories)),
    )


def some_histories(seed: int, rows: int, n: int = 80) -> list[list[tuple[int, int]]]:
    rng = np.random.default_rng(seed)
    return [
        [(int(rng.integers(n)), place * 40_000_000 if place else 0) for place in range(int(rng.integers(1, 7)))]
        for _ in range(rows)
    ]
