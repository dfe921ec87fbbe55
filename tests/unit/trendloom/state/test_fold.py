import sys
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from deliveries import DAY_MS, START_MS, arrivals, purchase

from trendloom.events import Purchase
from trendloom.state.compiled_fold import prepare_compiled
from trendloom.state.customer import Customer
from trendloom.state.fold import Prepared, customers_of, prepare
from trendloom.state.rules import LANDMARK_MS, StateRules
from trendloom.state.store import Before, Journal, JournalEntry, journal_entries

RULES = StateRules(history_length=4, co_purchase_window=3, trendiness_prior_weight=2.0)
HOUR_MS = 3_600_000


@pytest.fixture(params=[prepare, prepare_compiled], ids=["plain", "compiled"], autouse=True)
def _both_forms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "form", request.param)


form = prepare


def folded(
    log: Sequence[Purchase],
    *,
    known: dict[str, Customer] | None = None,
    fence: int = -1,
    journal: Journal | None = None,
    percentiles: Sequence[float] | None = None,
    first_offset: int = 0,
    last_offset: int | None = None,
    prior_mean: float = 0.5,
    rules: StateRules = RULES,
) -> Prepared:
    batch = arrivals(log, first_offset)
    records = [known[name].pack() if known and name in known else None for name in customers_of(batch)]
    return form(
        Before(7, fence, records, {} if journal is None else journal_entries(journal)),
        batch,
        last_offset=batch[-1].offset if last_offset is None else last_offset,
        percentiles=np.array([0.5] * len(batch) if percentiles is None else percentiles, np.float32),
        prior_mean=prior_mean,
        rules=rules,
    )


def after(prepared: Prepared) -> dict[str, Customer]:
    changes = prepared.change.customers
    return {name: Customer.unpack(record) for name, record in zip(changes.ids, changes.records, strict=True)}


def pairs(prepared: Prepared) -> dict[tuple[int, int], int]:
    items = prepared.change.items
    total: dict[tuple[int, int], int] = defaultdict(int)
    for row, column, weight in zip(items.rows.tolist(), items.columns.tolist(), items.weights.tolist(), strict=True):
        total[row, column] += weight
        total[column, row] += weight
    return total


def offsets(journal: Journal) -> list[int]:
    return sorted(journal_entries(journal))


