"""Regression trees as flat arrays: their sum for many rows at once, and which signal moved it; compiled by numba.

A forest is what LightGBM's text model says, without LightGBM: numerical splits ``value <= threshold`` go left. It
never grows trees. Read next: :mod:`trendloom.relevance.learned.ranker_file`, where forests are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trendloom.errors import InputError
from trendloom.relevance.learned.steps import add_sums, write_parts

__all__ = ["Forest", "Walk", "forest_of_text"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Int32s = npt.NDArray[np.int32]


class Walk(NamedTuple):
    """A forest laid out to be walked without branches: siblings lie together, and a leaf leads to itself.

    At a node that ``asks`` for a signal, the next node is ``first``, or the one behind it if the signal is above
    ``limit``; after ``steps`` of its tree a walk has come to its leaf, which adds ``worth``.
    """

    asks: Int32s  # (M,)
    limit: Singles  # (M,)
    first: Int32s  # (M,)
    worth: Floats  # (M,)
    start: Int32s  # (T,)
    steps: Int32s  # (T,)


@dataclass(frozen=True)
class Forest:
    """T trees over F signals; their M nodes lie end to end, each tree's root first.

    ``signal`` (M,) the signal that a node asks, -1 at a leaf; ``threshold`` (M,) goes left if the signal is at most
    this; ``left`` and ``right`` (M,) are nodes; ``value`` (M,) is what a leaf adds, and at other nodes the mean of what
    their training rows were given, which explanations need; ``root`` (T,) are the roots.
    """

    signal: Int32s
    threshold: Floats
    left: Int32s
    right: Int32s
    value: Floats
    root: Int32s

    @property
    def n_trees(self) -> int:
        """T, the number of trees."""
        return int(self.root.size)

    @property
    def base(self) -> float:
        """What every row is given before any signal is asked: the sum of the roots' values."""
        return float(self.value[self.root].sum())

    def sums(self, rows: Singles) -> Floats:
        """Return the sum of all trees (E,) for rows of signals (E, F).

        >>> stump = Forest(np.array([0, -1, -1], np.int32), np.array([0.5, 0.0, 0.0]), np.array([1, 0, 0], np.int32),
        ...                np.array([2, 0, 0], np.int32), np.array([0.0, -1.0, 2.0]), np.array([0], np.int32))
        >>> stump.sums(np.array([[0.5], [0.6]], np.float32)).tolist()
        [-1.0, 2.0]
        """
        n = rows.shape[0]
        out, order, walk = np.zeros(n), np.arange(n), np.empty(n, np.int32)
        add_sums(np.ascontiguousarray(rows, np.float32), order, n, *self.walk, 0, self.n_trees, out, walk)
        return out

    def parts(self, row: Singles) -> Floats:
        """Return what each signal (F,) of a row (F,) adds to its sum; with ``base`` they make up the sum.

        Along the path of a row, each step from a node to its child moves the mean; the step is put down to the signal
        that the node asks (the path method of A. Saabas, 2014).
        """
        out = np.zeros(row.size)
        write_parts(np.ascontiguousarray(row, np.float32), *self.arrays(), out)
        return out

    @cached_property
    def walk(self) -> Walk:
        """The forest laid out to be walked."""
        nodes = self.signal.size
        place = np.zeros(nodes, np.int64)  # of each node in the new order
        order: list[int] = []
        start, steps = [], []
        for root in self.root.tolist():
            start.append(len(order))
            level, depth = [root], -1
            while level:
                depth += 1
                for node in level:
                    place[node] = len(order)
                    order.append(node)
                level = [
                    child
                    for node in level
                    if self.signal[node] >= 0
                    for child in (int(self.left[node]), int(self.right[node]))
                ]
            steps.append(depth)
        old = np.array(order, np.int64)
        inner = self.signal[old] >= 0
        # a signal is a float32: at most a threshold means at most the greatest float32 that is not above it
        limit = self.threshold[old].astype(np.float32)
        limit = np.where(limit > self.threshold[old], np.nextafter(limit, np.float32(-np.inf)), limit)
        return Walk(
            np.where(inner, self.signal[old], 0).astype(np.int32),
            np.where(inner, limit, np.float32(np.inf)).astype(np.float32),
            np.where(inner, place[self.left[old]], np.arange(old.size)).astype(np.int32),
            self.value[old],
            np.array(start, np.int32),
            np.array(steps, np.int32),
        )

    def arrays(self) -> tuple[Int32s, Floats, Int32s, Int32s, Floats, Int32s]:
        """Return the arrays in the order in which the kernels take them."""
        return self.signal, self.threshold, self.left, self.right, self.value, self.root


