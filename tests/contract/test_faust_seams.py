"""The seams of Faust and aiokafka that ``agents/batch_transport.py``, belts and publishing hang on are what they were.

A new version fails here, with the name of what moved. Then: read its new source, compare it with what is said below,
correct our subclass, run ``test_batch_transport.py`` on both engines, and only then take over version and digest.
"""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from collections.abc import Callable
from importlib.metadata import requires, version
from typing import Any, cast

import pytest
from aiokafka.consumer import fetcher
from aiokafka.producer import message_accumulator
from faust.app.base import App
from faust.channels import Channel
from faust.serializers.schemas import Schema
from faust.tables.recovery import Recovery
from faust.transport import consumer
from faust.transport.conductor import ConductorCompiler
from faust.transport.drivers import aiokafka

PINNED = "0.15.3"

#: Digest of the source, where it is, and what of ours relies on it.
SEAMS: list[tuple[str, Any, str]] = [
    ("8f35dd7a11144daa", consumer.Consumer._drain_messages, "BatchConsumer._drain_messages, which replaces it"),
    ("e486c434b7928ee8", consumer.Consumer.getmany, "BatchConsumer._drain_messages and _hand_on, which do its checks"),
    ("ba40cd3671328d3b", consumer.Consumer._wait_next_records, "BatchConsumer._fetch, which calls it"),
    ("5548cf0f75843f73", consumer.Consumer.ack, "BatchConsumer.ack, which replaces it"),
    ("0d4f76b083a90a1b", consumer.Consumer._wait_for_ack, "BatchConsumer.drain, which waits with it"),
    ("53195dca246c0a86", consumer.Consumer.wait_empty, "BatchConsumer.ack, whose bookkeeping it looks at"),
    ("2b29afe4dd9a65a3", consumer.Consumer._new_offset, "BatchConsumer._new_offset, which replaces it"),
    (
        "cccdca32d241b14c",
        consumer.Consumer._filter_tps_with_pending_acks,
        "BatchConsumer._filter_tps_with_pending_acks, which replaces it",
    ),
    (
        "4fb75ba687d078b9",
        consumer.Consumer._filter_committable_offsets,
        "BatchConsumer._new_offset, which it calls once a commit",
    ),
    (
        "86b3e9b0aec773ac",
        consumer.Consumer._commit_offsets,
        "BatchConsumer._commit_offsets, which tells of what it committed",
    ),
    ("e43a7d03685f9206", consumer.Consumer.commit, "BatchConsumer.drain, which commits with it"),
    (
        "7accc1bf4f9759a1",
        consumer.Consumer.on_stop,
        "BatchConsumer.drain: what is acknowledged is committed at the end",
    ),
    ("2b4ceebd23deb7ee", consumer.Consumer.perform_seek, "BatchConsumer.perform_seek, which goes on from there"),
    (
        "aa77389dc23a1981",
        consumer.Consumer.stop_flow,
        "BatchConsumer._fetch and _hand_on: the events that they wait for",
    ),
    ("192f20bc377f5fec", consumer.Consumer.resume_flow, "BatchConsumer._fetch: the event that it waits for"),
    ("a1814af098238ff1", consumer.Consumer.pause_partitions, "BatchConsumer._wanted and _oldest: what is active"),
    (
        "652177e770ee66d6",
        consumer.Consumer.on_partitions_revoked,
        "BatchConsumer.on_partitions_revoked, which goes on to it",
    ),
    (
        "c07feb1175f7dcf1",
        consumer.Consumer.on_partitions_assigned,
        "BatchConsumer.on_partitions_assigned, which goes on to it, and _wanted: what is active",
    ),
    ("edcee17978c41d8d", consumer.Consumer.on_buffer_full, "BatchConsumer.on_buffer_full, which does nothing instead"),
    ("c5f80b096c715169", consumer.Consumer.on_buffer_drop, "BatchConsumer.on_buffer_drop, which does nothing instead"),
    (
        "8dbffeccb0e3267f",
        consumer.ThreadDelegateConsumer._getmany,
        "BatchConsumer._getmany, which asks for fewer partitions",
    ),
    (
        "8fd0d41b15145615",
        aiokafka.Consumer._new_consumer_thread,
        "BatchConsumer._new_consumer_thread, which replaces it",
    ),
    ("a2a5aefda42d9cd1", aiokafka.Consumer._to_message, "BatchConsumer._batch_message, which replaces it"),
    (
        "c179c0bdb9755c3a",
        aiokafka.AIOKafkaConsumerThread._create_worker_consumer,
        "_Thread._create_worker_consumer, which corrects what it made",
    ),
    (
        "9e7369fc572de4d0",
        aiokafka.AIOKafkaConsumerThread._fetch_records,
        "BatchConsumer._getmany: no partition means all of them",
    ),
    (
        "43907fc1163624bd",
        aiokafka.AIOKafkaConsumerThread.seek_to_committed,
        "BatchConsumer.perform_seek: a partition without an offset is not moved",
    ),
    (
        "98f8aa716db26656",
        aiokafka.AIOKafkaConsumerThread._seek_wait,
        "BatchConsumer.perform_seek: a seek to 0 forgets what was read",
    ),
    ("675d03707bbecd3c", aiokafka.AIOKafkaConsumerThread.on_start, "_Thread.on_start: the fetcher is made there"),
    ("70ded0e719100a3f", ConductorCompiler.build, "BatchConsumer._hand_on: what waiting for the callback means"),
    ("11b6b0b79e317509", App._create_directories, "agents.app._App, which makes none"),
    (
        "c1abd58dcb37f0a2",
        App._on_partitions_revoked,
        "BatchConsumer.on_partitions_revoked: the flow is stopped, queues are emptied",
    ),
    (
        "fbe0f747b84c0b27",
        Recovery._resume_streams,
        "BatchConsumer.perform_seek, which it calls before the flow goes on",
    ),
    ("23acdb8014782be1", cast("Any", Channel.queue).fget, "agents.belt.Belt.queue, which replaces it"),
    (
        "d7db13f06de8248c",
        fetcher.FetchResult,
        "agents.fetched.Unopened, which puts packed batches in place of its records, and leave_packed",
    ),
    (
        "047f7fc3f005c220",
        fetcher.PartitionRecords._unpack_records,
        "agents.fetched.Parts, which skips what this skips",
    ),
    ("e20ce0c8117f12d2", fetcher.Fetcher.fetched_records, "agents.fetched.Unopened, which it takes results from"),
    ("10c45c3c873d9c50", fetcher.Fetcher.seek_to, "agents.fetched.Unopened, from which it drops a result"),
    (
        "8050802ca7514186",
        message_accumulator.BatchBuilder,
        "agents.publishing.Publisher._send_one and producers.packed_load.PackedBatch: packed bytes instead of its own",
    ),
    ("2e1724f7a6a7d248", Schema.loads_key, "BatchSchema.loads_key, which replaces it"),
    ("d5a89118ae853bec", Schema.loads_value, "BatchSchema.loads_value, which replaces it"),
]


