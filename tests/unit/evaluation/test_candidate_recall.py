from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from evaluation.contestant import DAY_MS, Customers, Histories, Purchases
from evaluation.ground import no_features

pytest.importorskip("scipy", reason="needs the extra evaluation: pip install 'trendloom[evaluation]'")

from evaluation.candidate_recall import Found, attributes_of, collect, main, share_out, union_recall
from evaluation.candidate_sources import SOURCES, Asked, Shop
from evaluation.ground import make_ground
from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.catalogue.synthetic import random_catalogue

Ints = npt.NDArray[np.int64]
#: Items 0, 1: department 0; items 2, 3, 4: department 1. Items 0 and 2 are black, the others white.
DEPARTMENT, COLOUR = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 1])
PRODUCT = np.array([0, 0, 1, 2, 2], np.int32)


def shop() -> Shop:
    features = replace(no_features(5), product=PRODUCT, neighbours=np.array([[1, 4]] * 5, np.int32))
    return Shop(features, {"department": DEPARTMENT, "colour": COLOUR}, np.array([0, -1, 0, 1, -1]))


def learnt(events: list[tuple[int, int, int]]) -> Shop:
    one, customers = shop(), Customers()
    for customer, item, at_ms in events:
        batch = Purchases.of([customer], [item], [at_ms])
        one.learn(batch, customers.after(batch))
        customers.learn(batch)
    return one


def asking(one: Shop, bought: list[int], at_ms: int = DAY_MS) -> Asked:
    item = np.array([[*bought, -1, -1]])
    return Asked(one, Histories(item, np.where(item >= 0, at_ms, 0)), np.array([at_ms]))


EVENTS = [(1, 0, 0), (1, 2, 9), (2, 0, 0), (2, 2, 9), (3, 1, 5), (3, 3, DAY_MS), (4, 4, DAY_MS)]


def test_pairs_of_one_day_count_twice_those_of_different_days() -> None:
    pairs = learnt(EVENTS).pairs
    assert (pairs[0, 2], pairs[2, 0], pairs[1, 3], pairs[3, 1], pairs[0, 1]) == (2.0, 2.0, 0.5, 0.5, 0.0)


def test_pairs_of_attributes_are_those_of_their_items() -> None:
    one = learnt(EVENTS)
    assert one.pairs_of["department"].tolist() == [[0.0, 2.5], [2.5, 0.0]]
    assert one.pairs_of["colour"].tolist() == [[4.0, 0.0], [0.0, 1.0]]


def test_the_chance_of_a_department_is_learnt_from_pairs_and_adds_up() -> None:
    chance = asking(learnt(EVENTS), [0]).chance("department")
    assert chance.sum() == pytest.approx(1.0)
    assert chance[0, 1] == pytest.approx((2.5 + 0.5 * 4 / 7) / (2.5 + 0.5))


def test_co_purchase_leads_to_what_was_bought_together() -> None:
    scores = SOURCES["history kNN"](asking(learnt(EVENTS), [0]))
    assert scores[0].argmax() == 2
    assert (scores[0] > 0).sum() == 1


def test_two_hops_reach_what_the_history_never_met() -> None:
    one = learnt([(1, 0, 0), (1, 2, 9), (2, 2, 0), (2, 4, 9)])
    scores = SOURCES["two hops"](asking(one, [0]))
    assert dict(zip(asking(one, [0]).sold.tolist(), (scores[0] > 0).tolist(), strict=True)) == {
        0: True,
        2: False,
        4: True,
    }


def test_variants_and_words_stay_with_their_own() -> None:
    asked = asking(learnt(EVENTS), [0])
    assert np.flatnonzero(SOURCES["variants"](asked)[0] > 0).tolist() == [0, 1]
    assert np.flatnonzero(SOURCES["first word"](asked)[0] > 0).tolist() == [0, 2]


