"""The leakage guards: who is asked knows nothing of what comes, and who knows nothing reaches chance level."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from small_log import HOUR_MS, START_MS, small_ground, small_purchases

from evaluation.contestant import DAY_MS, Contestant, Ground, Purchases
from evaluation.contestants.choosing import best_of_scores
from evaluation.contestants.registry import CONTESTANTS, build, standard
from evaluation.prequential import Frozen, run
from evaluation.tasks import ask

Ints = npt.NDArray[np.int64]
SCORED_MS = START_MS + 24 * HOUR_MS


class Kept:
    """Hands on another contestant's lists and keeps them, by customer and time."""

    def __init__(self, contestant: Contestant) -> None:
        self.name = contestant.name
        self._contestant = contestant
        self.lists: dict[tuple[str, int, int], list[int]] = {}

    def after(self, batch: Purchases, k: int) -> Ints:
        found = self._contestant.after(batch, k)
        self._keep("after", batch.customer, batch.at_ms, found)
        return found

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        found = self._contestant.before(customer, at_ms, k)
        self._keep("before", customer, at_ms, found)
        return found

    def learn(self, batch: Purchases) -> None:
        self._contestant.learn(batch)

    def _keep(self, when: str, customer: Ints, at_ms: Ints, found: Ints) -> None:
        for buyer, moment, items in zip(customer.tolist(), at_ms.tolist(), found.tolist(), strict=True):
            self.lists[when, buyer, moment] = items


class Constant:
    """Finds everything that was sold equally good."""

    def __init__(self, ground: Ground) -> None:
        self.name = "constant"
        self._customers = ground.customers
        self._rng = ground.generator(self.name)
        self._scores = np.full(ground.n_items, -np.inf)

    def after(self, batch: Purchases, k: int) -> Ints:
        scores = np.tile(self._scores, (len(batch), 1))
        return best_of_scores(scores, self._customers.after(batch).bought_on(batch.at_ms), k, self._rng)

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        scores = np.tile(self._scores, (customer.size, 1))
        return best_of_scores(scores, np.full((customer.size, 1), -1), k, self._rng)

    def learn(self, batch: Purchases) -> None:
        self._scores[batch.item] = 0.0


def names() -> list[str]:
    return [name for name in standard(small_ground()) if not CONTESTANTS[name].needs_photos]


def lists_of(name: str, purchases: Purchases, *, batch: int = 7) -> dict[tuple[str, int, int], list[int]]:
    ground = small_ground()
    one = build(name, ground)
    kept = Kept(one)
    run(purchases, ask(purchases, from_ms=SCORED_MS), ground, [kept], batch=batch, k=5, k_basket=6)
    close = getattr(one, "close", None)
    if close is not None:
        close()
    return kept.lists


@pytest.mark.parametrize("name", names())
def test_lists_know_nothing_of_what_comes(name: str) -> None:
    """Everything from some moment on is another log's: what was listed before stays as it is, ties and all."""
    purchases = small_purchases()
    middle = len(purchases) * 2 // 3
    rng = np.random.default_rng(9)
    changed = Purchases.of(
        np.concatenate([purchases.customer[:middle], rng.permutation(purchases.customer[middle:])]),
        np.concatenate([purchases.item[:middle], (purchases.item[middle:] + 11) % 40]),
        purchases.at_ms,
    )
    # batches end where the change begins, as every list may know its whole batch's customers up to itself
    first, second = lists_of(name, purchases, batch=1), lists_of(name, changed, batch=1)
    moment = int(purchases.at_ms[middle])
    before = {key: items for key, items in first.items() if key[2] < moment}
    assert before
    assert before == {key: items for key, items in second.items() if key[2] < moment}


@pytest.mark.parametrize("name", names())
def test_lists_hold_each_item_once_and_nothing_that_was_bought_that_day(name: str) -> None:
    purchases = small_purchases()
    bought: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for customer, item, at_ms in zip(
        purchases.customer.tolist(), purchases.item.tolist(), purchases.at_ms.tolist(), strict=True
    ):
        bought.setdefault((customer, at_ms // DAY_MS), []).append((at_ms, item))
    lists = lists_of(name, purchases)
    assert lists
    for (when, customer, at_ms), items in lists.items():
        listed = [item for item in items if item >= 0]
        assert items == listed + [-1] * (len(items) - len(listed))
        assert len(set(listed)) == len(listed)
        assert len(items) == (5 if when == "after" else 6)
        day = bought[customer, at_ms // DAY_MS]
        had = {item for moment, item in day if moment < at_ms or (when == "after" and moment == at_ms)}
        assert not had & set(listed)


def test_a_constant_score_reaches_chance_level() -> None:
    purchases = small_purchases(events=3000, customers=200)
    ground = small_ground()
    questions = ask(purchases, from_ms=SCORED_MS)
    judged = run(purchases, questions, ground, [Constant(ground), build("random", ground)], k=5, k_basket=5)
    for name in ("constant", "random"):
        for task in ("next_in_session", "next_basket"):
            recall = judged.sheets[task][name].all_marks()[:, 1]
            chance = 5 / 40
            assert abs(recall.mean() - chance) < 4 * np.sqrt(chance * (1 - chance) / recall.size)


def test_frozen_learns_yesterday_and_not_today() -> None:
    purchases = Purchases.of([1, 2, 3, 4], [5, 6, 7, 8], [0, 10, DAY_MS, DAY_MS + 10])
    ground = small_ground()
    frozen = Kept(Frozen(build("popularity", ground), "popularity, frozen"))
    run(purchases, ask(purchases, from_ms=0), ground, [frozen], batch=1, k=2, k_basket=4)
    nothing = [-1] * 4
    assert frozen.lists["before", 2, 10] == nothing
    assert sorted(frozen.lists["before", 4, DAY_MS + 10]) == [-1, -1, 5, 6]


def test_what_is_learnt_does_not_depend_on_the_batches() -> None:
    purchases = small_purchases()
    ends = []
    for batch in (1, 13):
        ground = small_ground()
        shop = build("item-knn", ground)
        run(purchases, ask(purchases, from_ms=SCORED_MS), ground, [shop], batch=batch)
        ends.append(shop.before(np.arange(30), np.full(30, START_MS + 90 * DAY_MS), 10).tolist())
    assert ends[0] == ends[1]
