"""Which items are popular: the top share of a group of items, kept exact after every single purchase.

Items stand in order of popularity; a purchase moves its item to the front of those that it has just left behind, so
each update takes constant time. It knows nothing of customers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["PopularSet"]


class PopularSet:
    """The ``ceil(share * n)`` most popular of n items; among equally popular ones the order is arbitrary but seeded.

    ``members`` are item rows, ``popularity[row]`` whole numbers >= 0. ``share`` lies in [0, 1]: the popularity
    percentile from which an item is popular is 1 - share.

    >>> group = PopularSet([0, 1, 2, 3], [5, 1, 1, 0], share=0.25)
    >>> [row for row in range(4) if group.is_popular(row)]
    [0]
    >>> for _ in range(5):
    ...     group.bought(2)
    >>> [row for row in range(4) if group.is_popular(row)]
    [2]
    """

    def __init__(self, members: Sequence[int], popularity: Sequence[int], *, share: float) -> None:
        self.order = sorted(members, key=lambda row: (-popularity[row], row))
        self.size = min(len(self.order), math.ceil(share * len(self.order)))
        self._place = {row: place for place, row in enumerate(self.order)}
        self._popularity = {row: popularity[row] for row in self.order}
        self._front: dict[int, int] = {}  # popularity -> first place that holds it
        for place in range(len(self.order) - 1, -1, -1):
            self._front[self._popularity[self.order[place]]] = place

    def __contains__(self, row: int) -> bool:
        """Return whether the item belongs to the group at all."""
        return row in self._place

    def __len__(self) -> int:
        """Return n, the number of items in the group."""
        return len(self.order)

    def is_popular(self, row: int) -> bool:
        """Return whether an item of the group is in the popular set now."""
        return self._place[row] < self.size

    def bought(self, row: int) -> None:
        """Add one to an item's popularity, at once; an item outside the group changes nothing."""
        place = self._place.get(row)
        if place is None:
            return
        order, level = self.order, self._popularity[row]
        front = self._front[level]
        other = order[front]
        order[front], order[place] = row, other
        self._place[row], self._place[other] = front, place
        behind = front + 1
        if behind < len(order) and self._popularity[order[behind]] == level:
            self._front[level] = behind
        else:
            del self._front[level]
        self._popularity[row] = level + 1
        self._front.setdefault(level + 1, front)
