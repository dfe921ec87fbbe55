"""The state made anew from the log: every purchase up to the group's committed offsets, folded as a worker would.

What lies after the committed offsets is left to the workers, which also publish its lists: nothing is published twice
and nothing is missed. Lists made from then on carry a new epoch, so they count as newer than all before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from config.settings import Settings
from launch.assembly import clock_ms, open_catalogue, open_refresher, open_store, topic_names
from launch.compose import kafka_options
from launch.topic_admin import open_admin
from launch.topic_identity import check_topic
from trendloom.errors import BadMessage, BrokerUnavailable, InputError
from trendloom.events import decode_purchases
from trendloom.refresh import Refresher
from trendloom.state.columns import Arrival
from trendloom.state.store import Partition

__all__ = ["Rebuilt", "rebuild_state"]

_POLL_MS = 500
_PATIENCE_S = 30.0


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild did."""

    epoch: int = 0
    records: int = 0
    purchases: int = 0
    duplicates: int = 0
    unusable: int = 0
    partitions: int = 0


async def rebuild_state(settings: Settings, *, force: bool, progress: Callable[[int, int], None]) -> Rebuilt:
    """Clear the state and fold the log up to the group's committed offsets; ``progress`` gets (done, total) records.

    Raises InputError while workers of the group are running, unless ``force``: they would stop at their next batch.
    """
    topic = topic_names(settings)[0]
    committed = _committed(settings, topic, force=force)
    catalogue = open_catalogue(settings)
    store = open_store(settings)
    consumer = KafkaConsumer(
        **kafka_options(settings.kafka), enable_auto_commit=False, auto_offset_reset="earliest", max_poll_records=5_000
    )
    try:
        await store.clear()
        refresher = await open_refresher(settings, store, catalogue)
        await check_topic(settings, store, topic)
        done = Rebuilt(epoch=refresher.epoch)
        numbers = sorted(consumer.partitions_for_topic(topic) or ())
        places = [TopicPartition(topic, number) for number in numbers]
        done.partitions = len(places)
        begin = consumer.beginning_offsets(places)
        stops = {}
        for place in places:
            partition = Partition(topic, place.partition)
            await store.set_fence(partition, begin[place] - 1)
            await refresher.assigned(partition)
            stop = committed.get(place.partition, 0)
            if stop > begin[place]:
                stops[place] = stop
        total = sum(stop - begin[place] for place, stop in stops.items())
        consumer.assign(list(stops))
        for place in stops:
            consumer.seek(place, begin[place])
        await _fold(settings, consumer, refresher, stops, done, lambda: progress(done.records, total))
    except KafkaError as error:
        raise BrokerUnavailable(f"Kafka broke off: {error}. Action: start it, then run the rebuild again.") from error
    finally:
        consumer.close()
        await store.close()
    return done


async def _fold(
    settings: Settings,
    consumer: KafkaConsumer,
    refresher: Refresher,
    stops: dict[TopicPartition, int],
    done: Rebuilt,
    step: Callable[[], None],
) -> None:
    open_places = dict(stops)
    heard_s = time.monotonic()
    while open_places:
        polled = consumer.poll(timeout_ms=_POLL_MS)
        if not polled:
            if time.monotonic() - heard_s > _PATIENCE_S:
                raise BrokerUnavailable(
                    f"No record came for {_PATIENCE_S:g} s though {len(open_places)} partitions hold more. "
                    "Action: see the broker's log, then run the rebuild again."
                )
            continue
        heard_s = time.monotonic()
        for place, records in sorted(polled.items(), key=lambda found: found[1][0].timestamp):
            wanted = [record for record in records if record.offset < stops[place]]
            for start in range(0, len(wanted), settings.kafka.max_batch):
                await _apply(settings, refresher, place, wanted[start : start + settings.kafka.max_batch], done)
                step()
            if records[-1].offset + 1 >= stops[place]:
                open_places.pop(place, None)
                consumer.pause(place)


async def _apply(settings: Settings, refresher: Refresher, place: TopicPartition, records: list, done: Rebuilt) -> None:  # type: ignore[type-arg]
    count_unknown, known = settings.lists.unknown_items == "count", refresher.catalogue.row_of
    decoded = decode_purchases([record.value for record in records], clock_ms())
    usable = [
        (record.offset, found)
        for record, found in zip(records, decoded, strict=True)
        if not isinstance(found, BadMessage) and (count_unknown or found.item_id in known)
    ]
    items = (await refresher.number([purchase.item_id for _, purchase in usable])).tolist()
    arrivals = [
        Arrival(offset, purchase, item) for (offset, purchase), item in zip(usable, items, strict=True) if item >= 0
    ]
    done.unusable += len(records) - len(arrivals)  # a dead letter was published when a worker met it
    partition = Partition(place.topic, place.partition)
    applied = await refresher.apply(partition, arrivals, first_offset=records[0].offset, last_offset=records[-1].offset)
    refresher.settle(applied)
    refresher.committed(partition, records[-1].offset)
    done.records += len(records)
    done.purchases += applied.tally.new
    done.duplicates += applied.tally.duplicates


def _committed(settings: Settings, topic: str, *, force: bool) -> dict[int, int]:
    group = settings.kafka.group
    with open_admin(kafka_options(settings.kafka)) as admin:
        if not force:
            members = _members(admin, group)
            if members:
                raise InputError(
                    f"{members} workers of the group {group} are running. Action: stop them first (SIGTERM), or pass "
                    "--force: then they stop with an error at their next batch."
                )
        offsets = admin.list_group_offsets({group: None})[group]
    return {place.partition: int(found.offset) for place, found in offsets.items() if place.topic == topic}


def _members(admin: KafkaAdminClient, group: str) -> int:
    """Return how many workers of the group are running; 0 where the broker's answer cannot be read (Tansu's)."""
    try:
        described = admin.describe_groups([group])
    except ValueError:
        return 0
    return len(described.get(group, {}).get("members", ()))
