"""From a batch of purchases to its top-k lists: propose candidates, score them, choose the best.

Candidates come from visual neighbours, co-purchase, variants, likely groups, trending items and, where they are
given, a trained model and the season; what the customer has just bought never comes back. How much this loses against
scoring every item is measured by :mod:`evaluation.study`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trendloom.relevance.co_purchase import damped
from trendloom.relevance.features import ItemDynamics, ItemFeatures
from trendloom.relevance.presets import Preset
from trendloom.relevance.query import Query
from trendloom.relevance.score import Pairs, Question, score
from trendloom.relevance.standing import Standing
from trendloom.relevance.top_k import TopK

__all__ = ["TopK", "allowed", "propose", "recommend", "top_k"]

#: Candidates of a trained model, where the preset does not say how many.
_TRAINED = 40
#: The same of the season.
_SEASON = 20

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def recommend(
    query: Query,
    features: ItemFeatures,
    dynamics: ItemDynamics,
    preset: Preset,
    *,
    k: int,
    exclude_other_views: bool,
    eligible: npt.NDArray[np.bool_] | None = None,
    standing: Standing | None = None,
    exhaustive: bool = False,
) -> TopK:
    """Return the top-k list of every purchase of the query.

    Never listed: what the customer bought on the same day (UTC) or in the last ``preset.just_bought_s`` and, unless the
    preset weighs ``repurchase``, anything in the history; items that ``eligible`` (N,) denies; with
    ``exclude_other_views`` other views of the item just bought. Equal scores are ordered by item number. ``standing``
    may be handed over to be used for several batches; it is made here otherwise, which looks at every item once.
    ``exhaustive`` takes every item for a candidate: slow, to measure by.
    """
    question = Question(query, features, dynamics, preset, standing or Standing(features, dynamics))
    pairs = Pairs.exhaustive(query.size, features.size) if exhaustive else propose(question)
    pairs = allowed(pairs, question, exclude_other_views=exclude_other_views, eligible=eligible)
    return top_k(pairs, score(pairs, question), n_rows=query.size, k=k, part_names=preset.parts)


def propose(question: Question) -> Pairs:
    """Return the candidates of every purchase, each once, in the amounts of ``preset.retrieve``, bought items too."""
    n = question.features.size
    sources = (_neighbours, _trending, _variants, _co_purchased, _of_groups, _trained, _of_season)
    keys = np.concatenate([source(question) for source in sources])
    if question.query.size * n < 2**31:
        keys = np.sort(keys.astype(np.int32)).astype(np.int64)  # half the width sorts in half the time
    else:
        keys.sort()
    return Pairs.of_keys(keys[np.append(True, keys[1:] != keys[:-1])] if keys.size else keys, n)


def top_k(pairs: Pairs, parts: Floats, *, n_rows: int, k: int, part_names: tuple[str, ...]) -> TopK:
    """Return the k best pairs of each row by their summed parts (P, E); of equal scores the smaller item number."""
    total = parts.sum(axis=0)
    chosen = np.flatnonzero(total >= _kth_best(total, pairs.row, n_rows, k)[pairs.row])
    chosen = chosen[np.lexsort((pairs.item[chosen], -total[chosen], pairs.row[chosen]))]
    row = pairs.row[chosen]
    first = np.searchsorted(row, np.arange(n_rows))
    place = np.arange(chosen.size) - first[row]
    chosen, row, place = chosen[place < k], row[place < k], place[place < k]
    items = np.full((n_rows, k), -1, np.int32)
    scores = np.zeros((n_rows, k))
    listed = np.zeros((n_rows, k, parts.shape[0]))
    items[row, place] = pairs.item[chosen]
    scores[row, place] = total[chosen]
    listed[row, place] = parts[:, chosen].T
    return TopK(items, scores, listed, part_names)


def _kth_best(value: Floats, row: Ints, n_rows: int, k: int) -> Floats:
    """Return the k-th greatest value of each row (n_rows,), -inf where a row has no more than k; rows ascend."""
    sizes = np.bincount(row, minlength=n_rows)
    width = int(sizes.max(initial=0))
    if width <= k:
        return np.full(n_rows, -np.inf)
    starts = np.cumsum(sizes) - sizes
    table = np.full((n_rows, width), np.inf)  # (n_rows, widest row) of negated values
    table[row, np.arange(value.size) - starts[row]] = -value
    return -np.partition(table, k - 1, axis=1)[:, k - 1]


def allowed(
    pairs: Pairs, question: Question, *, exclude_other_views: bool, eligible: npt.NDArray[np.bool_] | None
) -> Pairs:
    """Return the pairs that may be listed: as ``recommend`` says."""
    features, history = question.features, question.history
    barred = history >= 0
    if question.preset.weights.get("repurchase", 0.0) > 0:
        query = question.query
        lately = query.at_ms[:, None] - query.history_ms < question.preset.just_bought_s * 1000
        barred &= lately | (query.days_ago == 0)
    row, position = np.nonzero(barred)
    gone = row * features.size + history[row, position]
    place = np.minimum(np.searchsorted(pairs.key, gone), max(pairs.key.size - 1, 0))
    kept = np.ones(pairs.key.size, np.bool_)
    if pairs.key.size:
        kept[place[pairs.key[place] == gone]] = False
    if eligible is not None:
        kept &= eligible[pairs.item]
    if exclude_other_views:
        view = np.where(question.bought >= 0, features.view_group[np.maximum(question.bought, 0)], -1)[pairs.row]
        kept &= (view < 0) | (features.view_group[pairs.item] != view)
    return Pairs(pairs.key[kept], pairs.row[kept], pairs.item[kept])


def _take(question: Question, name: str) -> int:
    return question.preset.retrieve.get(name, 0)


def _neighbours(question: Question) -> Ints:
    lists = question.features.neighbours[:, : _take(question, "neighbours")]
    near = np.where(question.bought[:, None] >= 0, lists[np.maximum(question.bought, 0)], -1)
    row, column = np.nonzero(near >= 0)
    return np.asarray(row * question.features.size + near[row, column], np.int64)


def _trending(question: Question) -> Ints:
    trending = question.standing.by_popularity[: _take(question, "trending")]
    return (np.arange(question.query.size)[:, None] * question.features.size + trending).ravel()


def _variants(question: Question) -> Ints:
    features = question.features
    row, position = np.nonzero((question.history >= 0) & (question.recency > 0))
    product = features.product[question.history[row, position]].astype(np.int64)
    place, item = features.variants.expand(product, _take(question, "variants"))
    return row[place] * features.size + item


def _co_purchased(question: Question) -> Ints:
    evidence, preset, count = question.co_purchase, question.preset, _take(question, "co_purchase")
    if count == 0:
        return np.zeros(0, np.int64)
    row = evidence.key // max(question.features.size, 1)
    item = evidence.key - row * question.features.size
    value = damped(evidence.value, question.dynamics.purchases[item], preset.shrinkage, preset.damping)
    return evidence.key[value >= _kth_best(value, row, question.query.size, count)[row]]


def _trained(question: Question) -> Ints:
    model, weighs = question.features.trained, question.preset.weights.get("trained", 0.0) > 0
    count = question.preset.retrieve.get("trained", _TRAINED) if weighs else 0
    if model is None or count == 0:
        return np.zeros(0, np.int64)
    item = model.best(question.trained, count)
    row, column = np.nonzero(item >= 0)
    return row * question.features.size + item[row, column]


def _of_season(question: Question) -> Ints:
    season, weighs = question.features.season, question.preset.weights.get("season", 0.0) > 0
    count = question.preset.retrieve.get("season", _SEASON) if weighs else 0
    if season is None or count == 0 or not question.query.size:
        return np.zeros(0, np.int64)
    moment = int(question.query.at_ms.max())  # a batch lies within a week, but for the one at its end
    item = season.best(moment, count, spread_weeks=question.preset.season_spread_weeks)
    row = np.repeat(np.arange(question.query.size), item.size)
    return row * question.features.size + np.tile(item, question.query.size)


def _of_groups(question: Question) -> Ints:
    count = min(_take(question, "groups"), question.features.n_groups)
    if count == 0:
        return np.zeros(0, np.int64)
    chances = question.group_chances
    group = np.argpartition(-chances, count - 1, axis=1)[:, :count].ravel()
    row = np.repeat(np.arange(question.query.size), count)
    place, item = question.standing.in_group.expand(group, _take(question, "in_group"))
    return row[place] * question.features.size + item