def test_a_first_purchase() -> None:
    made = folded([purchase(1, "ann", 3, store="store-1")], percentiles=[0.25], first_offset=40)
    change = made.change
    assert (change.epoch, change.expected_fence, change.fence) == (7, -1, 40)
    assert (change.customers.ids, change.customers.expected.tolist()) == (["ann"], [0])
    assert after(made)["ann"].entries()[0][:3] == (3, START_MS // 1000, 0.25)
    assert journal_entries(change.journal) == {40: JournalEntry(1, 0.25, (2 * 0.5 + 0.25) / 3)}
    assert [(one.number, one.percentile, one.trendiness) for one in made.listed] == [(1, 0.25, 1.25 / 3)]
    assert (change.items.numbers.tolist(), change.items.purchases.tolist()) == ([3], [1])
    assert change.items.slow[0] == pytest.approx(RULES.slow_rate_per_ms * (START_MS - LANDMARK_MS))
    assert change.items.percentile_sum == 0.25
    assert pairs(made) == {}
    assert (made.tally.new, made.tally.duplicates, made.tally.repeated, made.tally.covered) == (1, 0, 0, 0)


def test_each_list_knows_its_customer_up_to_its_own_purchase_and_nothing_later() -> None:
    log = [purchase(event, "ann", event) for event in range(3)] + [purchase(9, "bob", 5)]
    made = folded(log, percentiles=[0.0, 1.0, 0.5, 1.0])
    assert [one.number for one in made.listed] == [1, 2, 3, 1]
    histories = [[entry[0] for entry in Customer(tail=one.tail).entries()] for one in made.listed]
    assert histories == [[0], [0, 1], [0, 1, 2], [5]]
    assert [one.trendiness for one in made.listed] == pytest.approx([1 / 3, 2 / 4, 2.5 / 5, 2 / 3])


def test_a_history_is_bounded_and_the_totals_are_not() -> None:
    made = folded([purchase(event, "ann", event) for event in range(7)], percentiles=[0.25] * 7)
    ann = after(made)["ann"]
    assert [entry[0] for entry in ann.entries()] == [3, 4, 5, 6]
    assert (ann.number, ann.percentile_sum) == (7, 1.75)
    more = folded([purchase(7, "ann", 7)], known={"ann": ann}, fence=6, first_offset=7)
    assert [entry[0] for entry in after(more)["ann"].entries()] == [4, 5, 6, 7]
    assert more.change.customers.expected.tolist() == [7]
    assert more.listed[0].number == 8


def test_the_same_event_again_counts_once_while_the_history_remembers_it() -> None:
    first = folded([purchase(1, "ann", 3), purchase(1, "ann", 3), purchase(2, "ann", 4), purchase(1, "ann", 3)])
    assert (first.tally.new, first.tally.duplicates) == (2, 2)
    assert [one.arrival.offset for one in first.listed] == [0, 2]
    assert offsets(first.change.journal) == [0, 2]
    assert first.change.items.purchases.tolist() == [1, 1]
    assert first.change.fence == 3
    later = folded([purchase(2, "ann", 4)], known=after(first), fence=3, first_offset=4)
    assert (later.tally.duplicates, len(later.listed), len(later.change.customers)) == (1, 0, 0)
    assert later.change.fence == 4
    assert later.change.items.numbers.size == later.change.items.rows.size == 0


def test_the_horizon_of_duplicates_is_the_history() -> None:
    full = after(folded([purchase(event, "ann", event) for event in range(5)]))
    remembered = folded([purchase(1, "ann", 1)], known=full, fence=4, first_offset=5)
    forgotten = folded([purchase(0, "ann", 0)], known=full, fence=4, first_offset=5)
    assert (remembered.tally.duplicates, forgotten.tally.new) == (1, 1)


def test_two_customers_may_share_an_event_id() -> None:
    made = folded([purchase(1, "ann", 3), purchase(1, "bob", 3)])
    assert made.tally.new == 2
    assert made.change.items.purchases.tolist() == [2]


def test_a_batch_delivered_again_changes_nothing_and_is_listed_again_as_it_was() -> None:
    log = [purchase(1, "ann", 3), purchase(2, "bob", 4), purchase(3, "ann", 5)]
    first = folded(log, percentiles=[0.25, 0.5, 0.75], prior_mean=0.125)
    again = folded(
        log,
        known=after(first),
        fence=2,
        journal=first.change.journal,
        percentiles=[0.9] * 3,  # by now the items are more popular, and the customers
        prior_mean=0.9,
    )
    assert list(again.listed) == list(first.listed)
    assert (again.tally.repeated, again.tally.new) == (3, 0)
    assert (len(again.change.customers), len(again.change.bought), again.change.journal.size) == (0, 0, 0)
    assert again.change.fence == again.change.expected_fence == 2


def test_a_journal_knows_what_the_history_no_longer_does() -> None:
    log = [purchase(event, "ann", event) for event in range(6)]
    first = folded(log, percentiles=[0.25] * 6)
    again = folded(log[:1], known=after(first), fence=5, journal=first.change.journal)
    assert (again.listed[0].number, again.listed[0].trendiness) == (1, first.listed[0].trendiness)
    assert [entry[0] for entry in Customer(tail=again.listed[0].tail).entries()] == [0]  # itself at least
    assert folded(log[:1], known=after(first), fence=5).tally.covered == 1


def test_without_a_journal_the_history_gives_number_percentile_and_trendiness() -> None:
    log = [purchase(event, "ann", event) for event in range(3)]
    first = folded(log, percentiles=[0.25, 0.5, 1.0])
    again = folded(log[:2], known=after(first), fence=2)
    for then, now in zip(first.listed[:2], again.listed, strict=True):
        assert (now.number, now.percentile, now.tail) == (then.number, then.percentile, then.tail)
        assert now.trendiness == pytest.approx(then.trendiness, abs=1e-12)


def test_a_batch_that_overlaps_the_fence_applies_what_lies_beyond_it() -> None:
    log = [purchase(event, "ann", event) for event in range(4)]
    first = folded(log[:2])
    made = folded(log, known=after(first), fence=1, journal=first.change.journal)
    assert (made.tally.repeated, made.tally.new) == (2, 2)
    assert [one.number for one in made.listed] == [1, 2, 3, 4]
    assert [len(Customer(tail=one.tail).entries()) for one in made.listed] == [1, 2, 3, 4]
    assert (made.change.expected_fence, made.change.fence, offsets(made.change.journal)) == (1, 3, [2, 3])
    assert made.change.customers.expected.tolist() == [2]


def test_records_without_a_purchase_move_the_fence() -> None:
    made = form(Before(7, 3, []), [], last_offset=9, percentiles=np.empty(0, np.float32), prior_mean=0.5, rules=RULES)
    assert (made.change.expected_fence, made.change.fence) == (3, 9)
    assert folded([purchase(1)], fence=5, last_offset=2).change.fence == 5  # and never back


def test_two_items_of_one_day_weigh_two_and_of_different_days_one() -> None:
    noon_ms = START_MS + DAY_MS // 2
    made = folded(
        [
            purchase(1, "ann", 1, noon_ms),
            purchase(2, "ann", 2, noon_ms + HOUR_MS),
            purchase(3, "ann", 3, noon_ms + DAY_MS),
        ]
    )
    assert pairs(made) == {(1, 2): 2, (2, 1): 2, (1, 3): 1, (3, 1): 1, (2, 3): 1, (3, 2): 1}


def test_a_day_is_a_utc_day_not_24_hours() -> None:
    made = folded([purchase(1, "ann", 1, START_MS + DAY_MS - 1), purchase(2, "ann", 2, START_MS + DAY_MS)])
    assert pairs(made) == {(1, 2): 1, (2, 1): 1}


def test_the_same_item_on_the_same_day_adds_no_pair_and_on_another_day_only_with_others() -> None:
    first = after(folded([purchase(1, "ann", 1, START_MS), purchase(2, "ann", 2, START_MS)]))
    same = folded([purchase(3, "ann", 1, START_MS + HOUR_MS)], known=first, fence=1, first_offset=2)
    other = folded([purchase(3, "ann", 1, START_MS + DAY_MS)], known=first, fence=1, first_offset=2)
    assert pairs(same) == {}
    assert same.change.items.purchases.tolist() == [1]  # it is bought all the same
    assert pairs(other) == {(1, 2): 1, (2, 1): 1}


def test_an_item_bought_on_several_days_counts_once_and_as_the_same_day_if_it_is_one() -> None:
    log = [purchase(1, "ann", 1, START_MS), purchase(2, "ann", 1, START_MS + DAY_MS)]
    for day, weight in ((0, 2), (1, 2), (2, 1)):
        made = folded(
            [purchase(3, "ann", 2, START_MS + day * DAY_MS)], known=after(folded(log)), fence=1, first_offset=2
        )
        assert pairs(made) == {(1, 2): weight, (2, 1): weight}


def test_pairs_reach_back_over_the_window_only() -> None:
    known = after(folded([purchase(event, "ann", event) for event in range(4)]))
    made = folded([purchase(9, "ann", 9)], known=known, fence=3, first_offset=4)
    assert {column for row, column in pairs(made) if row == 9} == {1, 2, 3}


def test_pairs_of_several_customers_add_up() -> None:
    log = [purchase(n, name, item) for n, (name, item) in enumerate([("a", 1), ("b", 1), ("a", 2), ("b", 2)])]
    assert pairs(folded(log)) == {(1, 2): 4, (2, 1): 4}


def test_late_events_weigh_by_their_own_time() -> None:
    times = [START_MS + 5 * DAY_MS, START_MS, START_MS + 9 * DAY_MS]
    late = folded([purchase(n, f"c{n}", 3, at_ms) for n, at_ms in enumerate(times)])
    sorted_by_time = folded([purchase(n, f"c{n}", 3, at_ms) for n, at_ms in enumerate(sorted(times))])
    assert late.change.items.slow == pytest.approx(sorted_by_time.change.items.slow, rel=1e-13)
    assert late.change.items.fast == pytest.approx(sorted_by_time.change.items.fast, rel=1e-13)


def test_a_late_purchase_pairs_by_its_day_and_is_remembered_in_the_order_of_the_log() -> None:
    log = [purchase(1, "ann", 1, START_MS + DAY_MS), purchase(2, "ann", 2, START_MS), purchase(3, "ann", 3, START_MS)]
    made = folded(log)
    assert pairs(made) == {(1, 2): 1, (2, 1): 1, (1, 3): 1, (3, 1): 1, (2, 3): 2, (3, 2): 2}
    assert [entry[0] for entry in after(made)["ann"].entries()] == [1, 2, 3]


def test_preparing_twice_gives_the_same_and_changes_nothing_that_was_read() -> None:
    log = [purchase(event, f"c{event % 2}", event % 3) for event in range(6)]
    known = after(folded(log[:3]))
    packed = {name: customer.pack() for name, customer in known.items()}
    one, two = (folded(log[3:], known=known, fence=2, first_offset=3) for _ in range(2))
    assert list(one.listed) == list(two.listed)
    assert one.change.customers.records == two.change.customers.records
    assert pairs(one) == pairs(two)
    assert {name: customer.pack() for name, customer in known.items()} == packed


def test_offsets_that_do_not_ascend_are_a_mistake_of_the_caller() -> None:
    batch = arrivals([purchase(1), purchase(2)])
    for wrong in ([batch[1], batch[0]], [batch[0], batch[0]]):
        with pytest.raises(ValueError, match="comes after"):
            form(
                Before(7, -1, [None]),
                wrong,
                last_offset=1,
                percentiles=np.zeros(2, np.float32),
                prior_mean=0.5,
                rules=RULES,
            )


def test_a_price_that_cannot_be_one_is_not_added_up() -> None:
    log = [purchase(event, "ann", 3, price=price) for event, price in enumerate([2.0, None, 1e300, 0.5])]
    made = folded(log, percentiles=[0.5] * 4, first_offset=0)
    items = made.change.items
    assert (items.purchases.tolist(), items.priced.tolist(), items.spent.tolist()) == ([4], [2], [2.5])
