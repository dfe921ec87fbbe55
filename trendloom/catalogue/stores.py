"""Which store holds which item when the source does not say: dealt like cards, category by category.

Where a store stands is a setting, not a property of the catalogue; here a store is only a name.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["deal_to_stores"]


def deal_to_stores(category: npt.NDArray[np.int16], stores: int, seed: int) -> npt.NDArray[np.int16]:
    """Return the store (0 .. stores - 1) of each item: each category is shuffled and dealt round-robin.

    So every store holds every category in equal parts, to one item; with no stores all items get -1. The dealing goes
    on where the category before it stopped, so small categories do not all end up in the first store.

    >>> deal_to_stores(np.array([0, 0, 0, 0, 1, 1], np.int16), 2, seed=7).tolist().count(0)
    3
    >>> deal_to_stores(np.array([0, 0], np.int16), 0, seed=7).tolist()
    [-1, -1]
    """
    out = np.full(len(category), -1, np.int16)
    if stores == 0:
        return out
    rng = np.random.default_rng(seed)
    dealt = 0
    for code in np.unique(category):
        members = rng.permutation(np.flatnonzero(category == code))
        out[members] = (dealt + np.arange(len(members))) % stores
        dealt += len(members)
    return out
