from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.counters import Counters
from agents.debounce import Debounce, Outgoing, newest_of_each
from agents.publishing import Record
from tests.deliveries import arrivals, purchase
from tests.quick_loop import QuickLoop
from trendloom.state.columns import Arrivals, Listed, Listings

INTERVAL_S = 1.0


@dataclass
class Desk:
    """A debounce on a clock that is set by hand, and a broker that acknowledges when it is told to."""

    most_open: int = 1_000_000
    now_s: float = 0.0
    #: (time, customer, version) of each list published; those that are not acknowledged yet, in groups.
    published: list[tuple[float, str, int]] = field(default_factory=list)
    under_way: list[list[Outgoing]] = field(default_factory=list)
    #: The newest version of each customer that is acknowledged, and the batches that are, each once.
    newest: dict[str, int] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)
    #: What each batch has to see acknowledged.
    owed: list[dict[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counters = Counters()
        self.debounce = Debounce(INTERVAL_S, self.counters, monotonic=lambda: self.now_s, most_open=self.most_open)

    def take(self, lists: dict[str, int], purchases: int = 1) -> None:
        """Take a batch: the newest version of each of its customers."""
        number = len(self.owed)
        self.owed.append(lists)
        records: list[Record] = [(name.encode(), b"%d" % version) for name, version in lists.items()]

        def acknowledge() -> None:
            early = {name: v for name, v in lists.items() if self.newest.get(name, 0) < v}
            assert not early, f"batch {number} is acknowledged before {early}"
            self.done.append(number)

        self.publish(self.debounce.admit(records, list(lists.values()), purchases, acknowledge))

    def publish(self, lists: Sequence[Outgoing]) -> None:
        self.published += [(self.now_s, one.record[0].decode(), one.number) for one in lists]
        if lists:
            self.under_way.append(list(lists))

    def tick(self) -> None:
        self.publish(self.debounce.take_due())

    def acknowledge(self, count: int | None = None) -> None:
        """The broker acknowledges the oldest groups."""
        for group in self.under_way[:count]:
            for one in group:
                name = one.record[0].decode()
                assert one.record[1] == b"%d" % one.number
                self.newest[name] = max(self.newest.get(name, 0), one.number)
            self.debounce.acknowledged(group)
        del self.under_way[:count]

    def versions(self, name: str) -> list[int]:
        return [version for _, who, version in self.published if who == name]


def test_a_first_list_is_published_at_once_and_acknowledged_after_the_broker_says_so() -> None:
    desk = Desk()
    desk.take({"ann": 1, "bob": 1})
    assert desk.published == [(0.0, "ann", 1), (0.0, "bob", 1)]
    assert desk.done == []
    desk.acknowledge()
    assert desk.done == [0]


def test_lists_within_the_interval_wait_and_only_the_newest_is_published_when_it_is_over() -> None:
    desk = Desk()
    for version in range(1, 6):
        desk.take({"ann": version})
        desk.acknowledge()
        desk.now_s += 0.2
    assert desk.versions("ann") == [1]
    assert desk.done == [0]
    desk.now_s = 0.999
    desk.tick()
    assert desk.versions("ann") == [1]
    desk.now_s = 1.0
    desk.tick()
    assert desk.published[1:] == [(1.0, "ann", 5)]
    assert (desk.done, desk.counters.lists_skipped, desk.debounce.held) == ([0], 3, 0)
    desk.acknowledge()
    assert desk.done == [0, 1, 2, 3, 4]


def test_a_batch_waits_for_each_of_its_customers() -> None:
    desk = Desk()
    desk.take({"ann": 1})
    desk.now_s = 0.5
    desk.take({"bob": 1})
    desk.take({"ann": 2, "bob": 2, "eve": 1})
    desk.acknowledge()
    assert desk.done == [0, 1]
    desk.now_s = 1.0
    desk.tick()
    desk.acknowledge()
    assert desk.done == [0, 1], "bob's list is held until 1.5"
    desk.now_s = 1.5
    desk.tick()
    desk.acknowledge()
    assert desk.done == [0, 1, 2]


def test_a_list_that_comes_when_the_held_one_is_due_takes_its_place() -> None:
    desk = Desk()
    desk.take({"ann": 1})
    desk.take({"ann": 2})
    desk.now_s = 1.25
    desk.take({"ann": 3})  # before anybody asked what is due
    assert desk.published == [(0.0, "ann", 1), (1.25, "ann", 3)]
    desk.tick()
    desk.acknowledge()
    assert (desk.versions("ann"), desk.done, desk.counters.lists_skipped) == ([1, 3], [0, 1, 2], 1)


def test_an_older_version_never_takes_a_newer_ones_place() -> None:
    desk = Desk()
    desk.take({"ann": 7})
    desk.take({"ann": 9})
    desk.take({"ann": 8})  # a customer in two partitions, read again after a crash
    desk.now_s = 1.0
    desk.tick()
    desk.acknowledge()
    assert (desk.versions("ann"), desk.done) == ([7, 9], [0, 1, 2])


def test_a_batch_without_lists_waits_for_nothing() -> None:
    desk = Desk()
    desk.take({})
    assert (desk.done, desk.published) == ([0], [])


def test_once_released_nothing_is_held() -> None:
    desk = Desk()
    desk.take({"ann": 1, "bob": 1})
    desk.take({"ann": 2})
    desk.debounce.release()
    desk.take({"bob": 2})
    desk.tick()
    desk.take({"ann": 3})
    desk.acknowledge()
    assert (desk.versions("ann"), desk.versions("bob")) == ([1, 2, 3], [1, 2])
    assert sorted(desk.done) == [0, 1, 2, 3]
    assert desk.debounce.quiet_customers == 0


def test_quiet_times_that_are_over_are_forgotten() -> None:
    desk = Desk()
    desk.take({f"c{n}": 1 for n in range(1000)})
    desk.now_s = 0.5
    desk.take({"late": 1})
    assert desk.debounce.quiet_customers == 1001
    desk.now_s = 1.0
    desk.tick()
    assert desk.debounce.quiet_customers == 1


def test_open_batches_are_bounded_the_oldest_batchs_lists_are_published_early() -> None:
    desk = Desk(most_open=100)
    desk.take({"ann": 1, "bob": 1, "eve": 1}, purchases=50)
    desk.acknowledge()
    desk.take({"ann": 2, "bob": 2}, purchases=50)
    desk.take({"ann": 3, "eve": 2}, purchases=50)  # eve's, of a younger batch, may wait
    assert desk.debounce.open_purchases == 100
    desk.take({"bob": 3}, purchases=1)
    assert desk.published[3:] == [(0.0, "ann", 3), (0.0, "bob", 3)]
    assert desk.debounce.open_purchases == 50
    desk.acknowledge()
    assert desk.done == [0, 1, 3]


def _listings(customers: Sequence[str]) -> Listings:
    found = arrivals([purchase(event, name, event % 5) for event, name in enumerate(customers)])
    listed = [Listed(one, 10 + at, 0.25, 0.5 + at / 100, b"") for at, one in enumerate(found)]
    return Listings.of(listed, Arrivals.of(found), 3)


@given(st.lists(st.sampled_from(["ann", "bob", "eve"]), max_size=12))
def test_the_newest_of_each_customer_of_a_batch(customers: list[str]) -> None:
    listed = _listings(customers)
    places = newest_of_each(listed)
    assert places.tolist() == sorted({name: at for at, name in enumerate(customers)}.values())
    narrowed = listed.narrowed(places)
    assert list(narrowed) == [listed[at] for at in places.tolist()]
    assert [one.customer_id for one in narrowed.purchases] == [customers[at] for at in places.tolist()]
    assert narrowed.narrowed(newest_of_each(narrowed)).numbers.tolist() == narrowed.numbers.tolist()


def test_purchases_without_a_list_are_not_the_newest() -> None:
    listed = _listings(["ann", "bob", "ann"]).narrowed(np.array([0, 1]))
    assert newest_of_each(listed).tolist() == [0, 1]


@st.composite
def days(draw: st.DrawFn) -> list[tuple[str, float | list[str]]]:
    """What may happen at a desk: batches of some customers, time, a look at what is due, an acknowledgement."""
    customers = st.lists(st.sampled_from("abcd"), max_size=4, unique=True)
    happenings = st.one_of(
        st.tuples(st.just("take"), customers),
        st.tuples(st.just("wait"), st.sampled_from([1 / 1024, 0.125, 0.5, 1023 / 1024, 1.0, 2.5])),
        st.tuples(st.just("tick"), st.just(0.0)),
        st.tuples(st.just("acknowledge"), st.sampled_from([1.0, 2.0])),
    )
    found: list[tuple[str, float | list[str]]] = draw(st.lists(happenings, max_size=60))
    return found


@pytest.mark.parametrize("ending", ["wait", "release"])
@given(day=days())
def test_whatever_happens_all_is_covered_none_too_soon_none_acknowledged_early(
    ending: str, day: list[tuple[str, float | list[str]]]
) -> None:
    desk, versions = Desk(), dict.fromkeys("abcd", 0)
    for what, how in day:
        if what == "take" and isinstance(how, list):
            versions |= {name: versions[name] + 1 for name in how}
            desk.take({name: versions[name] for name in how})
        elif what == "wait" and isinstance(how, float):
            desk.now_s += how
        elif what == "tick":
            desk.tick()
        elif isinstance(how, float):
            desk.acknowledge(int(how))
    for name in "abcd":  # before the end, which may hurry
        times = [at for at, who, _ in desk.published if who == name]
        assert all(later - earlier >= INTERVAL_S for earlier, later in pairwise(times))
    if ending == "wait":
        desk.now_s += INTERVAL_S
    else:
        desk.debounce.release()
    desk.tick()
    desk.acknowledge()
    assert sorted(desk.done) == list(range(len(desk.owed)))
    assert (desk.debounce.held, desk.debounce.open_purchases) == (0, 0)
    for name, version in versions.items():
        found = desk.versions(name)
        assert found == sorted(set(found))
        assert found[-1:] == ([version] if version else [])
    lists = sum(len(owed) for owed in desk.owed)
    assert len(desk.published) + desk.counters.lists_skipped == lists
    desk.now_s += INTERVAL_S
    desk.tick()
    assert desk.debounce.quiet_customers == 0


@given(day=days(), most_open=st.integers(0, 6))
def test_open_purchases_never_exceed_their_bound(day: list[tuple[str, float | list[str]]], most_open: int) -> None:
    desk, versions = Desk(most_open=most_open), dict.fromkeys("abcd", 0)
    for what, how in day:
        if what == "take" and isinstance(how, list):
            versions |= {name: versions[name] + 1 for name in how}
            desk.take({name: versions[name] for name in how}, purchases=2)
            assert desk.debounce.open_purchases <= most_open
            acknowledged = len(desk.done) + len(desk.under_way)
            assert acknowledged or desk.debounce.open_purchases
        elif what == "tick":
            desk.tick()
    desk.debounce.release()
    desk.tick()
    desk.acknowledge()
    assert sorted(desk.done) == list(range(len(desk.owed)))


def test_what_is_held_comes_by_itself_when_it_is_due_and_at_once_when_released() -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        debounce = Debounce(INTERVAL_S, Counters(), monotonic=loop.time)
        waiting = loop.create_task(debounce.due())
        await asyncio.sleep(0)
        begin_s = loop.time()
        assert len(debounce.admit([(b"ann", b"1")], [1], 1, lambda: None)) == 1
        assert debounce.admit([(b"ann", b"2")], [2], 1, lambda: None) == []
        assert [one.number for one in await waiting] == [2]
        assert INTERVAL_S <= loop.time() - begin_s < INTERVAL_S + 0.1
        assert debounce.admit([(b"ann", b"3")], [3], 1, lambda: None) == []
        waiting = loop.create_task(debounce.due())
        await asyncio.sleep(0)
        debounce.release()
        begin_s = loop.time()
        assert [one.number for one in await waiting] == [3]
        assert loop.time() - begin_s < 0.1

    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        runner.run(check())
