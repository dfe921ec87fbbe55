"""Shops for journey tests: one catalogue a session, one shop a test, on the embedded engines or on the real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from launch.processes import Processes
from tests.journey.shop import Shop, small_catalogue

OpenShop = Callable[..., Shop]


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small catalogue without photos."""
    return small_catalogue(tmp_path_factory.mktemp("catalogue"))


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=[pytest.mark.broker, pytest.mark.redis]),
        pytest.param("apache", marks=[pytest.mark.kafka, pytest.mark.redis]),
    ]
)
def engines(request: pytest.FixtureRequest) -> tuple[str, str]:
    """(broker, Redis URL): the embedded pair, or Apache Kafka with the system's Redis."""
    if request.param == "embedded":
        return request.getfixturevalue("embedded_broker"), request.getfixturevalue("embedded_valkey")
    broker: str = request.getfixturevalue("apache_kafka")
    return broker, request.getfixturevalue("redis_server")


@pytest.fixture
def open_shop(
    processes: Processes, engines: tuple[str, str], fresh_prefix: Callable[[], str], catalogue: Path
) -> Iterator[OpenShop]:
    """Open shops; they are closed after the test."""
    opened: list[Shop] = []

    def open_one(**overrides: Any) -> Shop:
        shop = Shop(processes, *engines, fresh_prefix(), catalogue, **overrides)
        opened.append(shop)
        return shop

    yield open_one
    for shop in opened:
        shop.close()
