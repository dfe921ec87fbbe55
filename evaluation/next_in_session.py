"""Next in session: whether a customer's next different item is in the list that each purchase was answered with.

The protocol: a repeated (day, customer, item) counts once; purchases before ``from_ms`` warm up; the target of a
purchase is the customer's next different item in the log. Lists may come from :mod:`evaluation.light_loop` or from a
live replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.metrics import hit_at_k, ndcg_at_k
from trendloom.logs.purchase_log import PurchaseLog

__all__ = ["Asked", "SessionScore", "asked", "next_different", "popularity_lists", "score_lists", "score_published"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Asked:
    """The protocol's purchases (Q,): their places in the log, in event-time order, and their targets, item codes."""

    place: Ints
    target: Ints


@dataclass(frozen=True)
class SessionScore:
    """What a set of lists reached: ``purchases`` have a target, ``lists`` of them were given one."""

    purchases: int
    lists: int
    hit_at_k: float
    ndcg_at_k: float
    k: int


def next_different(customer: npt.NDArray[np.integer], item: npt.NDArray[np.integer]) -> Ints:
    """Return, for events (R,) in time order, the customer's next item that differs from this one; -1 if there is none.

    >>> next_different(np.array([1, 1, 2, 1]), np.array([5, 5, 8, 6])).tolist()
    [6, 6, -1, -1]
    """
    target = np.full(item.size, -1, np.int64)
    order = np.lexsort((np.arange(item.size), customer))
    following = -1
    after: int | None = None
    for place in order[::-1].tolist():
        if after is None or customer[after] != customer[place]:
            following = -1
        elif item[after] != item[place]:
            following = int(item[after])
        target[place] = following
        after = place
    return target


def asked(log: PurchaseLog, *, from_ms: int, to_ms: int | None = None) -> Asked:
    """Return the purchases that are scored: not repeated, ``from_ms`` <= event time < ``to_ms``, with a target."""
    kept = np.flatnonzero(~log.repeated())
    target = next_different(log.customer[kept], log.item[kept])
    at_ms = log.occurred_at_ms[kept]
    scored = (at_ms >= from_ms) & (target >= 0)
    if to_ms is not None:
        scored &= at_ms < to_ms
    return Asked(kept[scored].astype(np.int64), target[scored])


def score_lists(lists: npt.NDArray[np.integer], asked_for: Asked, *, k: int = 10) -> SessionScore:
    """Score lists (Q, k) of item codes, one for each purchase asked for; a row of -1 is a list that is missing."""
    given = int((lists >= 0).any(axis=1).sum())
    hit, ndcg = hit_at_k(lists, asked_for.target, k), ndcg_at_k(lists, asked_for.target, k)
    return SessionScore(int(asked_for.target.size), given, hit, ndcg, k)


def score_published(
    log: PurchaseLog,
    published: Mapping[str, Sequence[str]] | Iterable[tuple[str, Sequence[str]]],
    *,
    from_ms: int,
    to_ms: int | None = None,
    k: int = 10,
) -> SessionScore:
    """Score the lists that a live replay of the log published.

    ``published`` gives for the event id (text) of a purchase the item ids of its list, the best first. A purchase
    without a list is a miss; of several lists for one purchase the last one counts; lists of others are left alone.
    """
    question = asked(log, from_ms=from_ms, to_ms=to_ms)
    code = {item: place for place, item in enumerate(log.items)}
    by_event = dict(published)
    ids = log.event_ids()
    lists = np.full((question.place.size, k), -1, np.int64)
    for row, place in enumerate(question.place.tolist()):
        items = [code.get(item, -1) for item in by_event.get(str(ids[place]), ())][:k]
        lists[row, : len(items)] = items
    return score_lists(lists, question, k=k)


def popularity_lists(
    log: PurchaseLog, asked_for: Asked, *, half_life_s: float | None, k: int = 10, batch: int = 50
) -> Ints:
    """Return the lists (Q, k) of plain popularity: the k most bought items, halved every half-life (None: never).

    The counts are as of the start of each batch of purchases; what the customer bought that day is left out, as in the
    lists it is compared with.
    """
    kept = np.flatnonzero(~log.repeated())
    at_ms, item, customer = log.occurred_at_ms[kept], log.item[kept], log.customer[kept]
    wanted = {place: row for row, place in enumerate(asked_for.place.tolist())}
    rate = 0.0 if half_life_s is None else np.log(2.0) / (half_life_s * 1000.0)
    scores = np.full(len(log.items), -np.inf)
    landmark = int(at_ms[0]) if at_ms.size else 0
    today: dict[int, tuple[int, set[int]]] = {}
    lists = np.full((asked_for.place.size, k), -1, np.int64)
    for start in range(0, kept.size, batch):
        part = slice(start, start + batch)
        ranking = np.argsort(-scores, kind="stable")[: k + 200]
        ranking = ranking[scores[ranking] > -np.inf]
        for place, buyer, bought, moment in zip(
            kept[part].tolist(), customer[part].tolist(), item[part].tolist(), at_ms[part].tolist(), strict=True
        ):
            day, basket = today.get(buyer, (-1, set()))
            if day != moment // DAY_MS:
                basket = set()
            basket.add(bought)
            today[buyer] = (moment // DAY_MS, basket)
            row = wanted.get(place)
            if row is not None:
                best = [candidate for candidate in ranking.tolist() if candidate not in basket][:k]
                lists[row, : len(best)] = best
        np.logaddexp.at(scores, item[part], rate * (at_ms[part] - landmark).astype(np.float64))
    return lists
