"""What the same weeks of earlier years say of every item, for the trees: the signals of the part ``season``.

Few items are sold for more than a year, but groups and types come back: so the lifts go by these. Read next:
:mod:`trendloom.relevance.season`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trendloom.relevance.features import ItemFeatures
from trendloom.relevance.learned.attributes import Attributes
from trendloom.relevance.learned.signals import DENSE, SEASON

__all__ = ["season_signals"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_GROUP, _TYPE = DENSE.index("group"), DENSE.index("type")
#: The season is the same week of earlier years and so many before and after it.
_SPREAD_WEEKS = 1
#: A value is taken to have been bought so many times a week more, all the year round like everything.
_PRIOR = 2.0


def season_signals(features: ItemFeatures, attributes: Attributes, at_ms: int) -> npt.NDArray[np.float32]:
    """Return the signals (N, 4), in the order of ``signals.SEASON``, at an event time; (0, 4) without earlier years."""
    season = features.season
    if season is None:
        return np.zeros((0, len(SEASON)), np.float32)
    now = season.same_weeks(at_ms, spread_weeks=_SPREAD_WEEKS)
    usual = season.usual(at_ms)
    of_product, product = np.zeros(features.size), features.product
    known = product >= 0
    of_product[known] = np.bincount(product[known], now[known])[product[known]]
    lifts = (_lift(attributes.dense[:, place], now, usual) for place in (_GROUP, _TYPE))
    return np.stack([np.log1p(now), np.log1p(of_product), *lifts], axis=1).astype(np.float32)


def _lift(code: npt.NDArray[np.int32], now: Floats, usual: Floats) -> Floats:
    """Return log((S + 2 r) / (U + 2) / r) of each item's value (N,), S and U a week now and usually, r that of all.

    >>> code, now, usual = np.array([0, 1, -1], np.int32), np.array([4.0, 0.0, 0.0]), np.array([2.0, 2.0, 0.0])
    >>> np.exp(_lift(code, now, usual)).tolist()
    [1.5, 0.5, 1.0]
    """
    out = np.zeros(code.size)
    known = np.flatnonzero(code >= 0)
    all_now, all_usual = now.sum(), usual.sum()
    if not known.size or all_now <= 0.0 or all_usual <= 0.0:
        return out
    ratio = all_now / all_usual
    codes = code[known]
    lift = (np.bincount(codes, now[known]) + _PRIOR * ratio) / (np.bincount(codes, usual[known]) + _PRIOR) / ratio
    out[known] = np.log(lift)[codes]
    return out
