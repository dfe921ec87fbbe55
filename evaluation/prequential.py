"""Prequential evaluation: a log goes by in batches; before a batch is learnt, everybody is asked about it.

Contestants never see the answers or a later purchase; the marks of their lists are kept, the lists are not. Read next:
:mod:`evaluation.figures`, which makes figures of the marks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS, Contestant, Ground, Purchases
from evaluation.marks import METRICS, mark
from evaluation.recorded import batches
from evaluation.tasks import AFTER_TASKS, TASKS, Questions

__all__ = ["Frozen", "Judged", "Sheet", "run"]

Ints = npt.NDArray[np.int64]
Marks = npt.NDArray[np.float32]


class Frozen:
    """A contestant that learns a day's purchases only when the next day begins: what it loses is what live is worth."""

    def __init__(self, contestant: Contestant, name: str) -> None:
        self.name = name
        self._contestant = contestant
        self._held: list[Purchases] = []

    def after(self, batch: Purchases, k: int) -> Ints:
        """Ask the contestant, once it has learnt the days before."""
        self._catch_up(batch)
        return self._contestant.after(batch, k)

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        """Ask the contestant, once it has learnt the days before."""
        self._catch_up(Purchases.of(customer, customer, at_ms))
        return self._contestant.before(customer, at_ms, k)

    def learn(self, batch: Purchases) -> None:
        """Hold the batch back until its day is over."""
        self._catch_up(batch)
        self._held.append(batch)

    def _catch_up(self, batch: Purchases) -> None:
        today = int(batch.at_ms[0]) // DAY_MS
        while self._held and int(self._held[0].at_ms[0]) // DAY_MS < today:
            self._contestant.learn(self._held.pop(0))


@dataclass
class Sheet:
    """What one contestant reached in one task: the marks (Q, 5) of its lists, and what it showed how often (N,)."""

    shown: Ints
    marks: list[Marks] = field(default_factory=list)
    #: sum over listed items of -log2(the item's share of all purchases so far), and how many were listed
    surprise: float = 0.0
    listed: int = 0
    lists: int = 0

    def all_marks(self) -> Marks:
        """Return the marks (Q, 5) of all lists, in the order of the questions."""
        return np.concatenate(self.marks) if self.marks else np.zeros((0, len(METRICS)), np.float32)


@dataclass
class Judged:
    """The whole run: the rows that each task asked about, every contestant's sheets, and the time each one took."""

    rows: dict[str, Ints]
    sheets: dict[str, dict[str, Sheet]]
    seconds: dict[str, float]
    #: purchases of each item (N,) at the end
    sold: Ints
    k: dict[str, int]
    asked_lists: int = 0


def run(
    purchases: Purchases,
    questions: Questions,
    ground: Ground,
    contestants: Sequence[Contestant],
    *,
    batch: int = 500,
    k: int = 10,
    k_basket: int = 12,
    clock_s: Callable[[], float] = time.perf_counter,
    progress: Callable[[int], None] = lambda done: None,
) -> Judged:
    """Take the purchases through all contestants, in event-time order, and mark what they list.

    Each batch of at most ``batch`` purchases lies within one UTC day: ``before`` for the scored baskets that begin in
    it, ``after`` for its scored purchases, then ``learn`` for all of it. ``progress`` is told the purchases done.
    """
    lengths = dict.fromkeys(AFTER_TASKS, k) | {"next_basket": k_basket}
    sheets = {task: {one.name: Sheet(np.zeros(ground.n_items, np.int64)) for one in contestants} for task in TASKS}
    asked: dict[str, list[Ints]] = {task: [] for task in TASKS}
    judged = Judged({}, sheets, {one.name: 0.0 for one in contestants}, np.zeros(ground.n_items, np.int64), lengths)
    answered = {task: np.diff(lists.starts) > 0 for task, lists in questions.answers.items()}
    for part in batches(purchases.at_ms, batch):
        rows = np.arange(part.start, part.stop)
        whole = purchases.part(part)
        now = rows[questions.scored[part]]
        begins = now[questions.first[now]]
        some = purchases.part(now)
        novelty = _novelty(judged.sold) if now.size else np.zeros(0)
        for one in contestants:
            began_s = clock_s()
            lists: dict[str, Ints] = {}
            if begins.size:
                lists["next_basket"] = one.before(purchases.customer[begins], purchases.at_ms[begins], k_basket)
            if now.size:
                lists["next_in_session"] = lists["rest_of_basket"] = one.after(some, k)
            one.learn(whole)
            judged.seconds[one.name] += clock_s() - began_s
            for task, shown in lists.items():
                about = begins if task == "next_basket" else now
                kept = answered[task][about]
                _enter(sheets[task][one.name], shown[kept], questions, task, about[kept], novelty)
        for task in TASKS:
            about = begins if task == "next_basket" else now
            asked[task].append(about[answered[task][about]])
        judged.asked_lists += now.size + begins.size
        ground.customers.learn(whole)
        np.add.at(judged.sold, whole.item, 1)
        progress(part.stop)
    judged.rows = {task: np.concatenate([np.zeros(0, np.int64), *parts]) for task, parts in asked.items()}
    return judged


def _novelty(sold: Ints) -> npt.NDArray[np.float64]:
    """Return -log2 of each item's share (N,) of the purchases so far, each item counted once more."""
    smoothed = sold + 1.0
    return np.asarray(-np.log2(smoothed / smoothed.sum()), np.float64)


def _enter(
    sheet: Sheet, lists: Ints, questions: Questions, task: str, rows: Ints, novelty: npt.NDArray[np.float64]
) -> None:
    sheet.marks.append(mark(lists, questions.answers[task], rows, sheet.shown.size))
    there = lists >= 0
    items = lists[there]
    sheet.shown += np.bincount(items, minlength=sheet.shown.size)
    sheet.surprise += float(novelty[items].sum())
    sheet.listed += items.size
    sheet.lists += int(there.any(axis=1).sum())
