from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.trendloom.verify.written import RUN, START_MS, written
from trendloom.verify.load_check import LoadCheck, previous_purchases


def _check() -> LoadCheck:
    return LoadCheck(RUN.encode(), [10, 30])


def test_lists_are_counted_in_their_part_with_their_freshness() -> None:
    check = _check()
    check.take([written(9, 1), written(10, 2), written(29, 3)], START_MS + 100.0)
    assert [part.listed for part in check.parts] == [1, 2]
    assert check.parts[0].freshness.longest_ms == 91.0
    assert check.parts[1].freshness.longest_ms == 90.0
    assert check.parts[1].freshness.quantile_ms(0.5) == pytest.approx(71.0, rel=0.01)
    assert check.missing(30) == 27
    assert check.version_regressions == check.duplicate_lists == check.unreadable_lists == 0


def test_json_of_any_layout_is_read() -> None:
    check = _check()
    pretty = json.dumps(json.loads(written(3)), indent=2, sort_keys=True).encode()
    check.take([pretty], START_MS + 13.0)
    assert (check.listed, check.parts[0].freshness.longest_ms, check.unreadable_lists) == (1, 10.0, 0)


def test_a_second_list_of_a_purchase_is_a_duplicate_and_counts_no_freshness() -> None:
    check = _check()
    check.take([written(3)], START_MS + 13.0)
    check.take([written(3)], START_MS + 500.0)
    assert (check.listed, check.duplicate_lists, check.version_regressions) == (1, 1, 0)
    assert check.parts[0].freshness.longest_ms == 10.0


def test_a_version_that_does_not_grow_is_seen() -> None:
    check = _check()
    check.take([written(1, 4), written(2, 4), written(3, 1, customer="c2"), written(4, 5)], START_MS + 13.0)
    assert check.version_regressions == 1
    check.take([written(5, 1, epoch=6)], START_MS + 13.0)
    assert check.version_regressions == 1, "a rebuilt state numbers anew"


def test_lists_of_others_are_foreign() -> None:
    check = _check()
    check.take([written(1, run="00000000-93fc-4b4f-9d3d-"), written(30)], START_MS + 13.0)
    assert (check.listed, check.foreign_lists) == (0, 2)


@pytest.mark.parametrize("change", [(b'"sent_at":16', b'"sent_at":"16'), (b'"version"', b'"revision"')])
def test_a_list_that_lacks_a_word_is_unreadable(change: tuple[bytes, bytes]) -> None:
    check = _check()
    value = written(1).replace(*change)
    if change[0] == b'"version"':
        value = value.replace(b'"epoch"', b'"era"')
    check.take([value], START_MS + 13.0)
    assert (check.listed, check.unreadable_lists, check.missing(10)) == (0, 1, 10)


def test_a_dead_letter_settles_its_purchase() -> None:
    check = _check()
    letter = json.dumps({"payload": json.dumps({"event_id": f"{RUN}{7:012x}"})}).encode()
    check.take_dead_letter(letter)
    check.take_dead_letter(letter)
    check.take_dead_letter(b'{"payload": "something else"}')
    check.take_dead_letter(b'{"payload": "' + RUN.encode() + b'"}')
    assert (check.refused, check.missing(10)) == (1, 9)


@given(st.lists(st.integers(0, 4), max_size=30))
def test_the_purchase_before_of_the_same_customer(customers: list[int]) -> None:
    found = previous_purchases(np.array(customers, np.int64)).tolist()
    assert found == [
        max((before for before in range(at) if customers[before] == who), default=-1)
        for at, who in enumerate(customers)
    ]


def test_a_debounced_list_covers_its_customers_purchases_before_it_and_nobody_elses() -> None:
    check = LoadCheck(RUN.encode(), [4, 8], previous_purchases(np.array([1, 2, 1, 1, 1, 2, 1, 1])))
    check.take([written(0, 1)], START_MS + 9.0)
    check = copy.deepcopy(check)  # its way back from the process that reads goes through pickle
    check.take([written(4, 4)], START_MS + 9.0)  # covers 2 and 3
    assert (check.listed, check.covered, [part.covered for part in check.parts]) == (2, 2, [2, 0])
    assert check.missing(8) == 4
    check.take([written(5, 2, customer="c2"), written(7, 6)], START_MS + 9.0)  # 1; 6
    assert (check.listed, check.covered, [part.covered for part in check.parts]) == (4, 4, [3, 1])
    assert (check.missing(8), check.parts[0].freshness.count, check.parts[1].freshness.count) == (0, 1, 3)
    check.take([written(3, 3)], START_MS + 9.0)  # after a crash what was covered may come all the same
    assert (check.duplicate_lists, check.version_regressions, check.covered) == (1, 0, 4)


def test_what_was_set_aside_is_not_covered_and_hides_nothing_before_it() -> None:
    check = LoadCheck(RUN.encode(), [3], previous_purchases(np.array([1, 1, 1])))
    check.take_dead_letter(json.dumps({"event_id": f"{RUN}{1:012x}"}).encode())
    check.take([written(2, 2)], START_MS + 9.0)
    assert (check.listed, check.refused, check.covered, check.missing(3)) == (1, 1, 1, 0)


def test_without_debounce_a_later_list_covers_nothing() -> None:
    check = _check()
    check.take([written(1, 2)], START_MS + 9.0)
    assert (check.covered, check.missing(2)) == (0, 1)
