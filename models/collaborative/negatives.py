"""Items that a user has not taken, drawn uniformly and all at once, without trial and error.

It knows numbers only, no files and no networks. Read next: :mod:`models.collaborative.training`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Untaken"]

Ints = npt.NDArray[np.int64]


class Untaken:
    """Draws from each user's untaken items: ``item[start[u]:start[u + 1]]`` are those that user u has taken.

    If the taken items of a user are s_0 < s_1 < ..., then s_j - j untaken ones are smaller than s_j. So the r-th
    untaken item (from 0) is r plus the number of j with s_j - j <= r: one search in a sorted array, exact and without
    rejection.

    >>> untaken = Untaken(np.array([0, 2, 3]), np.array([3, 0, 1]), n_items=4)
    >>> untaken.nth(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 2])).tolist()
    [1, 2, 0, 2, 3]
    """

    def __init__(self, start: npt.NDArray[np.integer], item: npt.NDArray[np.integer], n_items: int) -> None:
        self._start = start.astype(np.int64)
        taken = np.diff(self._start)
        if (taken >= n_items).any():
            raise ValueError("a user has taken every item")
        user = np.repeat(np.arange(taken.size), taken)
        keys = np.sort(user * n_items + item)
        place = np.arange(keys.size) - self._start[user]
        self._keys = keys - place
        self._n_items = n_items
        #: Number of untaken items of each user (U,).
        self.sizes: Ints = n_items - taken

    def nth(self, users: npt.NDArray[np.integer], nth: Ints) -> Ints:
        """Return the ``nth`` untaken item of each user, both of one shape; 0 <= nth < sizes[users]."""
        below = np.searchsorted(self._keys, users * np.int64(self._n_items) + nth, side="right")
        items: Ints = nth + below - self._start[users]
        return items

    def draw(self, users: npt.NDArray[np.integer], count: int, rng: np.random.Generator) -> Ints:
        """Return ``count`` untaken items for each of the users (B,), with replacement: (B, count)."""
        wide = np.broadcast_to(users[:, None], (users.size, count))
        return self.nth(wide, rng.integers(0, self.sizes[users][:, None], (users.size, count)))

    def draw_distinct(self, users: npt.NDArray[np.integer], count: int, rng: np.random.Generator) -> Ints:
        """Return ``count`` different untaken items for each of the users (B,): (B, count), in no particular order.

        Raises ``ValueError`` if a user has fewer.
        """
        sizes = self.sizes[users]
        if users.size and int(sizes.min()) < count:
            raise ValueError(f"a user has {int(sizes.min())} untaken items, fewer than {count}")
        drawn = np.sort(rng.integers(0, sizes[:, None], (users.size, count)), axis=1)
        while True:  # what was drawn twice is drawn again until all differ
            again = np.zeros(drawn.shape, np.bool_)
            again[:, 1:] = drawn[:, 1:] == drawn[:, :-1]
            rows = np.flatnonzero(again.any(axis=1))
            if not rows.size:
                break
            row, column = np.nonzero(again)
            drawn[row, column] = rng.integers(0, sizes[row])
            drawn[rows] = np.sort(drawn[rows], axis=1)
        return self.nth(np.broadcast_to(users[:, None], drawn.shape), drawn)
