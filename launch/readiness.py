"""Is an engine there? Protocol checks with a deadline, and free loopback ports; never a sleep and a hope.

Read next: :mod:`launch.embedded`, which starts engines and waits with these.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import redis
from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from redis.backoff import NoBackoff
from redis.retry import Retry

from launch.processes import Process, ProgramFailed

__all__ = ["answers_kafka", "answers_redis", "free_port", "wait_until"]

_LOOPBACK = "127.0.0.1"
_STEP_S = 0.02


def free_port() -> int:
    """Return a loopback port that was free a moment ago (whoever binds it must be ready to lose the race)."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(ready: Callable[[], bool], process: Process, timeout_s: float) -> None:
    """Return when ``ready()`` is true; raise :class:`ProgramFailed`, with its last words, if the process ends first."""
    deadline = time.monotonic() + timeout_s
    while True:
        status = process.status()
        if status is None and ready():
            return
        if status is not None:
            raise ProgramFailed(
                f"{process.name} ended at once (status {status}):\n{process.tail()}\nAction: see above."
            )
        if time.monotonic() > deadline:
            raise ProgramFailed(
                f"{process.name} is not ready after {timeout_s:g} s:\n{process.tail()}\nAction: see above."
            )
        time.sleep(_STEP_S)


def answers_kafka(address: str, cluster_id: str | None = None) -> bool:
    """Return whether a Kafka broker answers at ``HOST:PORT`` (and is the one with that cluster id)."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    try:
        admin = KafkaAdminClient(bootstrap_servers=address, bootstrap_timeout_ms=2000, request_timeout_ms=2000)
    except (KafkaError, OSError):
        return False
    try:
        cluster = admin.describe_cluster()
    except (KafkaError, OSError):
        return False
    finally:
        admin.close()
    return bool(cluster["brokers"]) and (cluster_id is None or cluster["cluster_id"] == cluster_id)


def answers_redis(port: int, pid: int | None = None) -> bool:
    """Return whether a Redis or Valkey answers on this loopback port (and is that process)."""
    client = redis.Redis(host=_LOOPBACK, port=port, socket_timeout=2, retry=Retry(NoBackoff(), 0))
    try:
        found = client.info("server")
    except redis.RedisError:
        return False
    finally:
        client.close()
    return pid is None or found["process_id"] == pid
