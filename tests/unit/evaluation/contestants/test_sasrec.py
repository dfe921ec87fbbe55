"""SASRec on customers who walk round a circle of items: what comes next depends on the order alone."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.contestant import DAY_MS, Purchases
from evaluation.contestants.sasrec import train_contestant
from evaluation.contestants.sequences import Sequences
from evaluation.contestants.trained import Trained
from evaluation.ground import bare_ground
from evaluation.sasrec import SasRecRecipe

NEEDS = "needs the extra sequential: pip install 'trendloom[sequential]'"
CIRCLE = 12
SMALL = SasRecRecipe(width=16, blocks=1, longest=6, epochs=60, batch=64, negatives=32, learning_rate=0.01, dropout=0.0)


def walks(customers: int) -> Purchases:
    """Each customer buys five items in a row round the circle, half of them forwards and half backwards."""
    rows: list[tuple[int, int]] = []
    for customer in range(customers):
        step = 1 if customer % 2 else -1
        rows.extend((customer, (customer + place * step) % CIRCLE) for place in range(5))
    customer, item = np.array(rows).T
    return Purchases.of(customer, item, np.arange(len(rows)) * 1000)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_follows_depends_on_the_order() -> None:
    pytest.importorskip("torch", reason=NEEDS)
    pytest.importorskip("cornac", reason=NEEDS)
    ground = bare_ground(CIRCLE)
    one = Trained(
        "sasrec",
        ground,
        lambda sequences, rng: train_contestant(sequences, rng, recipe=SMALL),
        gather=Sequences.of,
        renew_every=30,
    )
    one.learn(walks(240))
    forwards = Purchases.of([500, 500], [3, 4], [DAY_MS, DAY_MS + 1])
    backwards = Purchases.of([501, 501], [4, 3], [DAY_MS + 2, DAY_MS + 3])
    assert one.after(forwards, 1)[1].tolist() == [5]
    assert one.after(backwards, 1)[1].tolist() == [2]


def test_of_single_items_nothing_is_learnt() -> None:
    sequences = Sequences.of([Purchases.of([1, 2], [5, 6], [0, 1])], DAY_MS)
    model = train_contestant(sequences, np.random.default_rng(1), recipe=SMALL)
    scores = model.scores(np.array([[0]]), np.array([[1.0]], np.float32))
    assert np.isneginf(scores).all()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from trendloom.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "cornac", None)
    monkeypatch.setitem(sys.modules, "cornac.models", None)
    sequences = Sequences.of([walks(4)], DAY_MS)
    with pytest.raises(MissingExtra, match="trendloom\\[sequential\\]"):
        train_contestant(sequences, np.random.default_rng(1), recipe=SMALL)
