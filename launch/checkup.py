"""What ``trendloom doctor`` looks at: this machine, Kafka, Redis and the catalogue, each answer with what to do.

Every check only reads. A check that cannot be made says so as a finding; it is never skipped silently. Read next:
``launch/commands/doctor.py``, which prints them.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import redis

from config.settings import KafkaSettings, RedisSettings, Settings
from launch.compose import kafka_options, redis_options, topic_table
from launch.topic_admin import TopicState, broker_version, open_admin, topic_states
from trendloom.errors import BrokerUnavailable, CatalogueError

__all__ = ["Finding", "check_everything", "judge_redis", "judge_topic"]

Status = Literal["ok", "warn", "fail"]

_CORE = ("faust-streaming", "aiokafka", "kafka-python", "redis", "pydantic", "numpy", "pyarrow", "pillow")
_EXTRAS = {"dashboard": ("fastapi", "uvicorn"), "vision": ("torch", "torchvision")}
_WORKER_MB = 400  # a worker, its catalogue and some room


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: ``area`` is machine, kafka, redis or catalogue; ``action`` is empty where all is well."""

    area: Literal["machine", "kafka", "redis", "catalogue"]
    status: Status
    found: str
    action: str = ""


def check_everything(settings: Settings) -> Iterator[Finding]:
    """Yield every finding, as it is made."""
    yield from check_machine()
    yield from check_kafka(settings.kafka)
    yield from check_redis(settings.redis)
    yield check_catalogue(settings.catalogue.directory)


def check_machine(meminfo: Path = Path("/proc/meminfo")) -> Iterator[Finding]:
    """Yield what this Python, its packages and the free memory are."""
    status: Status = "ok" if sys.version_info >= (3, 11) else "fail"
    yield Finding(
        "machine", status, f"Python {platform.python_version()}", "" if status == "ok" else "Use 3.11 or newer."
    )
    versions = {name: _installed(name) for name in _CORE}
    missing = [name for name, found in versions.items() if found is None]
    told = ", ".join(f"{name} {found}" for name, found in versions.items() if found)
    yield Finding(
        "machine",
        "fail" if missing else "ok",
        f"packages: {told}" + (f"; missing: {', '.join(missing)}" if missing else ""),
        "Install them: pip install -e ." if missing else "",
    )
    for extra, names in _EXTRAS.items():
        absent = [name for name in names if _installed(name) is None]
        if absent:
            yield Finding("machine", "warn", f"extra {extra}: not installed", f"Where needed: pip install '.[{extra}]'")
        else:
            yield Finding(
                "machine", "ok", f"extra {extra}: " + ", ".join(f"{name} {_installed(name)}" for name in names)
            )
    free_mb = _free_mb(meminfo)
    if free_mb is None:
        yield Finding("machine", "warn", "free memory: not told by this system", "Keep 400 MB free for each worker.")
    elif free_mb < _WORKER_MB:
        yield Finding("machine", "warn", f"free memory: {free_mb} MB", f"A worker wants about {_WORKER_MB} MB.")
    else:
        yield Finding("machine", "ok", f"free memory: {free_mb} MB")


def check_kafka(kafka: KafkaSettings) -> Iterator[Finding]:
    """Yield whether Kafka answers, which it is, and whether the topics are as the table says."""
    if not kafka.bootstrap:
        yield Finding("kafka", "ok", "the embedded broker is started with each run")
        return
    try:
        with open_admin(kafka_options(kafka)) as admin:
            cluster = admin.describe_cluster()
            yield Finding(
                "kafka",
                "ok",
                f"Kafka at {kafka.bootstrap}: answers as {broker_version(admin)}, brokers: {len(cluster['brokers'])}, "
                f"cluster {cluster['cluster_id']}",
            )
            states = topic_states(admin, topic_table(kafka))
    except BrokerUnavailable as error:
        found, _, action = str(error).partition(" Action: ")
        yield Finding("kafka", "fail", found, action)
        return
    for state in states:
        yield judge_topic(state)
    ids = [state.topic_id for state in states if state.exists]
    if ids and all(ids):
        yield Finding("kafka", "ok", "topic ids: told, so a topic that is deleted and made again is recognised")
    elif ids:
        yield Finding(
            "kafka",
            "warn",
            "topic ids: not told by this broker, so a topic that is deleted and made again cannot be recognised",
            "After such a change run trendloom state rebuild yourself.",
        )


