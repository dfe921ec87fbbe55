"""Places of a list for items that hardly anybody has bought yet: those that look most like what was just bought.

A relevance that learns from purchases says nothing of an item without any, so that in a busy shop it may never be shown
and never be bought. This gives it a chance and chooses nothing else. Read next: :mod:`trendloom.refresh.scorer`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trendloom.relevance.features import ItemFeatures
from trendloom.relevance.query import Query
from trendloom.relevance.top_k import TopK

__all__ = ["with_newcomers"]

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def with_newcomers(
    top: TopK,
    query: Query,
    features: ItemFeatures,
    purchases: Ints,
    *,
    places: int,
    sold_fewer_than: int = 1,
    visual_weight: float = 0.0,
    exclude_other_views: bool = True,
    withdrawn: Flags | None = None,
) -> TopK:
    """Return the lists with at least ``places`` new items each, as far as the bought item has such neighbours.

    New is what ``purchases`` (N,) counts fewer than ``sold_fewer_than`` of. What a list lacks is taken from the visual
    neighbours of the bought item, the most similar first, and stands at its end instead of its last items that are not
    new. The same items are barred as in every list: what the history holds, what is ``withdrawn`` (N,), and with
    ``exclude_other_views`` other views of the bought garment. A newcomer's only part is ``visual``: ``visual_weight``
    times the similarity; it may be more than the score of the item before it.
    """
    size, k = top.items.shape
    bought = query.item.astype(np.int64)
    near = np.where((bought >= 0)[:, None], features.neighbours[np.maximum(bought, 0)], -1)  # (B, M)
    listed = top.items >= 0
    new_listed = listed & (purchases[np.maximum(top.items, 0)] < sold_fewer_than)
    wanted = np.maximum(places - new_listed.sum(axis=1), 0)  # (B,)

    other = np.maximum(near, 0)
    fits = (near >= 0) & (purchases[other] < sold_fewer_than)
    if withdrawn is not None:
        fits &= ~withdrawn[other]
    if exclude_other_views:
        view = np.where(bought >= 0, features.view_group[np.maximum(bought, 0)], -1)[:, None]
        fits &= (view < 0) | (features.view_group[other] != view)
    row, column = np.nonzero(fits)
    said = np.concatenate([query.history, top.items], axis=1)  # (B, H + k)
    fits[row, column] = (said[row] != near[row, column, None]).all(axis=1)
    taken = fits & (np.cumsum(fits, axis=1) <= wanted[:, None])
    count = taken.sum(axis=1)
    if not count.any():
        return top

    surplus = np.maximum(listed.sum(axis=1) + count - k, 0)
    settled = listed & ~new_listed
    from_end = np.cumsum(settled[:, ::-1], axis=1)[:, ::-1]  # 1 = the last item that is not new
    gone = ~listed | (settled & (from_end <= surplus[:, None]))

    items = np.concatenate([top.items, near], axis=1)
    order = np.argsort(np.concatenate([gone, ~taken], axis=1), axis=1, kind="stable")[:, :k]
    missing = np.take_along_axis(np.concatenate([gone, ~taken], axis=1), order, axis=1)
    parts = np.zeros((size, items.shape[1], top.parts.shape[2]))
    parts[:, :k] = top.parts
    if "visual" in top.part_names:
        similarity = np.asarray(features.neighbour_similarity[np.maximum(bought, 0)], np.float64)
        parts[:, k:, top.part_names.index("visual")] = visual_weight * similarity
    scores = np.concatenate([top.scores, parts[:, k:].sum(axis=2)], axis=1)
    return TopK(
        np.where(missing, -1, np.take_along_axis(items, order, axis=1)).astype(np.int32),
        np.where(missing, 0.0, np.take_along_axis(scores, order, axis=1)),
        np.where(missing[:, :, None], 0.0, np.take_along_axis(parts, order[:, :, None], axis=1)),
        top.part_names,
    )
