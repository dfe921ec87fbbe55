"""Growing: a forest learns what the examples show; a log becomes a ranker; an evaluation grows one for each day."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="the extra fast is not installed")

from small_log import small_catalogue, small_ground

from evaluation.contestant import Purchases
from evaluation.contestants.learned import Learned
from evaluation.contestants.popularity import Popularity
from evaluation.prequential import run
from evaluation.ranking.examples import Table
from evaluation.ranking.growing import Growth, grow
from evaluation.ranking.provenance import provenance_of
from evaluation.ranking.rehearsal import train
from evaluation.tasks import ask
from trendloom.errors import InputError, MissingExtra
from trendloom.relevance.learned.signals import SIGNALS

pytestmark = pytest.mark.timeout(300)  # the first one compiles the kernel
DAY_MS = 86_400_000
SMALL = Growth(rounds=20, least_rounds=5, patience=10, leaves=7, least_rows=5)


def grows() -> None:
    pytest.importorskip("lightgbm", reason="the extra ranking is not installed")


def table(examples: int, *, seed: int = 1) -> Table:
    """Return examples of ten candidates, of which the one with the greatest "slow" was bought."""
    rng = np.random.default_rng(seed)
    signals = rng.random((examples * 10, len(SIGNALS))).astype(np.float32)
    best = signals[:, SIGNALS.index("slow")].reshape(examples, 10)
    bought = (best == best.max(axis=1, keepdims=True)).ravel().astype(np.int8)
    numbers = np.arange(examples)
    return Table(signals, bought, np.full(examples, 10), numbers, numbers)


def couples(days: int = 4) -> Purchases:
    """Return a log in which whoever buys an item of an even number then buys the next one, a minute later."""
    rng = np.random.default_rng(3)
    rows = []
    for day in range(days):
        for customer in range(60):
            item = int(rng.integers(10)) * 2
            start = 18_521 * DAY_MS + day * DAY_MS + customer * 600_000
            rows += [(day * 60 + customer, item, start), (day * 60 + customer, item + 1, start + 60_000)]
    return Purchases.of(*np.array(rows, np.int64).T)


def test_trees_ask_what_matters_and_no_signal_that_is_left_out() -> None:
    grows()
    grown = grow(table(300), SMALL)
    asked = grown.forest.signal[grown.forest.signal >= 0]
    assert SIGNALS[np.bincount(asked).argmax()] == "slow"
    assert grown.ndcg_held_out > 0.8
    others = grow(table(300), SMALL, without=("slow", "knn"))
    names = {SIGNALS[place] for place in others.forest.signal[others.forest.signal >= 0]}
    assert not names & {"slow", "knn"}
    assert others.ndcg_held_out < grown.ndcg_held_out


def test_growing_does_not_stop_before_the_least_number_of_trees() -> None:
    grows()
    few = Growth(rounds=20, least_rounds=1, patience=3, leaves=7, least_rows=5, learning_rate=0.9)
    stopped = grow(table(100), few).forest.n_trees
    assert stopped + few.patience < few.rounds  # it stopped by itself
    assert grow(table(100), replace(few, least_rounds=stopped + 2)).forest.n_trees == stopped + 2


def test_growing_is_repeatable() -> None:
    grows()
    one, other = grow(table(200), SMALL), grow(table(200), SMALL)
    assert one.forest.value.tolist() == other.forest.value.tolist()


def test_too_few_examples_and_a_missing_extra_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.ranking.growing.can_grow", lambda: False)
    with pytest.raises(MissingExtra, match=r"Action: pip install"):
        grow(table(100))
    monkeypatch.undo()
    grows()
    with pytest.raises(InputError, match=r"10 examples .* Action: use a longer log"):
        grow(table(10), SMALL)


def test_a_log_becomes_trees_that_find_the_couples() -> None:
    grows()
    purchases = couples()
    told: list[int] = []
    grown = train(purchases, small_ground(), SMALL, progress=told.append)
    assert told[-1] == len(purchases)
    assert grown.examples > 100
    assert grown.ndcg_held_out > 0.6


def test_an_evaluation_grows_trees_before_each_day_and_they_are_asked() -> None:
    grows()
    purchases, shop = couples(), small_ground()
    learned = Learned("learned", shop, growth=SMALL)
    questions = ask(purchases, from_ms=18_522 * DAY_MS)
    judged = run(purchases, questions, shop, [learned, Popularity("popularity", shop)], batch=10)
    assert len(learned.grown) == 3
    marks = {name: sheet.all_marks()[:, 0].mean() for name, sheet in judged.sheets["next_in_session"].items()}
    assert marks["learned"] > marks["popularity"]
    assert judged.sheets["next_basket"]["learned"].lists == questions.first[questions.scored].sum()


def test_lists_never_hold_what_was_bought_that_day_and_learning_may_come_late() -> None:
    purchases, shop = couples(2), small_ground()
    learned = Learned("learned", shop)
    first, second = purchases.part(slice(0, 50)), purchases.part(slice(50, 100))
    for batch in (first, second):
        lists = learned.after(batch, 10)
        shop.customers.learn(batch)
        for row, items in enumerate(lists.tolist()):
            assert int(batch.item[row]) not in items
    learned.learn(first)
    learned.learn(second)
    assert (learned.after(purchases.part(slice(100, 120)), 10)[:, 0] >= 0).all()


def test_without_a_catalogue_there_are_no_trees() -> None:
    from evaluation.ground import bare_ground

    shop = bare_ground(5)
    with pytest.raises(InputError, match="Action: name a catalogue"):
        Learned("learned", shop)


def test_the_provenance_names_log_dates_settings_and_versions(tmp_path: Path) -> None:
    grows()
    from trendloom.logs.read import read_log

    path = tmp_path / "log.csv"
    items = small_catalogue().item_ids
    path.write_text(
        "customer_id,item_id,occurred_at\n"
        + "".join(f"c{n},{items[n % 5]},2020-09-16T10:{n:02d}:00Z\n" for n in range(20))
    )
    log = read_log(path)
    told = provenance_of(grow(table(100), SMALL), log, couples(1), "f00d")
    assert told["log_sha256"] == log.sha256
    assert told["first"] == "2020-09-16T00:00:00+00:00"
    assert told["catalogue"] == "f00d"
    assert told["settings"]["leaves"] == 7  # type: ignore[index]
    assert set(told["versions"]) == {"python", "trendloom", "numpy", "lightgbm"}  # type: ignore[call-overload]