def test_only_items_that_were_sold_are_scored() -> None:
    asked = asking(learnt(EVENTS[:4]), [0])
    assert asked.sold.tolist() == [0, 2]
    assert all(source(asked).shape == (1, 2) for source in SOURCES.values())


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_source_scores_without_negative_numbers(name: str) -> None:
    scores = SOURCES[name](asking(learnt(EVENTS), [0, 3]))
    assert scores.shape == (1, 5)
    assert (scores >= 0).all()


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_sources_do_without_attributes(name: str) -> None:
    one, customers = Shop(no_features(5), {}, np.full(5, -1)), Customers()
    batch = Purchases.of([1, 1, 2], [0, 2, 3], [0, 1, 2])
    one.learn(batch, customers.after(batch))
    assert not np.isnan(SOURCES[name](asking(one, [0]))).any()


def found_of(ranks: dict[str, list[int]], lists: dict[str, list[list[int]]], days: list[int]) -> Found:
    found = Found(day=[np.array(days)], listed_day=[np.array(days)])
    found.rank = {name: [np.array(rank)] for name, rank in ranks.items()}
    found.lists = {name: [np.array(rows)] for name, rows in lists.items()}
    return found


def test_a_union_counts_an_answer_and_a_candidate_once() -> None:
    lists = {"one": [[5, 6], [5, 6]], "other": [[6, 7], [8, -1]]}
    found = found_of({"one": [1, 9], "other": [0, 0]}, lists, [3, 3])
    assert union_recall(found, {"one": 2}, [3]) == (0.5, 2.0)
    assert union_recall(found, {"one": 2, "other": 1}, [3]) == (1.0, 2.5)
    assert union_recall(found, {"one": 1, "other": 1}, [4]) == (0.0, 0.0)


def test_shares_go_to_the_source_that_gains_most() -> None:
    lists = {"good": [list(range(10))] * 4, "poor": [list(range(50, 60))] * 4}
    found = found_of({"good": [0, 3, 7, 99], "poor": [99, 99, 99, 6]}, lists, [3] * 4)
    assert share_out(found, ["good", "poor"], 10, 3, steps=(5,)) == {"good": 10}
    assert share_out(found, ["good", "poor"], 20, 3, steps=(10,)) == {"good": 10, "poor": 10}


def test_what_is_asked_is_not_yet_learnt() -> None:
    """A shop that sells each item to one customer only: no answer was sold before, so nobody can propose it."""
    customer = np.repeat(np.arange(10), 2)
    purchases = Purchases.of(customer, np.arange(20), np.sort(np.arange(20) * 1000))
    ground = make_ground(tuple(f"item-{number}" for number in range(20)), None)
    found = collect(purchases, ground, Shop(no_features(20), {}, np.full(20, -1)), from_ms=0, batch=2)
    assert np.concatenate(found.day).size == 10
    assert all((found.ranks(name) > 200).all() for name in SOURCES)


def test_first_words_and_attributes_come_from_the_catalogue() -> None:
    catalogue = random_catalogue(12, np.random.default_rng(1))
    ground = make_ground((), catalogue)
    attributes, word = attributes_of(ground, None)
    row = [catalogue.row_of[item_id] for item_id in ground.item_ids]
    titles = [catalogue.titles[at].split()[0] for at in row]
    assert all((word[a] == word[b]) == (titles[a] == titles[b]) for a in range(12) for b in range(12))
    assert set(attributes) == {"department", "colour", "type"}


def test_the_command_prints_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(5)
    items = load_catalogue(demo_catalogue_path()).item_ids[:40]
    rows = ["customer_id,item_id,occurred_at"]
    for day in (16, 17, 18):
        for customer in range(30):
            rows.extend(
                f"c{customer},{items[int(item)]},2020-09-{day}T10:{minute:02}:00Z"
                for minute, item in enumerate(rng.choice(40, size=3, replace=False))
            )
    log = tmp_path / "log.csv"
    log.write_text("\n".join(rows) + "\n")
    asked = [str(log), "--columns", "purchases", "--catalogue", str(demo_catalogue_path()), "--from", "2020-09-17"]
    assert main([*asked, "--trained"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report["sources"]) == set(SOURCES)
    assert report["sources"]["popularity"]["others"][-1] > 0.5  # 200 candidates of 40 items
    assert 0 < report["unions"]["all of all"]["recall, others"] <= 1
    assert all(lost >= 0 for lost in report["unions"]["untrained, 50"]["lost without"].values())
