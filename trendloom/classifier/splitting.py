"""Divides labelled photos into parts so that a group (an item, a sender, a product) is never in two of them.

Pure numpy; knows no photos. Read next: :mod:`trendloom.classifier.training`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["join_groups", "split_by_group"]


def split_by_group(
    labels: npt.NDArray[np.integer],
    groups: npt.NDArray[np.integer],
    shares: Sequence[float],
    rng: np.random.Generator,
) -> npt.NDArray[np.int8]:
    """Return (N,) the part of each photo: whole groups, each class spread as ``shares`` ask as well as groups allow.

    Groups are dealt largest first (equal ones in random order) to the part that lacks most of what they bring, rare
    classes counting as much as common ones: of 1 - deal/share for each class, weighted by the group's photos over the
    class's. Shares must sum to 1.

    >>> labels, groups = np.array([0, 0, 1, 1, 0, 1]), np.array([7, 7, 8, 8, 9, 9])
    >>> parts = split_by_group(labels, groups, (0.5, 0.5), np.random.default_rng(0))
    >>> all(len(set(parts[groups == group])) == 1 for group in (7, 8, 9)), sorted(set(parts.tolist()))
    (True, [0, 1])
    """
    if abs(sum(shares) - 1) > 1e-6 or min(shares) <= 0:
        raise ValueError(f"The shares {tuple(shares)} are not positive numbers that sum to 1.")
    _, label = np.unique(labels, return_inverse=True)
    ids, group = np.unique(groups, return_inverse=True)
    table = np.zeros((len(ids), int(label.max()) + 1))
    np.add.at(table, (group, label), 1)
    totals = table.sum(axis=0)  # (C,)
    wanted = np.asarray(shares)[:, None] * totals  # (parts, C)
    dealt = np.zeros_like(wanted)
    order = rng.permutation(len(ids))
    order = order[np.argsort(-table[order].sum(axis=1), kind="stable")]
    part_of = np.zeros(len(ids), np.int8)
    for row in order:
        lacking = 1 - dealt / wanted
        part = int(np.argmax(lacking @ (table[row] / totals) + rng.uniform(0, 1e-9, len(wanted))))
        part_of[row] = part
        dealt[part] += table[row]
    return part_of[group]


def join_groups(*ways: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return (N,) group numbers that join photos which agree in any of ``ways``; "" agrees with nothing.

    >>> join_groups(["anna", "anna", "bo", ""], ["x", "y", "y", "z"]).tolist()
    [0, 0, 0, 3]
    """
    size = len(ways[0])
    parent = list(range(size))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for way in ways:
        first: dict[str, int] = {}
        for row, value in enumerate(way):
            if value:
                one, other = root(first.setdefault(value, row)), root(row)
                parent[max(one, other)] = min(one, other)
    return np.array([root(row) for row in range(size)], np.int64)
