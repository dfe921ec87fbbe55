"""Topics made and looked at through the command line, on the embedded broker and on Apache Kafka."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def trendloom(*words: str, prefix: str) -> tuple[int, Any]:
    """Run a command with ``--json`` and return its exit code and what it printed."""
    environment = {"PATH": "", "TRENDLOOM_KAFKA__TOPIC_PREFIX": prefix, "TRENDLOOM_KAFKA__PARTITIONS": "3"}
    done = subprocess.run(
        [sys.executable, "-m", "launch.cli", *words, "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    "broker",
    [
        pytest.param("embedded_broker", marks=pytest.mark.broker),
        pytest.param("apache_kafka", marks=pytest.mark.kafka),
    ],
)
def test_topics_are_created_once_and_found_as_they_should_be(
    broker: str, request: pytest.FixtureRequest, fresh_prefix: Callable[[], str]
) -> None:
    address: str = request.getfixturevalue(broker)
    prefix = fresh_prefix()
    names = [prefix + name for name in ("purchases", "recommendations", "dead-letters", "trends")]

    _, before = trendloom("topics", "show", "--kafka", address, prefix=prefix)
    assert [topic["differences"] for topic in before] == [["it does not exist"]] * 4

    _, first = trendloom("topics", "create", "--kafka", address, prefix=prefix)
    _, second = trendloom("topics", "create", "--kafka", address, prefix=prefix)
    assert sorted(first["created"]) == sorted(names)
    assert second["created"] == []

    _, after = trendloom("topics", "show", "--kafka", address, prefix=prefix)
    assert [topic["name"] for topic in after] == names
    assert [topic["found"]["partitions"] for topic in after] == [3, 3, 1, 1]
    assert [topic["differences"] for topic in after] == [[]] * 4
    assert len({topic["found"]["topic_id"] for topic in after}) == 4
    if broker == "apache_kafka":  # the embedded broker does not tell
        assert [topic["found"]["cleanup"] for topic in after] == ["delete", "compact,delete", "delete", "delete"]


@pytest.mark.broker
@pytest.mark.redis
def test_doctor_finds_running_engines_and_missing_topics(
    embedded_broker: str, embedded_valkey: str, fresh_prefix: Callable[[], str]
) -> None:
    _, findings = trendloom("doctor", "--kafka", embedded_broker, "--redis", embedded_valkey, prefix=fresh_prefix())
    by_area = {area: [f for f in findings if f["area"] == area] for area in ("kafka", "redis")}
    assert [f["status"] for f in by_area["kafka"]] == ["ok", "warn", "warn", "warn", "warn"]
    assert by_area["redis"][0]["found"].startswith("Valkey ")
    assert {f["status"] for f in by_area["redis"]} == {"ok", "warn"}  # embedded: nothing on disk
