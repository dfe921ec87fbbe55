"""The ground of an evaluation, made from a catalogue and the ids of a log: who is who, by number, in a random order.

It copies the catalogue's arrays once for all contestants. Read next: :mod:`evaluation.contestant`.
"""

from __future__ import annotations

import numpy as np

from evaluation.contestant import Customers, Ground, Purchases
from trendloom.catalogue.garment import Catalogue
from trendloom.refresh.assortment import features_by_number
from trendloom.relevance.features import ItemFeatures

__all__ = ["bare_ground", "make_ground", "no_features"]


def no_features(n_items: int) -> ItemFeatures:
    """Return features of items of which nothing is known.

    >>> no_features(3).size
    3
    """
    none = np.full(n_items, -1)
    empty, nothing = np.full((n_items, 0), -1, np.int32), np.zeros((n_items, 0), np.float32)
    return ItemFeatures(
        category=none.astype(np.int16),
        category_names=(),
        gender=np.zeros(n_items, np.int8),
        product=none.astype(np.int32),
        view_group=none.astype(np.int32),
        group=none.astype(np.int16),
        store=none.astype(np.int16),
        store_latitude_deg=np.empty(0),
        store_longitude_deg=np.empty(0),
        photo_row=none.astype(np.int32),
        photo_embeddings=np.zeros((0, 1), np.float16),
        table_embeddings=None,
        neighbours=empty,
        neighbour_similarity=nothing,
        lowest=empty,
        lowest_similarity=nothing,
    )


def bare_ground(n_items: int, *, seed: int = 1) -> Ground:
    """Return the ground of a log without a catalogue: item number n has the id ``item-n``; for tests and examples."""
    return Ground(n_items, tuple(f"item-{number}" for number in range(n_items)), no_features(n_items), seed=seed)


def make_ground(
    item_ids: tuple[str, ...],
    catalogue: Catalogue | None,
    *,
    customer_ids: tuple[str, ...] = (),
    past: Purchases | None = None,
    seed: int = 1,
    history_length: int = 64,
) -> Ground:
    """Return the ground of a log's items and of a catalogue's, numbered in a random order that ``seed`` fixes."""
    known = catalogue.item_ids if catalogue is not None else []
    everything = list(dict.fromkeys([*known, *sorted(item_ids)]))
    order = np.random.default_rng([seed, 0]).permutation(len(everything))  # place -> number
    by_number = [""] * len(everything)
    for item_id, number in zip(everything, order.tolist(), strict=True):
        by_number[number] = item_id
    if catalogue is None:
        features = no_features(len(everything))
    else:
        features = features_by_number(catalogue, order[: len(known)].astype(np.int64), len(everything), {})
    return Ground(
        n_items=len(everything),
        item_ids=tuple(by_number),
        features=features,
        catalogue=catalogue,
        customer_ids=customer_ids,
        customers=Customers(history_length),
        past=past,
        seed=seed,
    )
