"""Who took what, in order: the least that a collaborative model learns from, users and items as numbers from 0.

It holds no times and no prices; readers of other files make it (:mod:`trendloom.logs.interaction_files`).
Read next: :mod:`evaluation.leave_one_out.split`, which holds items out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Interactions"]


@dataclass(frozen=True, slots=True)
class Interactions:
    """E interactions, each (user, item) pair once, sorted by user and within a user by time.

    ``start`` (U + 1,) says where a user's items begin in ``item`` (E,): user u has ``item[start[u]:start[u + 1]]``, the
    earliest first. ``user_ids`` (U) and ``item_ids`` (N) are the names in the file.
    """

    start: npt.NDArray[np.int64]
    item: npt.NDArray[np.int32]
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]

    @property
    def n_users(self) -> int:
        """Number of users, U."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Number of items, N."""
        return len(self.item_ids)

    @property
    def user(self) -> npt.NDArray[np.int32]:
        """User of each interaction (E,)."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.start))

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Number of users who took each item (N,)."""
        return np.bincount(self.item, minlength=self.n_items)

    @classmethod
    def of_rows(
        cls,
        user: npt.NDArray[np.integer],
        item: npt.NDArray[np.integer],
        time: npt.NDArray[np.integer],
        user_ids: tuple[str, ...],
        item_ids: tuple[str, ...],
    ) -> Interactions:
        """Return the interactions of R rows (R,) in any order; of a repeated pair the earliest counts.

        Rows of one user with equal times keep the order in which they are given, so that a file says one thing always.

        >>> some = Interactions.of_rows(
        ...     np.array([1, 0, 1, 1]), np.array([2, 0, 1, 2]), np.array([9, 5, 3, 1]), ("a", "b"), ("x", "y", "z"))
        >>> some.start.tolist(), some.item.tolist()
        ([0, 1, 3], [0, 2, 1])
        """
        order = np.lexsort((time, user))  # stable
        key = user[order].astype(np.int64) * max(len(item_ids), 1) + item[order]
        _, first = np.unique(key, return_index=True)
        kept = order[np.sort(first)]
        start = np.zeros(len(user_ids) + 1, np.int64)
        np.cumsum(np.bincount(user[kept], minlength=len(user_ids)), out=start[1:])
        return cls(start, item[kept].astype(np.int32), user_ids, item_ids)

    def extended(self, items: npt.NDArray[np.integer]) -> Interactions:
        """Return these interactions with one more item for each user (U,), the latest; -1 adds none.

        >>> some = Interactions(np.array([0, 1, 2]), np.array([0, 1], np.int32), ("a", "b"), ("x", "y"))
        >>> some.extended(np.array([1, -1])).item.tolist()
        [0, 1, 1]
        """
        added = items >= 0
        item = np.insert(self.item, self.start[1:][added], items[added].astype(np.int32))
        start = self.start + np.r_[0, np.cumsum(added)]
        return Interactions(start, item, self.user_ids, self.item_ids)
