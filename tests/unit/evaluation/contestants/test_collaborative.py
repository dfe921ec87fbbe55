"""The trained models on a made-up shop: outfits of five items that are bought together, some noise beside them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evaluation.contestant import DAY_MS, Purchases
from evaluation.contestants.als import AlsModel, train_als
from evaluation.contestants.baskets import Baskets
from evaluation.contestants.bpr import train_bpr
from evaluation.contestants.ease import ease_weights, train_ease
from evaluation.contestants.item2vec import train_item2vec
from evaluation.contestants.networks import train_network
from evaluation.contestants.trained import Train, Trained
from evaluation.ground import bare_ground
from models.collaborative.recipe import NetworkRecipe

OUTFITS, PIECES = 8, 5
NEEDS = "needs the extra evaluation: pip install 'trendloom[evaluation]', or vision for the networks"


def purchases(rng: np.random.Generator, customers: int, *, day: int = 0) -> Purchases:
    """Each customer buys three pieces of one outfit, and one time in four something else."""
    rows: list[tuple[int, int]] = []
    for customer in range(customers):
        outfit = int(rng.integers(OUTFITS))
        rows.extend((customer, outfit * PIECES + piece) for piece in rng.permutation(PIECES)[:3].tolist())
        if rng.random() < 0.25:
            rows.append((customer, int(rng.integers(OUTFITS * PIECES))))
    customer, item = np.array(rows).T
    return Purchases.of(customer, item, day * DAY_MS + np.arange(len(rows)) * 1000)


SMALL = {
    "gmf": NetworkRecipe("gmf", factors=16, epochs=40, batch=256, learning_rate=0.03),
    "mlp": NetworkRecipe("mlp", layers=(32, 16), epochs=40, batch=256, learning_rate=0.01),
    "neumf": NetworkRecipe("neumf", factors=16, layers=(32, 16), epochs=40, batch=256, learning_rate=0.01),
}
TRAININGS: dict[str, tuple[str, Train]] = {
    "als": ("implicit", lambda baskets, rng: train_als(baskets, rng, factors=16, regularization=1.0)),
    "bpr": ("implicit", lambda baskets, rng: train_bpr(baskets, rng, factors=16, regularization=0.01)),
    "ease": ("scipy", lambda baskets, rng: train_ease(baskets, rng, regularization=10.0)),
    "item2vec": ("gensim", lambda baskets, rng: train_item2vec(baskets, rng, factors=16)),
    "gmf": ("torch", lambda baskets, rng: train_network(baskets, rng, SMALL["gmf"])),
    "mlp": ("torch", lambda baskets, rng: train_network(baskets, rng, SMALL["mlp"])),
    "neumf": ("torch", lambda baskets, rng: train_network(baskets, rng, SMALL["neumf"])),
}


@pytest.fixture(params=sorted(TRAININGS))
def train(request: pytest.FixtureRequest) -> Train:
    package, train = TRAININGS[request.param]
    pytest.importorskip(package, reason=NEEDS)
    return train


def test_what_goes_together_is_found(train: Train) -> None:
    rng = np.random.default_rng(7)
    ground = bare_ground(OUTFITS * PIECES)
    one = Trained("model", ground, train)
    one.learn(purchases(rng, 400))
    asked = Purchases.of(np.arange(1000, 1040), np.arange(OUTFITS * PIECES), np.full(OUTFITS * PIECES, DAY_MS))
    lists = one.after(asked, 4)
    same = lists // PIECES == (asked.item // PIECES)[:, None]
    assert same.mean() > 0.5  # most of what is listed; a tenth of it would be chance
    assert not (lists == asked.item[:, None]).any()


def test_a_training_can_be_repeated(train: Train) -> None:
    baskets = Baskets.of([purchases(np.random.default_rng(7), 60)], DAY_MS)
    column = np.array([[3, 4], [9, 0]])
    weight = np.array([[1.0, 0.95], [1.0, 0.0]], np.float32)
    first, second = (train(baskets, np.random.default_rng(2)).scores(column, weight) for _ in range(2))
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)


def test_a_log_of_single_items_teaches_no_pairs(train: Train) -> None:
    baskets = Baskets.of([Purchases.of([1, 2, 3], [5, 6, 7], [0, 1, 2])], DAY_MS)
    model = train(baskets, np.random.default_rng(2))
    scores = model.scores(np.array([[1]]), np.array([[1.0]], np.float32))
    assert scores.shape == (1, 3)
    assert not np.isnan(scores).any()


@pytest.mark.parametrize("weights", [[1.0, 1.0, 1.0], [1.0, 0.5, 0.0], [1.0, 0.01, 0.2]])
def test_folding_in_solves_the_normal_equations(weights: list[float]) -> None:
    rng = np.random.default_rng(1)
    factors = rng.normal(size=(12, 4)).astype(np.float32)
    model = AlsModel.of(factors, regularization=0.7, alpha=5.0)
    column, weight = np.array([[3, 8, 1]]), np.array([weights], np.float32)
    wide, seen = factors.astype(np.float64), factors[column[0]].astype(np.float64)
    confidence = 5.0 * weight[0].astype(np.float64)
    extra = np.maximum(confidence - 1.0, 0.0)
    left = wide.T @ wide + 0.7 * np.eye(4) + (seen.T * extra) @ seen
    expected = np.linalg.solve(left, seen.T @ confidence)
    np.testing.assert_allclose(model.fold_in(column, weight)[0], expected, rtol=1e-4, atol=1e-5)


def test_folding_in_is_implicits_own_where_all_weights_are_one() -> None:
    pytest.importorskip("implicit", reason=NEEDS)
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    baskets = Baskets.of([purchases(np.random.default_rng(7), 60)], DAY_MS)
    with threadpool_limits(limits=1, user_api="blas"):
        theirs = AlternatingLeastSquares(factors=8, regularization=1.0, alpha=6.0, iterations=3, random_state=1)
        theirs.fit(baskets.sparse(), show_progress=False)
    mine = AlsModel.of(np.asarray(theirs.item_factors), regularization=1.0, alpha=6.0)
    column = np.array([[2, 7]])
    row = csr_matrix((np.ones(2, np.float32), (np.zeros(2, np.int64), column[0])), shape=(1, baskets.item.size))
    expected = theirs.recalculate_user(0, row)
    np.testing.assert_allclose(mine.fold_in(column, np.ones((1, 2), np.float32))[0], expected, rtol=1e-2, atol=1e-4)


def test_ease_is_the_closed_form() -> None:
    pytest.importorskip("scipy", reason=NEEDS)
    rng = np.random.default_rng(3)
    table = (rng.random((40, 9)) < 0.3).astype(np.float64)
    gram = table.T @ table
    inverse = np.linalg.inv(gram + 2.0 * np.eye(9))
    expected = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(ease_weights(gram.astype(np.float32), 2.0), expected, rtol=1e-3, atol=1e-4)


def test_two_items_of_one_basket_speak_for_each_other_by_half() -> None:
    pytest.importorskip("scipy", reason=NEEDS)
    weights = ease_weights(np.ones((2, 2), np.float32), 1.0)
    np.testing.assert_allclose(weights, [[0.0, 0.5], [0.5, 0.0]], rtol=1e-5)


def test_ease_keeps_its_strongest_neighbours_of_its_commonest_items() -> None:
    pytest.importorskip("scipy", reason=NEEDS)
    baskets = Baskets.of([purchases(np.random.default_rng(7), 200)], DAY_MS)
    full = train_ease(baskets, np.random.default_rng(1))
    kept = train_ease(baskets, np.random.default_rng(1), neighbours=2, most_items=30)
    assert full.neighbour.shape[1] == baskets.item.size
    assert kept.neighbour.shape == (baskets.item.size, 2)
    assert (kept.neighbour.max(axis=1) >= 0).sum() <= 30
    best = np.where(full.strength > 0, full.strength, 0).max(axis=1)
    two = train_ease(baskets, np.random.default_rng(1), neighbours=2)
    np.testing.assert_allclose(two.strength.max(axis=1), best)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from trendloom.errors import MissingExtra

    trainings: list[Callable[..., object]] = [train_als, train_bpr, train_item2vec]
    for package, module in (("implicit", "implicit.als"), ("implicit", "implicit.bpr"), ("gensim", "gensim.models")):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.setitem(sys.modules, module, None)
    for one in trainings:
        with pytest.raises(MissingExtra, match="trendloom\\[evaluation\\]"):
            one(Baskets.of([], DAY_MS), np.random.default_rng(1))
