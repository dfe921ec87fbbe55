"""A small made-up log and its catalogue, for tests of the evaluation: customers who come back, a few best sellers."""

from __future__ import annotations

import numpy as np

from evaluation.contestant import Ground, Purchases
from evaluation.ground import make_ground
from trendloom.catalogue.garment import Catalogue
from trendloom.catalogue.synthetic import random_catalogue

HOUR_MS = 3_600_000
START_MS = 18_521 * 24 * HOUR_MS

__all__ = ["HOUR_MS", "START_MS", "small_catalogue", "small_ground", "small_purchases"]


def small_catalogue(items: int = 40) -> Catalogue:
    """Return a catalogue of made-up garments."""
    return random_catalogue(items, np.random.default_rng(2))


def small_ground(items: int = 40, *, seed: int = 1) -> Ground:
    """Return a fresh ground over the small catalogue."""
    catalogue = small_catalogue(items)
    names = tuple(f"customer-{number}" for number in range(30))
    return make_ground(tuple(catalogue.item_ids), catalogue, customer_ids=names, seed=seed)


def small_purchases(events: int = 240, *, items: int = 40, customers: int = 30, seed: int = 1) -> Purchases:
    """Return purchases over some days, in time order, each (day, customer, item) once; few items sell most."""
    rng = np.random.default_rng(seed)
    seen: set[tuple[int, int, int]] = set()
    rows = []
    for place in range(events):
        at_ms = START_MS + place * HOUR_MS // 4
        customer, item = int(rng.integers(customers)), int(items * rng.random() ** 2)
        key = (at_ms // (24 * HOUR_MS), customer, item)
        if key not in seen:
            seen.add(key)
            rows.append((customer, item, at_ms))
    table = np.array(rows, np.int64)
    return Purchases.of(table[:, 0], table[:, 1], table[:, 2])