def digest(found: Callable[..., Any]) -> str:
    """Return a short digest of a function's source, its signature included."""
    source = textwrap.dedent(inspect.getsource(found)).encode()
    return hashlib.sha256(source).hexdigest()[:16]


def test_the_version_is_the_pinned_one() -> None:
    assert f"faust-streaming=={PINNED}" in (requires("trendloom") or []), "pyproject.toml pins another Faust"
    assert version("faust-streaming") == PINNED, (
        f"faust-streaming {version('faust-streaming')} is installed, the batch transport was written for {PINNED}. "
        "Action: see the words at the top of this file."
    )


@pytest.mark.parametrize(("known", "seam", "ours"), SEAMS, ids=[seam.__qualname__ for _, seam, _ in SEAMS])
def test_a_seam_is_what_it_was(known: str, seam: Callable[..., Any], ours: str) -> None:
    name = f"{seam.__module__}.{seam.__qualname__}"
    now = digest(seam)
    assert now == known, (
        f"{name} is not what it was (digest {now}, signature {inspect.signature(seam)}). "
        f"Action: read it again, and with it {ours}; then see the words at the top of this file."
    )


def test_the_lock_that_both_use_is_there() -> None:
    assert consumer.ack_lock.acquire(blocking=False)  # type: ignore[attr-defined]  # what Faust imports there
    consumer.ack_lock.release()  # type: ignore[attr-defined]
