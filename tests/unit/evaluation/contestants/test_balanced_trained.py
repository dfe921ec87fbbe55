from __future__ import annotations

import numpy as np
import pytest
from small_log import START_MS, small_ground, small_purchases

from evaluation.contestant import DAY_MS, Purchases
from evaluation.contestants.balanced_trained import BalancedTrained, interactions_before, train_als_vectors
from evaluation.contestants.live import Live
from evaluation.prequential import run
from evaluation.tasks import ask
from trendloom.collaborative.model import CollaborativeModel
from trendloom.logs.interactions import Interactions
from trendloom.relevance.presets import PRESETS


def liking(known: Interactions, item: int) -> CollaborativeModel:
    """Everybody likes one item above all."""
    return CollaborativeModel(
        kind="gmf",
        user_ids=known.user_ids,
        item_ids=known.item_ids,
        user_dot=np.ones((known.n_users, 1), np.float32),
        item_dot=np.where(np.arange(known.n_items) == item, 9.0, -9.0).astype(np.float32)[:, None],
        item_bias=np.zeros(known.n_items, np.float32),
        user_hidden=np.zeros((known.n_users, 0), np.float32),
        item_hidden=np.zeros((known.n_items, 0), np.float32),
        layers=(),
        out=np.zeros(0, np.float32),
        start=known.start,
        taken=known.item,
    )


def test_customers_and_items_have_the_names_of_the_stream() -> None:
    batches = [Purchases.of([5, 2], [1, 0], [0, 1]), Purchases.of([5, 7], [2, 2], [2, DAY_MS])]
    known = interactions_before(batches, DAY_MS, lambda customer: f"c{customer}", ("hat", "tee", "tie"))
    assert known.user_ids == ("c2", "c5")
    assert [known.item_ids[item] for item in known.item.tolist()] == ["hat", "tee", "tie"]
    assert known.start.tolist() == [0, 1, 3]


def test_before_the_first_purchase_nobody_is_known() -> None:
    known = interactions_before([], DAY_MS, str, ())
    assert (known.n_users, known.n_items, known.start.tolist()) == (0, 0, [0])


def test_it_is_trained_on_the_days_before_and_its_items_are_listed() -> None:
    purchases, ground = small_purchases(events=400), small_ground()
    trained: list[int] = []

    def train(known: Interactions, rng: np.random.Generator) -> CollaborativeModel | None:
        trained.append(int(known.item.size))
        return liking(known, int(np.argmin(known.counts))) if known.n_users else None

    one = BalancedTrained("balanced-liking", ground, PRESETS["balanced"].weighing({"trained": 50.0}), train)
    try:
        judged = run(purchases, ask(purchases, from_ms=START_MS + DAY_MS), ground, [one], batch=50)
    finally:
        one.close()
    days = np.unique(purchases.at_ms[purchases.at_ms >= START_MS + DAY_MS] // DAY_MS)
    assert len(trained) == days.size
    assert trained == sorted(trained)
    first_day = purchases.part(purchases.at_ms < START_MS + DAY_MS)
    assert trained[0] == len({*zip(first_day.customer.tolist(), first_day.item.tolist(), strict=True)})
    assert judged.rows["next_in_session"].size


def test_without_a_model_the_lists_are_those_of_the_preset() -> None:
    purchases, lists = small_purchases(events=120), []
    for make in (
        lambda ground: BalancedTrained("x", ground, PRESETS["balanced"].weighing({"trained": 1.0}), lambda *_: None),
        lambda ground: Live("x", ground, PRESETS["balanced"]),
    ):
        ground = small_ground()
        one = make(ground)
        one.learn(purchases.part(slice(0, 80)))
        ground.customers.learn(purchases.part(slice(0, 80)))
        lists.append(one.after(purchases.part(slice(80, 120)), 10).tolist())
        one.close()
    assert lists[0] == lists[1]


def test_als_takes_the_shape_of_the_networks() -> None:
    pytest.importorskip("implicit", reason="needs the extra evaluation: pip install 'trendloom[evaluation]'")
    known = Interactions(
        np.array([0, 2, 4, 6, 8]),
        np.array([0, 1, 0, 1, 2, 3, 2, 3], np.int32),
        tuple("abcd"),
        tuple("wxyz"),
    )
    model = train_als_vectors(known, np.random.default_rng(1), factors=4, regularization=0.1)
    assert model is not None
    scores = model.score_all(np.arange(4))
    taken = np.zeros((4, 4), np.bool_)
    taken[known.user, known.item] = True
    assert (scores[taken] > 0).all()
    assert (scores[~taken] < 0).all()
