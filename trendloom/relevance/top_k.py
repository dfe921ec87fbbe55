"""The answer to a batch of purchases: a list of items for each, with their scores and the parts of these.

Read next: :mod:`trendloom.candidates`, which makes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["TopK"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TopK:
    """B lists: items (B, k), the best first, padded with -1; scores (B, k); parts (B, k, P), which sum to them."""

    items: npt.NDArray[np.int32]
    scores: Floats
    parts: Floats
    part_names: tuple[str, ...]
