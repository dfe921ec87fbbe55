import asyncio
import uuid
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import orjson
import pytest
from aiokafka.structs import ConsumerRecord
from faust.types import TP

from agents.app import start_offset
from agents.batch_transport import Batch
from agents.counters import Counters
from agents.dead_letter import DeadLetters
from agents.publishing import Publisher
from agents.purchases import PurchasesAgent, intended_send_times
from agents.scoring import ScoringAgent
from agents.trendiness import TrendinessSummary
from tests.fake_producer import FakeProducer
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.events import SENT_AT_HEADER, DeadLetter, RecommendationList
from trendloom.partitions import partitions_of_keys
from trendloom.refresh import ListRules, Refresher
from trendloom.relevance.presets import PRESETS
from trendloom.state.customer import Customer
from trendloom.state.in_process import InProcessStore
from trendloom.state.rules import StateRules
from trendloom.state.store import Partition

NOW_MS = 1_600_000_000_000
PLACE = TP("purchases", 2)
HERE = Partition(*PLACE)
CATALOGUE = random_catalogue(40, np.random.default_rng(3))
Header = tuple[str, bytes | None]


def partition_of(key: bytes, partitions: int) -> int:
    return int(partitions_of_keys([key], partitions)[0])


class Bench(NamedTuple):
    """A worker's two agents on a store in memory and a fake producer."""

    store: InProcessStore
    refresher: Refresher
    producer: FakeProducer
    counters: Counters
    purchases: PurchasesAgent
    scoring: ScoringAgent

    def letters(self) -> list[DeadLetter]:
        return [DeadLetter.model_validate_json(value) for value in self.producer.values("dead-letters")]

    async def take(self, batch: Batch) -> list[RecommendationList]:
        """Take a batch the whole way; return its lists."""
        before = len(self.producer.values("recommendations"))
        await self.scoring.publish(await self.scoring.score(await self.purchases.apply(batch)))
        found = self.producer.values("recommendations")[before:]
        lists = [RecommendationList.model_validate_json(value) for value in found]
        return sorted(lists, key=lambda one: one.cause.offset)


async def bench(
    *,
    unknown_items: Literal["dead_letter", "count"] = "dead_letter",
    max_items: int = 1000,
    store: InProcessStore | None = None,
    newest_only: bool = False,
) -> Bench:
    store, counters = store or InProcessStore(), Counters()
    producer = FakeProducer({"recommendations": 4, "dead-letters": 1}, room=100)
    refresher = Refresher(
        store,
        CATALOGUE,
        state_rules=StateRules(max_items=max_items),
        list_rules=ListRules(PRESETS["balanced"]),
        stores={},
        worker="w",
        follow_every_s=60.0,
        monotonic=lambda: 0.0,
    )
    await refresher.open(NOW_MS)
    publisher = Publisher(lambda: producer, retry_budget_s=1.0)
    purchases = PurchasesAgent(
        refresher,
        DeadLetters(publisher, "dead-letters"),
        counters,
        partitions=lambda: 4,
        unknown_items=unknown_items,
        clock_ms=lambda: NOW_MS,
    )
    scoring = ScoringAgent(
        refresher,
        publisher,
        counters,
        topic="recommendations",
        clock_ms=lambda: NOW_MS + 7,
        newest_only=newest_only,
    )
    return Bench(store, refresher, producer, counters, purchases, scoring)


def raw(event: int, customer: str = "ann", item: int = 0, **changes: Any) -> bytes:
    """A purchase on the wire; ``changes`` replace fields, None takes one out."""
    told = {
        "schema_version": 1,
        "event_id": str(uuid.UUID(int=event + 1)),
        "customer_id": customer,
        "item_id": f"item-{item:04d}",
        "occurred_at": NOW_MS - 60_000,
    } | changes
    return orjson.dumps({name: value for name, value in told.items() if value is not None})


def batch_of(values: Sequence[bytes | None], first: int = 0, headers: tuple[Header, ...] = ()) -> Batch:
    return Batch(
        PLACE,
        [
            ConsumerRecord("purchases", 2, first + at, NOW_MS, 0, b"k", value, None, 1, 1, headers)
            for at, value in enumerate(values)
        ],
    )


