"""Nearest and farthest rows of very many, found through an inverted file of faiss, with the share that it finds.

Exact search takes time in the square of the rows; this looks only into the cells that promise most, and how many these
must be is measured on rows drawn for it. Needs the extra ``ann``. Read next: :mod:`trendloom.catalogue.neighbours`, the
exact search, which is also the judge.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.neighbours import Extremes, find_extremes, order_best

__all__ = ["ApproximateSearch", "can_approximate"]

#: Cells are opened until this share of the true lists is found.
_AIM = 0.98
_SAMPLE = 256
_BLOCK = 1024
_TRAIN_ROWS_A_CELL = 64
_SEED = 1234


def can_approximate() -> bool:
    """Return whether faiss is installed (the extra ``ann``)."""
    return importlib.util.find_spec("faiss") is not None


@dataclass
class ApproximateSearch:
    """A search in the place of :func:`~trendloom.catalogue.neighbours.find_extremes`; ``found`` tells what it did.

    ``aim`` is the share of the true nearest and farthest rows that it must find on rows drawn for tuning; the share in
    ``found`` is measured on other rows.
    """

    aim: float = _AIM
    #: For the manifest: recall of nearest and farthest, cells, and cells that are opened.
    found: dict[str, float | int | str] | None = None

    def __call__(
        self,
        vectors: npt.NDArray[np.float16] | npt.NDArray[np.float32],
        *,
        nearest: int,
        farthest: int,
        queries: npt.NDArray[np.int64] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Extremes:
        """Return what ``find_extremes`` returns, most of it."""
        import faiss

        # one thread each: this pool shares the cores, and on a busy machine faiss's own threads wait for each other
        faiss.omp_set_num_threads(1)
        wide = np.ascontiguousarray(vectors, np.float32)
        rows = np.arange(len(wide)) if queries is None else queries
        cells = max(1, min(len(wide) // 39, round(4 * len(wide) ** 0.5)))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(wide.shape[1]), wide.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
        rng = np.random.default_rng(_SEED)
        train = np.sort(rng.permutation(len(wide))[: cells * _TRAIN_ROWS_A_CELL])
        index.train(wide[train])
        index.add(wide)
        drawn = rng.permutation(rows)[: 2 * _SAMPLE]
        tuning, judged = np.sort(drawn[: len(drawn) // 2]), np.sort(drawn[len(drawn) // 2 :])
        truth = find_extremes(vectors, nearest=nearest, farthest=farthest, queries=tuning)
        index.nprobe = 1
        while index.nprobe < cells and min(_shares(index, wide, tuning, truth)) < self.aim:
            index.nprobe = min(cells, 2 * index.nprobe)
        truth = find_extremes(vectors, nearest=nearest, farthest=farthest, queries=judged)
        near, far = _shares(index, wide, judged, truth)
        told: dict[str, float | int | str] = {"how": "faiss IVF, inner product"}
        told |= {"cells": cells, "opened": int(index.nprobe), "recall_nearest": round(near, 4)}
        told |= {"recall_lowest": round(far, 4), "judged_rows": len(judged)}
        self.found = told
        blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
        parts: list[Extremes] = []

        def search(block: npt.NDArray[np.int64]) -> Extremes:
            faiss.omp_set_num_threads(1)
            return _search(index, wide, block, nearest, farthest)

        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            for part in pool.map(search, blocks):
                parts.append(part)
                if progress is not None:
                    progress(min(len(parts) * _BLOCK, len(rows)), len(rows))
        if not parts:
            return find_extremes(vectors, nearest=nearest, farthest=farthest, queries=queries)
        return Extremes(
            np.concatenate([part.nearest for part in parts]),
            np.concatenate([part.nearest_similarity for part in parts]),
            np.concatenate([part.farthest for part in parts]),
            np.concatenate([part.farthest_similarity for part in parts]),
        )


def _search(
    index: object, wide: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], nearest: int, farthest: int
) -> Extremes:
    near, near_similarity = _best(index, wide, rows, nearest, 1.0)
    far, far_similarity = _best(index, wide, rows, farthest, -1.0)
    return Extremes(near, near_similarity, far, far_similarity)


def _best(
    index: object, wide: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], count: int, sign: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    if count == 0:
        return np.zeros((len(rows), 0), np.int32), np.zeros((len(rows), 0), np.float32)
    # one more than is wanted: the row itself is among its nearest
    values, ids = index.search(np.float32(sign) * wide[rows], min(count + 1, len(wide)))  # type: ignore[attr-defined]
    own = (ids == rows[:, None]) | (ids < 0)
    return order_best(
        np.where(own, -1, ids).astype(np.int64), np.where(own, -np.inf, values).astype(np.float32), count, sign
    )


def _shares(
    index: object, wide: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], truth: Extremes
) -> tuple[float, float]:
    """Return the share of the true nearest and of the true farthest rows that the index finds.

    A row whose similarity is as good as that of the last of the true ones counts as found: equals may be swapped.
    """
    shares = []
    for similarity, sign in ((truth.nearest_similarity, 1.0), (truth.farthest_similarity, -1.0)):
        count = similarity.shape[1]
        if count == 0 or len(rows) == 0:
            shares.append(1.0)
            continue
        ids, values = _best(index, wide, rows, count, sign)
        last = np.float32(sign) * similarity[:, -1:]
        shares.append(float(((np.float32(sign) * values >= last - 1e-6) & (ids >= 0)).mean()))
    return shares[0], shares[1]