def judge_topic(state: TopicState) -> Finding:
    """Return what to think of a topic as the brokers have it.

    >>> from trendloom.topics import PURCHASES
    >>> judge_topic(TopicState(PURCHASES, exists=True, partitions=8, cleanup="compact")).status
    'fail'
    """
    name, differences = state.wanted.name, state.differences()
    if not state.exists:
        return Finding("kafka", "warn", f"topic {name}: does not exist", "Run trendloom topics create.")
    if not differences:
        return Finding("kafka", "ok", f"topic {name}: {state.partitions} partition(s), as it should be")
    loses = "delete" in state.wanted.cleanup.split(",") and state.cleanup is not None and "compact" in state.cleanup
    compacted_log = loses and "compact" not in state.wanted.cleanup
    return Finding(
        "kafka",
        "fail" if compacted_log else "warn",
        f"topic {name}: {'; '.join(differences)}",
        "Compaction loses purchases: set cleanup.policy=delete with kafka-configs at once."
        if compacted_log
        else "Change the topic with Kafka's own tools, or the setting.",
    )


def check_redis(settings: RedisSettings) -> Iterator[Finding]:
    """Yield whether Redis answers, which it is, and whether it keeps what it is given."""
    if not settings.url:
        yield Finding("redis", "ok", "the embedded Valkey is started with each run")
        return
    try:
        with redis.Redis.from_url(settings.url, **redis_options(settings)) as client:
            info: Mapping[str, Any] = client.info()
    except (redis.RedisError, OSError) as error:
        yield Finding(
            "redis",
            "fail",
            f"Redis at {settings.url} does not answer ({error})",
            "Start it, or correct --redis and the redis settings.",
        )
        return
    yield from judge_redis(info, settings)


def judge_redis(info: Mapping[str, Any], settings: RedisSettings) -> Iterator[Finding]:
    """Yield what to think of a Redis that answers ``INFO`` like this.

    >>> [f.status for f in judge_redis({"redis_version": "7.4.0", "maxmemory_policy": "allkeys-lru"}, RedisSettings())]
    ['ok', 'fail', 'warn']
    """
    name = "Valkey" if "valkey_version" in info else "Redis"
    number = info.get("valkey_version") or info.get("redis_version", "of unknown version")
    yield Finding("redis", "ok", f"{name} {number} at {settings.url}, {info.get('used_memory_human', '?')} in use")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        yield Finding("redis", "ok", "maxmemory-policy noeviction: nothing is thrown away")
    else:
        action = "Set it: redis-cli CONFIG SET maxmemory-policy noeviction"
        yield Finding("redis", "fail", f"maxmemory-policy {policy}: parts of the state would vanish unseen", action)
    if int(info.get("aof_enabled", 0)):
        yield Finding("redis", "ok", "append-only file: on; what a crash loses of it is read again from the log")
    else:
        yield Finding(
            "redis",
            "warn",
            "append-only file: off, so the state is gone when Redis restarts",
            "redis-cli CONFIG SET appendonly yes; or run trendloom state rebuild after a restart.",
        )
    clustered = bool(int(info.get("cluster_enabled", 0)))
    if clustered != settings.cluster:
        found = "it is a Redis Cluster" if clustered else "it is one Redis, not a cluster"
        yield Finding(
            "redis",
            "fail",
            f"{found}, but redis.cluster says otherwise",
            f"Set redis.cluster to {str(clustered).lower()}.",
        )


def check_catalogue(directory: str) -> Finding:
    """Return whether the catalogue can be loaded; an empty ``directory`` is the demo's."""
    from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue

    path = Path(directory) if directory else demo_catalogue_path()
    try:
        catalogue = load_catalogue(path)
    except CatalogueError as error:
        found, _, action = str(error).partition(" Action: ")
        return Finding("catalogue", "fail", found, action)
    name = "the demo catalogue" if not directory else str(path)
    return Finding("catalogue", "ok", f"{name}: {len(catalogue.item_ids)} items, every file as its manifest says")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _free_mb(meminfo: Path) -> int | None:
    if not meminfo.is_file():
        return None
    for line in meminfo.read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return None
