"""Lists for customers who have not bought anything today: proposed, scored and cut as every list, by other rules.

Whoever is unknown gets what is popular; for the others that is one part among those of their history. The formulas are
in :mod:`trendloom.relevance.next_basket`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trendloom.candidates import allowed, propose, top_k
from trendloom.relevance.features import ItemDynamics, ItemFeatures
from trendloom.relevance.next_basket import NEXT_BASKET, BasketRules, asking, popular_alone
from trendloom.relevance.query import Query
from trendloom.relevance.score import Pairs, score
from trendloom.relevance.standing import Standing
from trendloom.relevance.top_k import TopK

__all__ = ["next_baskets"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def next_baskets(
    query: Query,
    features: ItemFeatures,
    dynamics: ItemDynamics,
    standing: Standing,
    *,
    k: int,
    rules: BasketRules = NEXT_BASKET,
    eligible: Flags | None = None,
) -> TopK:
    """Return the list (B, k) of each customer; ``query.item`` is -1, as nothing was bought yet that day.

    Never listed is what the history holds of the same day, and what ``eligible`` (N,) denies. Ages of sales are those
    at the latest ``query.at_ms``.
    """
    names = rules.preset.parts
    out = TopK(
        np.full((query.size, k), -1, np.int32), np.zeros((query.size, k)), np.zeros((query.size, k, len(names))), names
    )
    if not query.size:
        return out
    item, worth = popular_alone(dynamics, standing, int(query.at_ms.max()), rules)
    if eligible is not None:
        item, worth = item[eligible[item]], worth[eligible[item]]
    known: Flags = np.asarray((query.history >= 0).any(axis=1))
    popularity, weight = names.index("popularity"), rules.preset.weights["popularity"]
    out.items[~known, : item.size] = item[:k]
    out.scores[~known, : item.size] = weight * worth[:k]
    out.parts[~known, : item.size, popularity] = weight * worth[:k]
    if known.any():
        mine = _known(
            query.take(np.flatnonzero(known)),
            features,
            dynamics,
            standing,
            (item, worth),
            k=k,
            rules=rules,
            eligible=eligible,
        )
        out.items[known], out.scores[known], out.parts[known] = mine.items, mine.scores, mine.parts
    return out


def _known(
    query: Query,
    features: ItemFeatures,
    dynamics: ItemDynamics,
    standing: Standing,
    popular: tuple[Ints, Floats],
    *,
    k: int,
    rules: BasketRules,
    eligible: Flags | None,
) -> TopK:
    item, worth = popular
    question = asking(query, features, dynamics, standing, rules)
    n = features.size
    everybodys = (np.arange(query.size)[:, None] * n + item).ravel()
    pairs = Pairs.of_keys(np.union1d(propose(question).key, everybodys), n)
    pairs = allowed(pairs, question, exclude_other_views=False, eligible=eligible)
    parts = score(pairs, question)
    worth_of = np.zeros(n)
    worth_of[item] = worth
    names = rules.preset.parts
    parts[names.index("popularity")] = rules.preset.weights["popularity"] * worth_of[pairs.item]
    return top_k(pairs, parts, n_rows=query.size, k=k, part_names=names)
