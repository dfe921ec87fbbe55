"""Each user's last item is held out for the test and the one before it for validation; the rest is learnt from.

It draws nothing and measures nothing. Read next: :mod:`evaluation.leave_one_out.protocols`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trendloom.logs.interactions import Interactions

__all__ = ["Split", "leave_one_out"]

#: Users with fewer items than this are learnt from and never asked.
_LEAST = 3


@dataclass(frozen=True, slots=True)
class Split:
    """``learnt`` is all but each user's last two; ``validation`` and ``test`` (U,) hold an item each, -1 for none."""

    learnt: Interactions
    validation: npt.NDArray[np.int32]
    test: npt.NDArray[np.int32]

    @property
    def before_test(self) -> Interactions:
        """What is known when the test item is asked for: the learnt items and the validation item."""
        return self.learnt.extended(self.validation)

    @property
    def everything(self) -> Interactions:
        """All items of each user, the held-out ones last."""
        return self.before_test.extended(self.test)


def leave_one_out(interactions: Interactions) -> Split:
    """Hold out the last two items of every user with three or more.

    >>> some = Interactions(np.array([0, 4, 6]), np.array([3, 1, 0, 2, 1, 0], np.int32), ("a", "b"), tuple("wxyz"))
    >>> split = leave_one_out(some)
    >>> split.learnt.item.tolist(), split.validation.tolist(), split.test.tolist()
    ([3, 1, 1, 0], [0, -1], [2, -1])
    """
    start, item = interactions.start, interactions.item
    asked = np.diff(start) >= _LEAST
    last = np.maximum(start[1:] - 1, 0)
    validation = (
        np.where(asked, item[np.maximum(last - 1, 0)], -1).astype(np.int32) if item.size else -np.ones(0, np.int32)
    )
    test = np.where(asked, item[last], -1).astype(np.int32) if item.size else -np.ones(0, np.int32)
    kept = np.ones(item.size, np.bool_)
    kept[last[asked]] = False
    kept[last[asked] - 1] = False
    learnt_start = start - 2 * np.r_[0, np.cumsum(asked)]
    learnt = Interactions(learnt_start, item[kept], interactions.user_ids, interactions.item_ids)
    return Split(learnt, validation, test)