BAD: dict[str, bytes | None] = {
    "empty": None,
    "not_json": b"[1, 2",
    "unknown_schema": raw(1, schema_version=2),
    "wrong_schema": raw(1, customer_id=None),
    "too_old": raw(1, occurred_at=1_600_000_000),
    "in_the_future": raw(1, occurred_at=NOW_MS + 600_000),
    "unknown_item": raw(1, item_id="stranger"),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_record_is_set_aside_and_the_stream_goes_on(reason: str) -> None:
    async def check() -> None:
        shop = await bench()
        lists = await shop.take(batch_of([raw(10, "ann", 1), BAD[reason], raw(11, "bob", 2)], first=5))
        [letter] = shop.letters()
        assert (letter.reason, letter.topic, letter.partition, letter.offset) == (reason, "purchases", 2, 6)
        assert letter.payload.encode() == (BAD[reason] or b"")
        assert "Action: " in letter.detail
        assert [(one.customer_id, one.cause.offset) for one in lists] == [("ann", 5), ("bob", 7)]
        assert shop.counters.dead_letters == {reason: 1}
        assert shop.counters.new == 2
        assert await shop.store.fences() == {HERE: 7}
        assert await shop.store.item_ids() == CATALOGUE.item_ids  # what was set aside left no trace

    asyncio.run(check())


def test_a_batch_of_bad_records_only_moves_the_fence() -> None:
    async def check() -> None:
        shop = await bench()
        assert await shop.take(batch_of(list(BAD.values()))) == []
        assert sorted(letter.reason for letter in shop.letters()) == sorted(BAD)
        assert await shop.store.fences() == {HERE: len(BAD) - 1}
        assert shop.counters.batches == 1
        assert (await shop.store.population()).purchases == 0

    asyncio.run(check())


def test_dead_letters_are_acknowledged_before_the_batch_changes_the_state() -> None:
    async def check() -> None:
        shop = await bench()
        await shop.refresher.assigned(HERE)
        shop.producer.faults = [ValueError("the broker is gone")]
        with pytest.raises(ValueError, match="the broker is gone"):
            await shop.purchases.apply(batch_of([raw(10), b"[1, 2"]))
        assert await shop.store.fences() == {}
        await shop.take(batch_of([raw(10), b"[1, 2"]))  # delivered again
        assert len(shop.letters()) == 1
        assert await shop.store.fences() == {HERE: 1}

    asyncio.run(check())


def test_unknown_items_may_be_counted_instead() -> None:
    async def check() -> None:
        shop = await bench(unknown_items="count")
        lists = await shop.take(batch_of([raw(1, item_id="stranger")]))
        assert shop.letters() == []
        assert lists[0].cause.item_id == "stranger"
        assert (await shop.store.item_ids())[-1] == "stranger"
        assert (await shop.store.items()).numbers.tolist() == [40]

    asyncio.run(check())


def test_an_item_for_which_the_state_has_no_room_is_set_aside() -> None:
    async def check() -> None:
        shop = await bench(unknown_items="count", max_items=41)
        lists = await shop.take(batch_of([raw(1, item_id="x"), raw(2, item_id="y"), raw(3, item=3)]))
        [letter] = shop.letters()
        assert (letter.reason, letter.offset) == ("too_many_items", 1)
        assert [one.cause.offset for one in lists] == [0, 2]
        assert shop.counters.dead_letters == {"too_many_items": 1}

    asyncio.run(check())


def test_lists_carry_the_cause_the_version_and_the_intended_send_time() -> None:
    async def check() -> None:
        shop = await bench()
        headers: tuple[Header, ...] = (("other", b"1"), (SENT_AT_HEADER, b"1599999999000"))
        values = [raw(10, "ann", 1), raw(10, "ann", 1), b"bad", raw(11, "ann", 2)]  # the second is a duplicate
        lists = await shop.take(batch_of(values, headers=headers))
        assert [(one.cause.offset, one.version.number, one.sent_at) for one in lists] == [
            (0, 1, 1_599_999_999_000),
            (3, 2, 1_599_999_999_000),
        ]
        assert {one.made_at for one in lists} == {NOW_MS + 7}
        assert {one.cause.partition for one in lists} == {2}
        places = {place for topic, place, _ in shop.producer.sent if topic == "recommendations"}
        assert places == {partition_of(b"ann", 4)}
        assert shop.counters.as_dict() == {
            "purchases_applied": 2,
            "duplicates": 1,
            "repeated": 0,
            "covered": 0,
            "lists": 2,
            "lists_skipped": 0,
            "batches": 1,
            "keyed_otherwise": 0 if partition_of(b"ann", 4) == 2 else 3,
            "dead_letters": {"not_json": 1},
        }

    asyncio.run(check())


def test_with_debounce_each_customer_of_a_batch_has_one_list_the_same_as_without() -> None:
    async def check() -> None:
        batch = batch_of([raw(event, f"c{event % 3}", event, store_id=f"s{event}") for event in range(8)])
        every, newest = await bench(), await bench(newest_only=True)
        lists, narrowed = await every.take(batch), await newest.take(batch)
        assert [one.cause.offset for one in narrowed] == [5, 6, 7]
        assert narrowed == lists[5:]
        assert (newest.counters.new, newest.counters.lists, newest.counters.lists_skipped) == (8, 3, 5)
        assert every.counters.lists_skipped == 0
        again = await newest.take(batch)
        assert [one.version for one in again] == [one.version for one in narrowed]
        assert (newest.counters.repeated, newest.counters.lists, newest.counters.lists_skipped) == (8, 6, 10)

    asyncio.run(check())


def test_a_batch_delivered_again_is_listed_again_with_the_same_versions() -> None:
    async def check() -> None:
        shop = await bench()
        batch = batch_of([raw(event, f"c{event % 2}", event) for event in range(6)])
        first, again = await shop.take(batch), await shop.take(batch)
        assert [one.version for one in again] == [one.version for one in first]
        assert [(one.trendiness, one.percentile) for one in again] == [
            (one.trendiness, one.percentile) for one in first
        ]
        assert (shop.counters.new, shop.counters.repeated, shop.counters.lists) == (6, 6, 12)
        assert (await shop.store.population()).purchases == 6

    asyncio.run(check())


@pytest.mark.parametrize("committed", [None, 0])
def test_a_worker_killed_between_state_and_lists_owes_its_heir_every_list(committed: int | None) -> None:
    """Its group may have committed nothing at all yet."""
    batches = [batch_of([b"bad", raw(1, "ann", 1), raw(2, "bob", 2)]), batch_of([raw(3, "ann", 3)], first=3)]

    async def check() -> None:
        killed = await bench()
        for batch in batches:
            killed.refresher.settle((await killed.purchases.apply(batch)).applied)
        heir = await bench(store=killed.store)
        fence, journaled = await heir.refresher.assigned(HERE)
        start = start_offset(PLACE, committed, 0, fence, journaled)
        again = [record for batch in batches for record in batch.records if record.offset >= start]
        lists = await heir.take(Batch(PLACE, again))
        assert [(one.cause.offset, one.version.number) for one in lists] == [(1, 1), (2, 1), (3, 2)]
        assert (await heir.store.population()).purchases == 3

    asyncio.run(check())


def test_purchases_that_are_keyed_otherwise_are_counted_exactly_and_named() -> None:
    at_home = next(name for name in (f"c{n}" for n in range(99)) if partition_of(name.encode(), 4) == 2)
    abroad = next(name for name in (f"c{n}" for n in range(99)) if partition_of(name.encode(), 4) != 2)

    async def check() -> None:
        shop = await bench()
        await shop.take(batch_of([raw(1, at_home), raw(2, abroad), raw(3, abroad)]))
        assert shop.counters.keyed_otherwise == 2
        assert Customer.unpack(await shop.store.customer(abroad)).number == 2

    asyncio.run(check())


def test_who_is_buying_is_summed_up() -> None:
    async def check() -> None:
        shop = await bench()
        work = await shop.purchases.apply(batch_of([raw(event, f"c{event}", event) for event in range(5)]))
        summary = TrendinessSummary()
        summary.observe(work.applied)
        told = summary.as_dict()
        assert sum(told["tenths"]) == 5  # type: ignore[call-overload]
        assert told["mean"] == pytest.approx(np.mean([one.trendiness for one in work.applied.listed]))
        assert TrendinessSummary().as_dict()["mean"] is None

    asyncio.run(check())


@pytest.mark.parametrize(
    ("headers", "sent_at"),
    [
        ((), None),
        (((SENT_AT_HEADER, b"1600000000000"),), 1_600_000_000_000),
        (((SENT_AT_HEADER, b"soon"),), None),
        (((SENT_AT_HEADER, b"-5"),), None),
        (((SENT_AT_HEADER, None),), None),
        (((SENT_AT_HEADER, b"9" * 40),), None),  # would not fit into a list
        ((("x", b"1"), (SENT_AT_HEADER, b"2")), 2),
    ],
)
def test_the_intended_send_time_or_none(headers: tuple[Header, ...], sent_at: int | None) -> None:
    assert intended_send_times(batch_of([b""], headers=headers).records) == [sent_at]