def forest_of_text(text: str) -> Forest:
    """Return the forest of a LightGBM text model (``Booster.model_to_string()``).

    Raises :class:`~trendloom.errors.InputError` for what it does not know: categorical splits, linear leaves, splits
    that treat 0 as missing.
    """
    trees = [_sections(block) for block in text.split("end of trees", maxsplit=1)[0].split("\nTree=")[1:]]
    if not trees:
        raise InputError("The model text holds no tree. Action: train with at least one round.")
    signal: list[npt.NDArray[np.int64]] = []
    threshold: list[Floats] = []
    left: list[npt.NDArray[np.int64]] = []
    right: list[npt.NDArray[np.int64]] = []
    value: list[Floats] = []
    roots = []
    start = 0
    for tree in trees:
        if int(tree.get("num_cat", "0")) or int(tree.get("is_linear", "0")):
            raise InputError("The model has categorical or linear trees. Action: train with numerical splits only.")
        leaves = _numbers(tree["leaf_value"])
        inner = leaves.size - 1
        roots.append(start)
        if inner:
            kinds = _numbers(tree["decision_type"]).astype(np.int64)
            if ((kinds >> 2) & 3 == 1).any():
                raise InputError("The model treats 0 as missing. Action: train with zero_as_missing = false.")
            children = [_numbers(tree[name]).astype(np.int64) for name in ("left_child", "right_child")]
            # LightGBM names leaf l as -l - 1; here leaves lie behind the inner nodes
            first, second = (start + np.where(child >= 0, child, inner - child - 1) for child in children)
        else:
            first = second = np.empty(0, np.int64)
        nothing = np.zeros(leaves.size, np.int64)
        signal += [_numbers(tree.get("split_feature", "")).astype(np.int64), nothing - 1]
        threshold += [_numbers(tree.get("threshold", "")), nothing.astype(np.float64)]
        left += [first, nothing]
        right += [second, nothing]
        value += [_means(tree, leaves, first - start, second - start), leaves]
        start += inner + leaves.size
    return Forest(
        np.concatenate(signal).astype(np.int32),
        np.concatenate(threshold),
        np.concatenate(left).astype(np.int32),
        np.concatenate(right).astype(np.int32),
        np.concatenate(value),
        np.array(roots, np.int32),
    )


def _sections(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _numbers(text: str) -> Floats:
    return np.array(text.split(), np.float64)


def _means(tree: dict[str, str], leaves: Floats, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> Floats:
    """Return the mean (inner,) of the leaves below each inner node, by the number of training rows."""
    inner = leaves.size - 1
    count = np.concatenate([np.zeros(inner), _numbers(tree["leaf_count"]) if inner else np.ones(1)])
    total = np.concatenate([np.zeros(inner), leaves]) * count
    for node in _children_first(left, right):
        count[node] = count[left[node]] + count[right[node]]
        total[node] = total[left[node]] + total[right[node]]
    return np.asarray(total[:inner] / np.maximum(count[:inner], 1.0), np.float64)


def _children_first(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> list[int]:
    """Return all inner nodes of a tree so that no node comes before its children."""
    order: list[int] = []
    waiting = [0] if left.size else []
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting += [int(child) for child in (left[node], right[node]) if child < left.size]
    return order[::-1]
