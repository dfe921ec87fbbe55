"""``trendloom worker --processes 2`` as a process: the two share the partitions, and SIGTERM drains both."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launch.processes import Process, Processes
from launch.workers import environment_of
from tests.journey.shop import Shop, purchases

pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.redis, pytest.mark.timeout(180)]


@pytest.fixture
def engines(embedded_broker: str, embedded_valkey: str) -> tuple[str, str]:
    return embedded_broker, embedded_valkey


def health(port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", "/health")
        found: dict[str, Any] = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException):
        return {}
    else:
        return found
    finally:
        connection.close()


def neighbouring_ports() -> int:
    """Return a free port whose neighbour is free too; below those that systems give to whoever connects."""
    for first in range(20_000 + os.getpid() % 10_000, 32_000):
        try:
            for port in (first, first + 1):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return first
    pytest.fail("no two free ports beside each other")


def until(true: Callable[[], bool], group: Process, patience_s: float = 60.0) -> None:
    deadline = time.monotonic() + patience_s
    while not true():
        assert group.status() is None, group.tail(40)
        assert time.monotonic() < deadline, group.tail(40)


def test_two_processes_share_the_partitions_and_drain_together(
    open_shop: Callable[..., Shop], processes: Processes
) -> None:
    shop, port = open_shop(), neighbouring_ports()
    some = purchases(6_000, customers=300, seed=11)
    argv = [sys.executable, "-P", "-m", "launch.cli", "worker", "--processes", "2", "--health-port", str(port)]

    def start(name: str) -> Process:
        return processes.start(f"{shop.purchases}-{name}", argv, environment_of(shop.settings), Path.cwd())

    def shares() -> list[int]:
        return [len(health(number).get("lag", {})) for number in (port, port + 1)]

    group = start("group")
    until(lambda: shares() == [2, 2], group)
    shop.send(some[:4_000])
    shop.read_until(lambda: len(shop.lists) > 500)
    group.send(signal.SIGTERM)
    assert group.wait(60.0) == 0, group.tail(40)
    assert health(port) == health(port + 1) == {}

    again = start("group-again")
    shop.send(some[4_000:])
    shop.read_lists_of(some)
    again.send(signal.SIGTERM)
    assert again.wait(60.0) == 0, again.tail(40)
    shop.check_state(some)
    shop.check_versions()
    assert len(shop.lists) == len(some)  # drained workers leave nothing to be listed twice
