"""Fixtures that every kind of test may use: engines, real ones where they are there, and clean places in them.

Engines are started once a session, through the keeper: nothing outlives the session, whatever ends it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings

from launch.embedded import start_broker, start_valkey
from launch.processes import Processes
from launch.real_engines import apache_kafka_jars, start_apache_kafka, start_redis_cluster, start_redis_server
from trendloom.errors import InputError

# machines are shared and noisy, and a kernel may be compiled while an example is drawn: time says nothing here
settings.register_profile("noisy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("noisy")

_ROOT = Path(__file__).parent.parent
_prefixes = itertools.count()


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    """The session's programs."""
    with Processes() as running:
        yield running


@pytest.fixture(scope="session")
def embedded_broker(processes: Processes) -> str:
    """``HOST:PORT`` of an embedded broker."""
    return start_broker(processes).address


@pytest.fixture(scope="session")
def embedded_valkey(processes: Processes) -> str:
    """URL of an embedded Valkey, shared: use :func:`valkey_url` where a test writes."""
    return start_valkey(processes).address


@pytest.fixture
def valkey_url(embedded_valkey: str) -> str:
    """URL of an embedded Valkey that is empty when the test begins."""
    _empty(embedded_valkey)
    return embedded_valkey


@pytest.fixture(scope="session")
def redis_server(processes: Processes) -> str:
    """URL of a Redis from the system's ``redis-server``, shared: use :func:`redis_server_url` where a test writes."""
    try:
        return start_redis_server(processes).address
    except InputError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def redis_server_url(redis_server: str) -> str:
    """URL of the system's Redis, empty when the test begins."""
    _empty(redis_server)
    return redis_server


@pytest.fixture(scope="session")
def redis_cluster(processes: Processes) -> list[str]:
    """URLs of the six nodes of a Redis Cluster, owners of slots first."""
    return [member.address for member in start_redis_cluster(processes)]


@pytest.fixture(scope="session")
def apache_kafka(processes: Processes) -> str:
    """``HOST:PORT`` of an Apache Kafka."""
    jars = apache_kafka_jars(_ROOT / "var" / "kafka")
    if jars is None:
        pytest.skip("Apache Kafka is not here: it needs java on PATH and the jars that `make kafka` fetches.")
    return start_apache_kafka(processes, jars).address


@pytest.fixture
def fresh_prefix(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Make prefixes that no other test uses, for topics and keys."""
    return lambda: f"t{next(_prefixes)}-{abs(hash(request.node.nodeid)) % 10_000}."


def _empty(url: str) -> None:
    client = redis.Redis.from_url(url)
    client.flushall()
    client.close()
